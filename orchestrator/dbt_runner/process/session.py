"""One dbt project inside the dbt process: parsed once, invoked many times."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from dbt.adapters.factory import get_adapter_by_type
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.results import RunExecutionResult
from dbt_common.events.base_types import EventMsg

from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.errors import DbtProjectError, NothingSelectedError
from orchestrator.core.events import DbtReady, Emit, SwitchesIgnored
from orchestrator.core.permissions import decide
from orchestrator.dbt_runner.adapter.answers import command_error, compiled_sql, node_result
from orchestrator.dbt_runner.adapter.database import ProjectDatabase
from orchestrator.dbt_runner.adapter.dbt_command import DbtCommand
from orchestrator.dbt_runner.adapter.dbt_events import DbtEvents
from orchestrator.dbt_runner.adapter.hooks_as_models import TAG, HooksAsModels, without_first_hooks
from orchestrator.dbt_runner.adapter.switches import unheeded_switches
from orchestrator.dbt_runner.adapter.template_shortcuts import save_templates
from orchestrator.dbt_runner.process.cache_folder import CacheFolder
from orchestrator.dbt_runner.process.described import Describer
from orchestrator.dbt_runner.process.parse_in_use import ParseInUse, blocker, years_blocker
from orchestrator.dbt_runner.process.parses import Parses, changed_variables
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts, ProjectShape
from orchestrator.dbt_runner.project.kept_parse import recordings_path
from orchestrator.dbt_runner.project.loaded import Loaded
from orchestrator.dbt_runner.project.results import DbtResult, NodeResult, moved
from orchestrator.dbt_runner.project.selection import ExactSelectors
from orchestrator.dbt_runner.project.settings import CreateEmpty, DbtSettings, Invoke, Select, Vars
from orchestrator.dbt_runner.project.study import ProjectStudy
from orchestrator.dbt_runner.project.studying import study_project
from orchestrator.dbt_runner.replay.compiled_sql import KnownSql
from orchestrator.dbt_runner.replay.kept_recordings import KeptRecordings
from orchestrator.dbt_runner.replay.node_sql import joined
from orchestrator.dbt_runner.replay.replayer import Aside, Replayer

TYPES_OF = {
    "run": ("model",),
    "seed": ("seed",),
    "test": ("test", "unit_test"),
    "build": ("model", "seed", "snapshot", "function", "test", "unit_test"),
}


@dataclass(frozen=True)
class ReplayMemory:
    """Recordings, and SQL that is known, of a parse of a project of this shape."""

    shape: ProjectShape
    kept: KeptRecordings
    known: KnownSql


class DbtSession:
    """The dbt side of the process border; every method runs in the main thread of the dbt process.

    ``aside`` runs a function beside the main thread, which alone gets signals. ``before`` is the session that this
    process had until now, closed: its parse and its recordings serve this one as far as they provably may.
    """

    def __init__(self, settings: DbtSettings, emit: Emit, aside: Aside, before: DbtSession | None = None) -> None:
        decide([settings.cache_dir], by_umask=settings.by_umask)
        self._cache = CacheFolder(settings, emit)
        self._settings = settings = self._cache.settings
        self._emit = emit
        self._on_event = DbtEvents(emit)
        self._dbt = DbtCommand(settings, self._cache.target, self._on_event)
        parses: Parses | None = None if before is None else before._parses
        self._parses: Parses = Parses(self._cache, self._dbt, self._on_event, emit, parses)
        self._memories: dict[str, ReplayMemory] = {} if before is None else before._memories
        self._vars_before = None if before is None else before._settings.vars
        self._database: ProjectDatabase | None = None
        self._aside = aside
        self._replayers: dict[str, Replayer] = {}

    def load(self) -> Loaded:
        """Parse the project, or take what was kept of it; see :meth:`Parses.load`."""
        elapsed = stopwatch()
        ignored = unheeded_switches()
        if ignored:
            self._emit(SwitchesIgnored(at=utc_now(), names=ignored))
        facts, inputs = self._parses.load()
        self._database = ProjectDatabase(facts)
        self._emit(DbtReady(at=utc_now(), seconds=elapsed(), nodes=len(facts.nodes), adapter=facts.adapter))
        return Loaded(facts, inputs)

    def invoke(self, request: Invoke) -> DbtResult:
        """Run one dbt command and return what its own results say.

        Raises:
            NothingSelectedError: no node, or not every node that was named, was selected.
            DbtError: dbt failed before it had results.
        """
        elapsed = stopwatch()
        self.database.open()
        unfit = self._not_replayed(request) if request.replay else None
        if request.replay and unfit is None:
            replayer = self._replayer_of(self._serving(request), tests=_concerns_tests(request.command, request.select))
            nodes, replayed = self._replayed(request, replayer)
            unfit = None if replayed else replayer.reason
        else:
            nodes, replayed = tuple(result for result, _ in self._run(request)), False
        served = self._serving(request).facts
        places = moved(self.facts, served, nodes) if served is not self._parses.first.facts else ()
        return DbtResult(request.command, nodes, elapsed(), replayed, unfit, places)

    def _not_replayed(self, request: Invoke) -> str | None:
        """Say why a stage is parsed again for each year, and not replayed; None where it may be."""
        reason = years_blocker(self.facts, tests=_concerns_tests(request.command, request.select))
        return None if reason is None else f"the project is parsed again for it: {reason}"

    def _serving(self, request: Invoke | Select) -> ParseInUse:
        return self._parses.serving(request.vars, tests=_concerns_tests(request.command, request.select))

    def _replayed(self, request: Invoke, replayer: Replayer) -> tuple[tuple[NodeResult, ...], bool]:
        """Run a stage from its recording as far as that goes, else by dbt, and then put it on recording."""
        replayed = replayer.replay(request)
        if replayed is None:
            before = replayer.look()
            with self._on_event.recorded() as sent:
                results = self._run(request)
            replayer.keep(request, before, sent, results)
            return tuple(result for result, _ in results), False
        if not replayed.left:
            return replayed.nodes, not replayed.by_dbt
        rest = replace(request, select=(), nodes=replayed.left)
        return (*replayed.nodes, *(result for result, _ in self._run(rest, begun=replayed.begun))), False

    def _run_nodes(self, request: Invoke, unique_ids: tuple[str, ...]) -> tuple[NodeResult, ...]:
        return tuple(result for result, _ in self._run(replace(request, select=(), nodes=unique_ids)))

    def _run(self, request: Invoke, *, begun: bool = False) -> list[tuple[NodeResult, str]]:
        """Run one dbt command; return the outcome and the compiled SQL of each node, as they were done.

        One that is ``begun`` leaves out the hooks that come first.
        """
        args = [request.command, *self._selection(request)]
        if request.full_refresh:
            args.append("--full-refresh")
        if request.nodes and request.command == "build":
            args += ["--indirect-selection", "empty"]  # those nodes, and none of their tests
        causes = self._on_event.causes
        causes.clear()
        manifest = self._serving(request).served.copies.another()
        answer = self._dbt.call(args, request.vars, without_first_hooks(manifest) if begun else manifest)
        if not isinstance(answer.result, RunExecutionResult):
            hooks = any("on-run-start" in hook.tags for hook in self.facts.run_hooks) and not begun
            raise command_error(answer, f"dbt {request.command}", self._settings, self._path, runs_hooks=hooks)
        results = [
            (node_result(one, causes.get(one.node.unique_id, ())), compiled_sql(one)) for one in answer.result.results
        ]
        if not any(node.failed for node, _ in results):
            self._compare(request, {node.unique_id for node, _ in results})
        return results

    def _compile(
        self, parse: ParseInUse, nodes: Sequence[NodeFacts], variables: Vars, *, tests: bool
    ) -> dict[str, str] | None:
        """Return the compiled SQL of these nodes by unique id, None when dbt cannot compile them in this parse."""
        if blocker(parse, variables, self._settings.year_vars, tests=tests) is not None:
            return None
        manifest = parse.served.copies.another()
        hooks = HooksAsModels(manifest, [node.unique_id for node in nodes])
        chosen = [self._selectors.of(node) for node in nodes if node.unique_id not in hooks.queries()]
        chosen += [f"tag:{TAG}"] if hooks else []
        selection = ["--select", *chosen, "--indirect-selection", "empty"]
        answer = self._dbt.call(["compile", *selection], variables, manifest, on_event=self._warn)
        if not isinstance(answer.result, RunExecutionResult) or not answer.success:
            return None
        compiled = {one.node.unique_id: compiled_sql(one) for one in answer.result.results}
        return _with_hooks([node.unique_id for node in nodes], compiled, hooks)

    def _warn(self, message: EventMsg) -> None:
        """Pass on what a command that nobody asked for warns of."""
        if str(message.info.level) == "warn":
            self._on_event(message)

    def _replayer_of(self, parse: ParseInUse, *, tests: bool) -> Replayer:
        """Return what replays stages of a parse; recordings of a parse serve that alone."""
        if parse.digest not in self._replayers:
            memory = self._memory_of(parse)
            self._replayers[parse.digest] = Replayer(
                parse.facts,
                self.database,
                self._settings.year_vars,
                lambda nodes, variables: self._compile(parse, nodes, variables, tests=tests),
                self._run_nodes,
                self._aside,
                memory.kept,
                memory.known,
                lambda name, unique_id: unique_id in parse.served.reach(name).printed_by,
                int(get_adapter_by_type(parse.facts.adapter).config.threads),
                self._emit,
            )
        return self._replayers[parse.digest]

    def _memory_of(self, parse: ParseInUse) -> ReplayMemory:
        """Go on with what the session before knew, where it had this very parse; else begin with what was kept."""
        memory, before = self._memories.get(parse.digest), self._vars_before
        if memory is None or memory.shape != parse.facts.shape:
            path = recordings_path(self._settings, self._parses.number(parse))
            kept = KeptRecordings(parse.facts, path, parse.digest)
            memory = self._memories[parse.digest] = ReplayMemory(parse.facts.shape, kept, KnownSql())
        elif before is not None:
            memory.known.varied |= changed_variables(before, self._settings.vars) - self._settings.year_vars
        return memory

    def select(self, request: Select) -> tuple[str, ...]:
        """Return the unique ids that a command with this selection would touch, in dbt's order."""
        args = ["ls", "--output", "json", "--output-keys", "unique_id", "--quiet"]
        for resource_type in TYPES_OF[request.command]:
            args += ["--resource-type", resource_type]
        if request.select:
            args += ["--select", *request.select]
        answer = self._dbt.call(args, request.vars, self._serving(request).served.copies.another())
        if not isinstance(answer.result, list):
            raise command_error(answer, "dbt ls", self._settings, self._path)
        return tuple(json.loads(line)["unique_id"] for line in answer.result)

    def study(self) -> ProjectStudy:
        """Return which variables the project's templates read, and what for."""
        return study_project(self._parses.first.served.project, self._settings.project_dir)

    def create_empty(self, request: CreateEmpty) -> None:
        """Create a model's table without rows, by its contract, else by what its compiled SQL gives."""
        node = self._parses.node(request.unique_id)
        known = self._known(request.unique_id)
        if known.typed_by_contract or self.facts.capabilities.describe_sql is None:
            self.database.create_empty(node)
            return
        catalog = self.database.catalog()
        describer = Describer(
            self.facts,
            self._compile_before_years,
            lambda one: self._parses.first.served.project.names_in_sql(one),
            lambda one: catalog.get(one.relation) is not None,
            self.database.described,
        )
        self.database.create_empty(node, describer.columns(known))

    def _compile_before_years(self, nodes: list[NodeFacts]) -> dict[str, str]:
        """Return the compiled SQL of these nodes, as they are in the first year.

        Raises:
            DbtError: dbt cannot compile one of them.
        """
        variables = self._settings.vars
        selection = ["--select", *map(self._selectors.of, nodes), "--indirect-selection", "empty"]
        manifest = self._parses.first.served.copies.another()
        answer = self._dbt.call(["compile", *selection], variables, manifest, on_event=self._warn)
        if not isinstance(answer.result, RunExecutionResult) or not answer.success:
            raise command_error(answer, "dbt compile", self._settings, self._path)
        return {one.node.unique_id: compiled_sql(one) for one in answer.result.results}

    @cached_property
    def _selectors(self) -> ExactSelectors:
        manifest = self.parsed
        return ExactSelectors(
            one.fqn for part in (manifest.nodes, manifest.unit_tests, manifest.functions) for one in part.values()
        )

    def close(self) -> None:
        """Release the database and remove this session's own folder."""
        if self._database is not None:
            self._database.release()
        for replayer in self._replayers.values():
            with self._cache.going_without():
                replayer.save()
        save_templates()
        self._cache.remove_target()

    @property
    def database(self) -> ProjectDatabase:
        """Return the project's database."""
        if self._database is None:
            raise DbtProjectError("The dbt project was not loaded.")
        return self._database

    @property
    def facts(self) -> ProjectFacts:
        """Return what :meth:`load` found."""
        return self._parses.facts

    @property
    def parsed(self) -> Manifest:
        """Return the first parse, to look at."""
        return self._parses.first.served.project.manifest

    @property
    def _path(self) -> Path | None:
        return self.facts.database_path

    def _selection(self, request: Invoke) -> list[str]:
        if not request.nodes:
            return ["--select", *request.select] if request.select else []
        return ["--select", *(self._selectors.of(self._known(unique_id)) for unique_id in request.nodes)]

    def _known(self, unique_id: str) -> NodeFacts:
        node = self.facts.node(unique_id)
        if node is None:
            raise NothingSelectedError(f"The dbt project has no node {unique_id}.")
        return node

    def _compare(self, request: Invoke, ran: set[str]) -> None:
        missing = [self._known(unique_id).name for unique_id in request.nodes if unique_id not in ran]
        if missing:
            raise NothingSelectedError(
                f"dbt {request.command} did not run {', '.join(missing)}, though it was asked to."
            )
        if not ran:
            chosen = " ".join(request.select) or "everything"
            raise NothingSelectedError(
                f"dbt {request.command} --select {chosen} matched no node of {self._settings.project_dir}.",
                to_fix="correct the selector in the configuration (`orchestrator plan` lists what each one matches)",
            )


def _with_hooks(unique_ids: Sequence[str], compiled: Mapping[str, str], hooks: HooksAsModels) -> dict[str, str] | None:
    """Return the SQL of each node and of its hooks, None where there is none of one of them."""
    found: dict[str, str] = {}
    for unique_id in unique_ids:
        texts = hooks.hooks(unique_id, compiled)
        if texts is None:
            return None
        if unique_id in hooks.queries():
            found[unique_id] = texts[0].strip()
        elif unique_id in compiled:
            found[unique_id] = joined(compiled[unique_id], texts)
    return found


def _concerns_tests(command: str, select: Sequence[str]) -> bool:
    """Tell whether a command runs tests, or may select nodes by them: their parents, or what a file says."""
    by_graph = any(mark in text for text in select for mark in ("+", "@", "selector:", "--selector"))
    return command not in ("run", "seed") or by_graph
