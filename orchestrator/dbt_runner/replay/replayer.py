"""Repeat a stage for another year without dbt's work: compile what the year reaches, and send what dbt sent.

dbt runs a stage as ever and its statements are kept (:mod:`orchestrator.dbt_runner.replay.recording`). In a later
year, or a later run, ``dbt compile`` gives the SQL of that year, and the statements are sent again with it. That is
done only where :mod:`orchestrator.dbt_runner.project.replay_proof` allows it and the database looks as it did before
the stage was recorded. Whatever does not fit, and whatever fails, is left to dbt, from that node on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import DbtError
from orchestrator.core.events import Emit, ReplayDeclined
from orchestrator.database.catalog import Catalog
from orchestrator.database.names import RelationName
from orchestrator.dbt_runner.adapter.database import ProjectDatabase
from orchestrator.dbt_runner.adapter.statements import SentStatements
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.results import NOTHING_FITS, NodeResult
from orchestrator.dbt_runner.project.settings import Invoke
from orchestrator.dbt_runner.replay.compiled_sql import Compile, CompiledSql, KnownSql, Prints
from orchestrator.dbt_runner.replay.database_state import DatabaseState
from orchestrator.dbt_runner.replay.kept_recordings import KeptRecordings, Key
from orchestrator.dbt_runner.replay.node_sql import joined
from orchestrator.dbt_runner.replay.recording import RecordedNode, Recording
from orchestrator.dbt_runner.replay.sending import ReplayResult, columns_of, send, waits_for

CLEAN = ("success", "pass")
RUN_START = "on-run-start"
OUTER_SELECTORS = ("state:", "result:", "source_status:", "selector:")
"""Selector methods whose result depends on other files than those that a recording is compared with."""
RunNodes = Callable[[Invoke, tuple[str, ...]], tuple[NodeResult, ...]]
Aside = Callable[[Callable[[], ReplayResult], Callable[[], None]], ReplayResult]


class Replayer:
    """Records and replays the stages of one dbt process.

    ``compile_nodes`` gives the compiled SQL of nodes for some vars, None when dbt cannot; ``prints`` tells whether a
    variable is only printed by a node; ``run_nodes`` lets dbt run some nodes of a request. ``aside`` runs its first
    argument beside the main thread, which alone gets signals, and the second one meanwhile in the main thread.
    ``threads`` is how many nodes are sent at a time. ``reason`` says why the last stage, or a part of it, was left to
    dbt.
    """

    def __init__(
        self,
        facts: ProjectFacts,
        database: ProjectDatabase,
        year_vars: frozenset[str],
        compile_nodes: Compile,
        run_nodes: RunNodes,
        aside: Aside,
        kept: KeptRecordings,
        known: KnownSql,
        prints: Prints,
        threads: int,
        emit: Emit,
    ) -> None:
        self._facts = facts
        self._database = database
        self._year_vars = year_vars
        self._run_nodes = run_nodes
        self._aside = aside
        self._kept = kept
        self._threads = threads
        self._emit = emit
        self._compiled = CompiledSql(facts, kept, year_vars, compile_nodes, prints, self.look, known)
        self._declined: set[str] = set()
        self._unrecorded: dict[Key, str] = {}
        self.reason: str | None = None

    def look(self) -> DatabaseState:
        """Return what the database holds, before a stage is recorded or replayed."""
        return DatabaseState.of(self._database, self._facts.capabilities)

    def keep(
        self, request: Invoke, before: DatabaseState, sent: SentStatements, results: Iterable[tuple[NodeResult, str]]
    ) -> None:
        """Record what dbt sent for a stage that it ran; ``results`` are (outcome, compiled SQL), parents first."""
        recording = self._recording(request, before, sent, results)
        if isinstance(recording, Recording):
            self._kept.put(_key(request), recording)
            self._unrecorded.pop(_key(request), None)
        else:
            self._unrecorded[_key(request)] = recording
            self._decline(recording)

    def _recording(
        self, request: Invoke, before: DatabaseState, sent: SentStatements, results: Iterable[tuple[NodeResult, str]]
    ) -> Recording | str:
        """Return the recording of a stage, or the reason why there is none."""
        outer = [text for text in request.select if _goes_beyond_the_project(text)]
        if outer:
            return f"what {outer[0]} selects does not depend on the project alone"
        if self._facts.replay_blocker is not None:
            return self._facts.replay_blocker
        words = self._words(request)
        recorded: list[RecordedNode] = []
        hooks: list[RecordedNode] = []
        reasons: dict[str, str] = {}
        for result, compiled in results:
            if result.status not in CLEAN:
                return f"{result.name} did not succeed without a warning"
            one = self._recorded(result, compiled, sent, words)
            if isinstance(one, RecordedNode):
                (hooks if one.is_run_hook else recorded).append(one)
            else:
                reasons[result.unique_id] = one
        by_dbt = self._with_parents(reasons, [one.result.unique_id for one in recorded])
        recorded = [one for one in recorded if one.result.unique_id not in by_dbt]
        alone = not request.nodes or not recorded or bool(hooks)
        if reasons and (alone or any(map(self._changes_others, reasons))):
            return next(iter(reasons.values()))
        relations = [one.relation for one in recorded if one.relation is not None]
        if before.unusual_for(relations):
            return "tables of the stage have foreign keys, or leftovers of dbt"
        try:
            nodes = self._with_columns(recorded, before.catalog)
            changed = self._other_columns(recorded, before.catalog)
        except DbtError as error:  # what a query reads may be gone, or other than it was, once the stage is over
            return f"the columns of its queries could not be determined: {error}"
        if changed is not None:
            return f"the query of {changed} gave other columns or types than its table had"
        found = tuple((name, before.catalog.get(name)) for name in relations)
        nodes, first, last = (
            tuple(replace(one, key=self._compiled.key(one.result.unique_id, request.vars)) for one in part)
            for part in (nodes, *self._by_place(hooks))
        )
        recording = Recording(nodes, found, by_dbt, self._indexes(recorded, before), first, last)
        return before.unfit(recording) or recording

    def _by_place(self, hooks: Sequence[RecordedNode]) -> tuple[list[RecordedNode], list[RecordedNode]]:
        """Return the hooks that come first, and those that come last."""
        known = {one.unique_id for one in self._facts.run_hooks if RUN_START in one.tags}
        first = [one for one in hooks if one.result.unique_id in known]
        return first, [one for one in hooks if one not in first]

    def _indexes(
        self, recorded: Sequence[RecordedNode], before: DatabaseState
    ) -> tuple[tuple[RelationName, tuple[str, ...]], ...]:
        """Return the indexes of all relations that dbt makes anew: it drops those first. Rows are added to the rest."""
        found = []
        for one in recorded:
            node = self._facts.node(one.result.unique_id)
            if node is None or one.relation is None:
                continue
            there = before.catalog.get(one.relation)
            if node.materialized != "incremental" or there is None or there.kind != "table":
                found.append((one.relation, tuple(before.indexes.get(one.relation, ()))))
        return tuple(found)

    def _words(self, request: Invoke) -> list[str]:
        return [str(request.vars.get(name)) for name in self._year_vars]

    def _recorded(
        self, result: NodeResult, compiled: str, sent: SentStatements, words: Sequence[str]
    ) -> RecordedNode | str:
        """Return what to keep of a node, or the reason why it cannot be replayed."""
        node = self._facts.node(result.unique_id)
        if node is None:
            return f"{result.unique_id} is neither a model nor a data test nor a hook"
        if node.replay_blocker is not None:
            return node.replay_blocker
        if result.unique_id in sent.compiling:
            return f"{result.name} queries the database while it is compiled"
        if result.unique_id in sent.warned or "" in sent.warned:
            return f"{result.name}: dbt warns when it runs it"
        relation = node.relation if node.resource_type == "model" else None
        sql = joined(compiled, sent.hooks.get(result.unique_id, ()))
        one = RecordedNode(result, relation, sql, tuple(sent.statements.get(result.unique_id, ())))
        doubt = one.doubt(words)
        return one if doubt is None else f"{result.name}: {doubt}"

    def _changes_others(self, unique_id: str) -> bool:
        node = self._facts.node(unique_id)
        return node is not None and node.changes_others

    def _with_parents(self, unique_ids: Iterable[str], others: Sequence[str]) -> tuple[str, ...]:
        """Return these nodes and those of the others that they need."""
        needed = [*unique_ids]
        above = self._facts.ancestors(needed)
        return (*needed, *(other for other in others if other in above))

    def replay(self, request: Invoke) -> ReplayResult | None:
        """Run a stage from its recording; None when there is none, or the database looks otherwise than it did.

        The SQL of ``request.next_vars`` is compiled meanwhile.
        """
        self.reason = None
        now = self.look()
        recording = self._kept.find(_key(request), now.fit)
        if recording is None:
            self.reason = self._unrecorded.get(_key(request), NOTHING_FITS)
            return None
        compiled = self._compiled.of(recording, request.vars, now)
        if compiled is None:
            self._decline("dbt cannot compile it beforehand")
            return None
        unfit = recording.unfit(compiled)
        if unfit is not None:
            self._decline(unfit)
            return None
        try:
            self._database.create_schemas(self._new(recording, now))
        except DbtError as error:
            self._decline(f"a schema cannot be made: {error}")
            return None
        first = self._run_nodes(request, recording.by_dbt) if recording.by_dbt else ()
        if any(result.status not in CLEAN for result in first):
            return self._stopped(recording, first)
        order = waits_for(recording, self._facts, tests_first=request.command == "build")

        def work() -> ReplayResult:
            with self._database.cursors_apart(self._threads) as cursors:
                return send(recording, compiled, now.catalog, order, cursors, self._emit)

        replayed = self._aside(work, lambda: self._compiled.ahead(request.vars, request.next_vars, now))
        if replayed.reason is not None:
            self._decline(replayed.reason)
        if not replayed.left and not self._kept.of_this_parse(recording):
            keys = {unique_id: self._compiled.key(unique_id, request.vars) for unique_id in compiled}
            self._put_with_sql(request, recording.with_sql(compiled, keys))
        return replace(replayed, nodes=(*first, *replayed.nodes), by_dbt=bool(first))

    def _new(self, recording: Recording, now: DatabaseState) -> list[NodeFacts]:
        """Return the nodes of a recording whose relations are not there."""
        new = [one for one in recording.nodes if one.relation is not None and now.catalog.get(one.relation) is None]
        found = [self._facts.node(one.result.unique_id) for one in new]
        return [node for node in found if node is not None]

    def _put_with_sql(self, request: Invoke, recording: Recording) -> None:
        """Keep a recording with the SQL of this parse, where that too stands once and for itself in each statement."""
        words = self._words(request)
        if not any(one.doubt(words) for one in recording.parts):
            self._kept.put(_key(request), recording)

    def _stopped(self, recording: Recording, first: Sequence[NodeResult]) -> ReplayResult:
        """Leave to dbt what does not need the nodes that failed, and skip the rest, as dbt does."""
        below = self._facts.descendants(result.unique_id for result in first if result.status not in CLEAN)
        nodes = [one.result for one in recording.nodes]
        skipped = [replace(node, status="skipped", seconds=0.0) for node in nodes if node.unique_id in below]
        left = tuple(node.unique_id for node in nodes if node.unique_id not in below)
        return ReplayResult((*first, *skipped), left, by_dbt=True)

    def save(self) -> None:
        """Keep the recordings for later runs."""
        self._kept.save(self._compiled.with_printed)

    def _decline(self, reason: str) -> None:
        self.reason = reason
        if reason not in self._declined:
            self._declined.add(reason)
            self._emit(ReplayDeclined(at=utc_now(), reason=reason))

    def _other_columns(self, recorded: Sequence[RecordedNode], before: Catalog) -> str | None:
        """Return which incremental model gave other columns than its table had: dbt's statements go by these."""
        with self._database.cursor() as cursor:
            for one in recorded:
                there = before.get(one.relation) if one.relation is not None else None
                node = self._facts.node(one.result.unique_id)
                if there is None or node is None or node.materialized != "incremental":
                    continue
                if sorted(columns_of(cursor, f"({one.query}\n)")) != sorted(there.columns):
                    return one.result.name
        return None

    def _with_columns(self, recorded: Sequence[RecordedNode], before: Catalog) -> tuple[RecordedNode, ...]:
        """Add the columns of the queries whose relations were not there before: nothing else tells them."""
        with self._database.cursor() as cursor:
            return tuple(
                replace(one, columns=columns_of(cursor, f"({one.query}\n)"))
                if one.relation is not None and before.get(one.relation) is None
                else one
                for one in recorded
            )


def _goes_beyond_the_project(selection: str) -> bool:
    """Tell whether it holds a flag of dbt, which its ``run`` heeds and its ``compile`` does not, or other files."""
    return selection.startswith("-") or any(word in selection for word in OUTER_SELECTORS)


def _key(request: Invoke) -> Key:
    return request.command, request.select, request.nodes
