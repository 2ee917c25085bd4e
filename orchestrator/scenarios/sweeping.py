"""Run a sweep: plan, members, results, history."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from uuid import uuid4

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import stopwatch
from orchestrator.core.errors import SweepError
from orchestrator.core.permissions import make_folder
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.scenarios.cluster import Cluster, foreign_cluster, local_cluster, require_extra
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.happenings import Tell, tell_nobody
from orchestrator.scenarios.holding import held, stop_asked
from orchestrator.scenarios.plan import Member, SweepPlan
from orchestrator.scenarios.planning import SweepRequest, make_plan, require_members_fit
from orchestrator.scenarios.project import SweptProject
from orchestrator.scenarios.results_database import write_results
from orchestrator.scenarios.state import MemberState
from orchestrator.scenarios.tables import remove_tables
from orchestrator.scenarios.task import MemberReport, MemberTask

RETRIES = 1

FactsOf = Callable[[SimulationConfig], ProjectFacts]


@dataclass(frozen=True)
class SweepWork:
    """How a sweep is worked off: ``workers`` None is one for each core, ``scheduler`` None are workers of our own."""

    workers: int | None = None
    scheduler: str | None = None
    retries: int = RETRIES
    dashboard: bool = False

    @property
    def count(self) -> int:
        """How many workers of our own there are."""
        return self.workers or os.cpu_count() or 1


@dataclass(frozen=True)
class SweepOutcome:
    """What became of a sweep: the state of each member by key, in the order of the plan.

    ``kept`` are the members that were finished before, ``stopped`` tells that somebody stopped it.
    """

    plan: SweepPlan
    folder: SweepFolder
    states: dict[str, MemberState]
    seconds: float
    kept: tuple[str, ...] = ()
    stopped: bool = False

    @property
    def failed(self) -> tuple[str, ...]:
        """The members that failed."""
        return tuple(key for key, state in self.states.items() if state.status == "failed")

    @property
    def done(self) -> tuple[str, ...]:
        """The members that are done."""
        return tuple(key for key, state in self.states.items() if state.status == "done")


@dataclass(frozen=True)
class PreparedSweep:
    """A sweep whose plan is made and checked; nothing is written yet. ``dropped`` are members of an older plan."""

    project: SweptProject
    config: SimulationConfig
    plan: SweepPlan
    folder: SweepFolder
    dropped: tuple[Member, ...] = ()


def prepare(project: SweptProject, request: SweepRequest, facts_of: FactsOf) -> PreparedSweep:
    """Make the plan of a sweep and check every member of it.

    Raises:
        ConfigurationError: what is asked for is wrong.
        MissingExtraError: Dask is not installed.
    """
    require_extra()
    config = project.base()
    plan = make_plan(project, config, request)
    folder = SweepFolder.of(config.root, plan.name)
    require_members_fit(project, plan, folder, facts_of(config))
    old = _old_plan(folder)
    now = {member.key for member in plan.members}
    dropped = () if old is None else tuple(member for member in old.members if member.key not in now)
    if old is not None and old.members == plan.members:
        plan = replace(plan, created_at=old.created_at)
    return PreparedSweep(project, config, plan, folder, dropped)


def run(sweep: PreparedSweep, work: SweepWork, tell: Tell = tell_nobody) -> SweepOutcome:
    """Run the members of a sweep that are not done, gather their results, and bring their runs into the history.

    Raises:
        SweepBusyError: another process runs it.
        SweepError: the scheduler cannot be reached, or was lost.
    """
    elapsed = stopwatch()
    with held(sweep.folder):
        running = _Running(sweep, work, tell)
        try:
            running.work()
        finally:
            running.gather()
        return SweepOutcome(
            sweep.plan, sweep.folder, running.states, elapsed(), running.kept, stopped=stop_asked(sweep.folder)
        )


class _Running:
    """One run of a sweep, while it is held."""

    def __init__(self, sweep: PreparedSweep, work: SweepWork, tell: Tell) -> None:
        self._sweep = sweep
        self._work = work
        self._tell = tell
        self.kept: tuple[str, ...] = ()
        folder, plan = sweep.folder, sweep.plan
        for member in sweep.dropped:
            remove_member(folder, member)
        make_folder(folder.results)
        plan.write(folder.plan)
        self.states = {member.key: MemberState.read(folder.member(member.key).state) for member in plan.members}

    def work(self) -> None:
        """Run what is to be run."""
        from orchestrator.scenarios.engine import SweepEngine  # Dask: half a second

        tasks = self._tasks()
        if not tasks:
            return
        with self._cluster() as cluster:
            engine = SweepEngine(
                cluster,
                workers=self._work.count,
                retries=self._work.retries,
                take=self._take,
                tell=self._tell,
                stopped=lambda: stop_asked(self._sweep.folder),
            )
            engine.run(tasks)

    def gather(self) -> None:
        """Write the database of results."""
        write_results(self._sweep.folder, self._sweep.plan, self.states)

    def _cluster(self) -> AbstractContextManager[Cluster]:
        if self._work.scheduler is not None:
            return foreign_cluster(self._work.scheduler)
        return local_cluster(self._work.count, dashboard=self._work.dashboard)

    def _tasks(self) -> Sequence[MemberTask]:
        sweep, plan = self._sweep, self._sweep.plan
        topic = f"sweep-{uuid4()}"
        tasks = []
        for member in plan.members:
            folder = sweep.folder.member(member.key)
            make_folder(folder.path)
            tasks.append(
                MemberTask(
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
                )
            )
        return tasks

    def _take(self, task: MemberTask, report: MemberReport) -> MemberState:
        """Keep what became of a member."""
        state = report.state
        if state.status == "failed":
            remove_tables(self._sweep.folder, task.member)
        self.states[task.member.key] = state
        state.write(self._sweep.folder.member(task.member.key).state)
        return state


def remove_member(folder: SweepFolder, member: Member) -> None:
    """Remove all that there is of a member."""
    remove_tables(folder, member)
    shutil.rmtree(folder.member(member.key).path, ignore_errors=True)


def _old_plan(folder: SweepFolder) -> SweepPlan | None:
    """Return the plan that is there, None where there is none.

    Raises:
        SweepError: it cannot be read.
    """
    if not folder.plan.exists():
        return None
    try:
        return SweepPlan.read(folder.plan)
    except (OSError, ValueError) as error:
        raise SweepError(
            f"The plan {folder.plan} of the sweep cannot be read: {error}.",
            to_fix=f"`orchestrator sweep delete {folder.path.name}` removes the sweep, or choose another name (--name)",
        ) from error
