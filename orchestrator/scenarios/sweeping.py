"""Run a sweep: plan, members, results, history."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from uuid import uuid4

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.files import replace_file
from orchestrator.core.permissions import make_folder
from orchestrator.core.text import plural
from orchestrator.core.versions import installed_versions
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.scenarios.bundle import Bundle, make_bundle, sent_environment
from orchestrator.scenarios.cluster import Cluster, foreign_cluster, local_cluster, require_extra
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.happenings import Happening, MemberReached, Tell, tell_nobody
from orchestrator.scenarios.history import SweepHistory
from orchestrator.scenarios.holding import held, stop_asked
from orchestrator.scenarios.inputs import MemberInputs, database_mark
from orchestrator.scenarios.keeping import changed_files, is_kept, old_plan, read_states, remove_database, remove_member
from orchestrator.scenarios.plan import Member, SweepPlan
from orchestrator.scenarios.planning import SweepRequest, checked_members, make_plan
from orchestrator.scenarios.project import SweptProject, of_member
from orchestrator.scenarios.results_database import write_results
from orchestrator.scenarios.resuming import written
from orchestrator.scenarios.state import MemberState
from orchestrator.scenarios.tables import remove_tables
from orchestrator.scenarios.task import MemberReport, MemberTask
from orchestrator.scenarios.told import SweepTeller
from orchestrator.scenarios.written_outside import MemberPlaces

RETRIES = 1

logger = logging.getLogger(__name__)

FactsOf = Callable[[SimulationConfig], ProjectFacts]


@dataclass(frozen=True)
class SweepWork:
    """How a sweep is worked off: ``workers`` None is one for each core, ``scheduler`` None are workers of our own.

    ``share`` builds once what members have in common before their first year.
    """

    workers: int | None = None
    scheduler: str | None = None
    retries: int = RETRIES
    share: bool = True
    dashboard: bool = False

    @property
    def count(self) -> int:
        """How many workers of our own there are."""
        return self.workers or os.cpu_count() or 1


@dataclass(frozen=True)
class SweepOutcome:
    """What became of a sweep: the state of each member by key, in the order of the plan.

    ``kept`` are the members that were finished before, ``removed`` those of an older plan that are gone, ``emptied``
    those finished before whose databases are to stay no longer. ``stopped`` tells that somebody stopped it. ``changed``
    are the files that are not any more what a finished member read, with the keys of these members.
    """

    plan: SweepPlan
    folder: SweepFolder
    states: dict[str, MemberState]
    seconds: float
    kept: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    stopped: bool = False
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def with_status(self, status: str) -> tuple[str, ...]:
        """Return the members of a status."""
        return tuple(key for key, state in self.states.items() if state.status == status)


@dataclass(frozen=True)
class PreparedSweep:
    """A sweep whose plan is made and checked; nothing is written yet.

    ``inputs`` are what each member is made of, ``states`` what is there of them, ``kept`` those that are done and
    unchanged, ``dropped`` the members of an older plan that this one has not, ``varied`` the dbt variables that differ
    between members.
    """

    project: SweptProject
    config: SimulationConfig
    plan: SweepPlan
    folder: SweepFolder
    inputs: Mapping[str, MemberInputs]
    states: Mapping[str, MemberState]
    kept: tuple[str, ...] = ()
    dropped: tuple[Member, ...] = ()
    varied: tuple[str, ...] = ()

    @property
    def again(self) -> tuple[str, ...]:
        """The members that are done, and are looked at again because what they are made of may have changed."""
        return tuple(key for key, state in self.states.items() if state.status == "done" and key not in self.kept)

    @property
    def idle(self) -> bool:
        """Tell that there is no member to be run."""
        return len(self.kept) == len(self.plan.members)


def prepare(project: SweptProject, request: SweepRequest, facts_of: FactsOf) -> PreparedSweep:
    """Make the plan of a sweep, check every member of it, and see what is there already.

    Raises:
        ConfigurationError: what is asked for is wrong, or begins after the first year.
        MissingExtraError: Dask is not installed.
        SweepError: the plan that is there cannot be read.
    """
    require_extra()
    config = project.base()
    plan = replace(make_plan(config, request), overrides=written(project.overrides))
    folder = SweepFolder.of(config.root, plan.name)
    facts = facts_of(config)
    inputs, varied = checked_members(project, plan, folder, facts)
    variables = {key: one.settings.vars for key, one in inputs.items()}
    places = MemberPlaces(plan, variables, lambda one: facts_of(project.member(one, folder.member(one.key).database)))
    places.require_own(facts, varied)
    old = old_plan(folder)
    now = {member.key for member in plan.members}
    dropped = () if old is None else tuple(member for member in old.members if member.key not in now)
    if old is not None:
        plan = replace(plan, created_at=old.created_at)
    states = read_states(folder, plan)
    kept = tuple(m.key for m in plan.members if is_kept(folder, plan, m, states[m.key], inputs[m.key]))
    _require_first_year(config, plan, folder, kept)
    return PreparedSweep(project, config, plan, folder, inputs, states, kept, dropped, varied)


def _require_first_year(config: SimulationConfig, plan: SweepPlan, folder: SweepFolder, kept: Sequence[str]) -> None:
    """Refuse years that members cannot have: a database that does not exist yet holds no year to continue from."""
    begins = plan.first_year if config.simulation is None else config.simulation.start_year
    new = [one for one in plan.members if one.key not in kept and not folder.member(one.key).database.exists()]
    if plan.first_year > begins and new:
        raise ConfigurationError(
            f"{plural(len(new), 'member')} of {plan.name} would begin at {plan.first_year} in a database of "
            f"{'its' if len(new) == 1 else 'their'} own, which holds no earlier years.",
            to_fix=f"sweep {begins}-{plan.last_year}",
        )


def run(sweep: PreparedSweep, work: SweepWork, tell: Tell = tell_nobody) -> SweepOutcome:
    """Run the members of a sweep that are not done, gather their results, and bring their runs into the history.

    Raises:
        SweepBusyError: another process runs it.
        SweepError: the scheduler cannot be reached, or was lost.
    """
    elapsed = stopwatch()
    with held(sweep.folder):
        running = _Running(sweep, work, tell)
        running.history.begin(running.states, idle=sweep.idle)
        try:
            running.work()
        finally:
            shutil.rmtree(sweep.folder.shared, ignore_errors=True)
            running.gather()
            running.history.end(running.states, idle=sweep.idle)
            running.teller.end()
        stopped = any(state.status not in ("done", "failed") for state in running.states.values())
        removed = tuple(member.key for member in sweep.dropped)
        return SweepOutcome(
            *(sweep.plan, sweep.folder, running.states, elapsed(), sweep.kept, removed, running.emptied, stopped),
            changed=running.changed(),
        )


@dataclass
class _Running:
    """One run of a sweep, while it is held."""

    sweep: PreparedSweep
    settings: SweepWork
    tell: Tell
    states: dict[str, MemberState] = field(init=False)
    history: SweepHistory = field(init=False)
    teller: SweepTeller = field(init=False)
    runs: dict[str, str] = field(default_factory=dict)
    emptied: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.history = SweepHistory(self.sweep.config, self.sweep.plan)
        folder, plan = self.sweep.folder, self.sweep.plan
        for member in self.sweep.dropped:
            remove_member(folder, member)
        make_folder(folder.results)
        plan.write(folder.plan)
        self.states = dict(self.sweep.states)
        for key in self.sweep.again:  # their rows are old: nobody is to take them for done, whatever ends this run
            self._keep(key, MemberState(hooks=self.states[key].hooks))
        if not self.sweep.idle:
            self.gather()
        kept = [member for member in plan.members if member.key in self.sweep.kept and plan.databases != "all"]
        self.emptied = tuple(member.key for member in kept if folder.member(member.key).database.exists())
        for member in kept:
            remove_database(folder, member)
        self.teller = SweepTeller(folder, len(self.sweep.kept), idle=self.sweep.idle)

    def work(self) -> None:
        """Run what is to be run."""
        tasks = self._tasks()
        if not tasks:
            return
        from orchestrator.scenarios.engine import SweepEngine  # Dask: half a second
        from orchestrator.scenarios.shipping import Shipping

        with self._cluster() as cluster:
            engine = SweepEngine(
                cluster,
                Shipping(cluster, self._bundle),
                workers=min(self.settings.count, len(tasks)),
                retries=self.settings.retries,
                take=self._take,
                tell=self._told,
                stopped=lambda: stop_asked(self.sweep.folder),
            )
            engine.run(tasks)

    def changed(self) -> dict[str, tuple[str, ...]]:
        """Return the files that changed since finished members read them, each with the keys of these members."""
        found: dict[str, tuple[str, ...]] = {}
        for key, state in self.states.items():
            if state.status == "done" and not state.foreign:
                for file in changed_files(self.sweep.folder, key, self.sweep.inputs[key].settings):
                    found[file] = (*found.get(file, ()), key)
        return found

    def gather(self) -> None:
        """Write the database of results."""
        write_results(self.sweep.folder, self.sweep.plan, self.states)

    def _cluster(self) -> AbstractContextManager[Cluster]:
        if self.settings.scheduler is not None:
            return foreign_cluster(self.settings.scheduler)
        to_do = len(self.sweep.plan.members) - len(self.sweep.kept)
        return local_cluster(min(self.settings.count, to_do), dashboard=self.settings.dashboard)

    def _bundle(self) -> Bundle:
        """Pack the project for workers that do not see its folder."""
        sweep = self.sweep
        scenarios = {name: sweep.project.scenario(name) for name in sweep.plan.scenarios}
        members = (m for m in sweep.plan.members if any(isinstance(value, str) for value in m.values.values()))
        named = [of_member(scenarios[m.scenario], m, sweep.folder.member(m.key).database) for m in members]
        return make_bundle([*scenarios.values(), *named])

    def _tasks(self) -> list[MemberTask]:
        sweep, plan = self.sweep, self.sweep.plan
        topic = f"sweep-{uuid4()}"
        replace_file(sweep.folder.topic, topic.encode())
        versions = tuple((name, str(one)) for name, one in installed_versions().items())
        environment = tuple(sent_environment(os.environ).items())
        tasks = []
        for member in plan.members:
            if member.key in sweep.kept:
                continue
            make_folder(sweep.folder.member(member.key).path)
            task = MemberTask(
                plan.name,
                topic,
                member,
                plan.first_year,
                plan.last_year,
                sweep.config.root,
                sweep.project,
                attempt=1,
                keep=plan.keep,
                databases=plan.databases,
                share=self.settings.share,
                varied=sweep.varied,
                fresh=sweep.states[member.key].hooks != sweep.inputs[member.key].hooks,
                versions=versions,
                environment=environment,
            )
            tasks.append(task)
        return tasks

    def _told(self, happening: Happening) -> None:
        if isinstance(happening, MemberReached) and happening.run_id is not None:
            self.runs[happening.key] = happening.run_id
        if isinstance(happening, MemberReached) and happening.year is None:
            self._keep(
                happening.key,
                MemberState(
                    "running",
                    started_at=utc_now().isoformat(),
                    attempts=happening.attempt,
                    hooks=self.sweep.inputs[happening.key].hooks,
                ),
            )
        self.teller(happening)
        self.tell(happening)

    def _take(self, task: MemberTask, report: MemberReport) -> MemberState:
        """Keep what became of a member, and what it left."""
        state, folder = report.state, self.sweep.folder
        run_id = state.run_id or self.runs.pop(task.member.key, None)
        if run_id is not None:
            state = replace(state, run_id=run_id)
            self.history.add_run(run_id)
        state = replace(state, hooks=self.sweep.inputs[task.member.key].hooks)
        databases, last = task.databases, task.attempt > self.settings.retries
        if state.status == "done":
            if databases != "all":
                remove_database(folder, task.member)
            mark = database_mark(folder.member(task.member.key).database)
            state = replace(state, inputs=self.sweep.inputs[task.member.key].digest, database=mark)
        else:
            remove_tables(folder, task.member)
            if state.status == "failed" and databases == "none" and last:
                remove_database(folder, task.member)
        self._keep(task.member.key, state)
        return state

    def _keep(self, key: str, state: MemberState) -> None:
        self.states[key] = state
        try:
            state.write(self.sweep.folder.member(key).state)
        except OSError as error:  # the next call asks the member's own ledger
            logger.warning("What became of member %s could not be written: %s", key, error)
