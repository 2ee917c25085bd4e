"""Repeat a stage for another year without dbt's work: compile what the year reaches, and send what dbt sent.

dbt runs a stage as ever and its statements are kept on a :class:`~orchestrator.dbt_runner.tape.Tape`. In a later year
``dbt compile`` gives the SQL of that year, and the statements are sent again with it. That is done only where
:mod:`orchestrator.dbt_runner.replay_proof` allows it and the database looks as it did before the stage was taped.
Whatever does not fit, and whatever fails, is left to dbt, from that node on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.dbt_runner.catalog import Catalog, RelationName
from orchestrator.dbt_runner.database import Cursor, ProjectDatabase
from orchestrator.dbt_runner.project import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.replay_proof import ReplayProof
from orchestrator.dbt_runner.results import NodeResult
from orchestrator.dbt_runner.settings import Invoke, Vars
from orchestrator.dbt_runner.tape import Sent, Tape, TapedNode
from orchestrator.events import CommandStarted, Emit, NodeFinished, NodeStarted, ReplayDeclined
from orchestrator.exceptions import DbtError
from orchestrator.timing import stopwatch, utc_now

CLEAN = ("success", "pass")
# Tables with an index, those with leftovers of dbt, and an empty name where there is any foreign key.
UNUSUAL_SQL = """
select database_name, schema_name, table_name from duckdb_indexes()
union all
select database_name, schema_name, regexp_replace(table_name, '__dbt_(tmp|backup).*', '')
from duckdb_tables() where not temporary and table_name similar to '.*__dbt_(tmp|backup).*'
union all
select database_name, schema_name, regexp_replace(view_name, '__dbt_(tmp|backup).*', '')
from duckdb_views() where not temporary and view_name similar to '.*__dbt_(tmp|backup).*'
union all
select distinct '', '', '' from duckdb_constraints() where constraint_type = 'FOREIGN KEY'
"""

Compile = Callable[[Sequence[NodeFacts], Vars], dict[str, str] | None]


@dataclass(frozen=True)
class Repeated:
    """The outcome of a replay: what ran, and the unique ids that are left to dbt."""

    nodes: tuple[NodeResult, ...]
    left: tuple[str, ...]


@dataclass(frozen=True)
class Surroundings:
    """The relations of the database, and the names of those for which dbt sends more than usual."""

    catalog: Catalog
    unusual: frozenset[RelationName]

    def unusual_for(self, relations: Iterable[RelationName]) -> bool:
        """Tell whether dbt would look after indexes, foreign keys or leftovers of one of these."""
        return RelationName("", "", "") in self.unusual or not self.unusual.isdisjoint(relations)

    def fit(self, tape: Tape) -> bool:
        """Tell whether the relations of a tape are as they were before it was recorded."""
        same = all(self.catalog.get(name) == relation for name, relation in tape.before.items())
        return same and not self.unusual_for(tape.before)


class Replayer:
    """The tapes of one dbt process, by command and selection.

    ``compile_nodes`` gives the compiled SQL of nodes for some vars, None when dbt cannot; ``aside`` runs a function
    beside the main thread, which alone gets signals.
    """

    def __init__(
        self,
        facts: ProjectFacts,
        database: ProjectDatabase,
        proof: Callable[[], ReplayProof],
        year_vars: frozenset[str],
        compile_nodes: Compile,
        aside: Callable[[Callable[[], Repeated]], Repeated],
        emit: Emit,
    ) -> None:
        self._facts = facts
        self._database = database
        self._find_proof = proof
        self._proof: ReplayProof | None = None
        self._year_vars = year_vars
        self._compile = compile_nodes
        self._aside = aside
        self._emit = emit
        self._tapes: dict[tuple[str, tuple[str, ...]], Tape] = {}
        self._compiled: tuple[Vars, dict[str, str]] = ({}, {})
        self._declined: set[str] = set()

    def look(self) -> Surroundings:
        """Return what the database holds, before a stage is taped or replayed."""
        rows = self._database.query(UNUSUAL_SQL)
        unusual = frozenset(RelationName.of(str(database), str(schema), str(name)) for database, schema, name in rows)
        return Surroundings(self._database.catalog(), unusual)

    def keep(
        self, request: Invoke, before: Surroundings, sent: Sent, results: Iterable[tuple[NodeResult, str]]
    ) -> None:
        """Put on tape what dbt sent for a stage that it ran; ``results`` are (outcome, compiled SQL), parents first."""
        key = (request.command, request.select)
        self._tapes.pop(key, None)
        if self._proof is None:
            self._proof = self._find_proof()
        words = [str(request.vars.get(name)) for name in self._year_vars]
        taped = []
        for result, compiled in results:
            node = self._facts.node(result.unique_id)
            reason = self._proof.blocker(result.unique_id)
            if reason is None and (node is None or result.status not in CLEAN):
                reason = f"{result.name} was not clean"
            if reason is None and result.unique_id in sent.compiling:
                reason = f"{result.name} asks the database while it is compiled"
            if reason is not None or node is None:
                self._decline(reason or "")
                return
            relation = node.relation if node.resource_type == "model" else None
            one = TapedNode(result, relation, compiled, tuple(sent.statements.get(result.unique_id, ())))
            doubt = one.doubt(words)
            if doubt is not None:
                self._decline(f"{result.name}: {doubt}")
                return
            taped.append(one)
        relations = [one.relation for one in taped if one.relation is not None]
        if before.unusual_for(relations):
            self._decline("tables of the stage have indexes, foreign keys, or leftovers of dbt")
            return
        self._tapes[key] = Tape(tuple(taped), {name: before.catalog.get(name) for name in relations})

    def repeat(self, request: Invoke) -> Repeated | None:
        """Run a stage from its tape; None when there is none, or the database looks otherwise than it did."""
        tape = self._tapes.get((request.command, request.select))
        if tape is None:
            return None
        now = self.look()
        if not now.fit(tape):
            return None
        compiled = self._compiled_for(tape, request.vars, now)
        if compiled is None:
            self._decline("dbt cannot compile it beforehand")
            return None
        return self._aside(lambda: self._send(tape, compiled, now.catalog))

    def _decline(self, reason: str) -> None:
        if reason not in self._declined:
            self._declined.add(reason)
            self._emit(ReplayDeclined(at=utc_now(), reason=reason))

    def _compiled_for(self, tape: Tape, variables: Vars, now: Surroundings) -> dict[str, str] | None:
        """Return the compiled SQL of a tape's nodes; what is on any tape is compiled in one go, once a year.

        What does not look now as it did is left out: its stage may find it otherwise, and compile otherwise.
        """
        if self._compiled[0] != variables:
            self._compiled = (variables, {})
        known = self._compiled[1]
        constant = {one.result.unique_id: one.compiled for one in tape.nodes if not self._reads_year(one)}
        if any(one.result.unique_id not in known.keys() | constant.keys() for one in tape.nodes):
            fitting = [one for tape in self._tapes.values() if now.fit(tape) for one in tape.nodes]
            wanted = {one.result.unique_id for one in fitting if self._reads_year(one)} - known.keys()
            found = self._compile([node for node in self._facts.nodes if node.unique_id in wanted], variables)
            if found is None:
                return None
            known.update(found)
        compiled = {**known, **constant}
        return compiled if all(one.result.unique_id in compiled for one in tape.nodes) else None

    def _reads_year(self, one: TapedNode) -> bool:
        node = self._facts.node(one.result.unique_id)
        return node is None or self._facts.reads_year(node)

    def _send(self, tape: Tape, compiled: dict[str, str], catalog: Catalog) -> Repeated:
        self._emit(CommandStarted(at=utc_now(), command="", nodes=len(tape.nodes)))
        done: list[NodeResult] = []
        with self._database.cursor() as cursor:
            for one in tape.nodes:
                result = self._send_node(cursor, one, compiled[one.result.unique_id], catalog)
                if result is None:
                    break
                done.append(result)
        return Repeated(tuple(done), tuple(one.result.unique_id for one in tape.nodes[len(done) :]))

    def _send_node(self, cursor: Cursor, one: TapedNode, compiled: str, catalog: Catalog) -> NodeResult | None:
        """Send a node's statements; None when dbt must run it: nothing of it is in the database then."""
        result, elapsed, started = one.result, stopwatch(), utc_now()
        committed = False
        try:
            if one.relation is not None and not _same_columns(cursor, one, compiled, catalog):
                return None
            self._emit(_started(result, started))
            for statement in one.statements_for(compiled, f"{started:%Y%m%d%H%M%S%f}"):
                cursor.execute(statement)
                committed = committed or statement.lstrip().upper().startswith("COMMIT")
            if one.relation is None and not _passed(cursor.fetchall()):
                return None
        except Exception as error:  # whatever it is, dbt meets it again and tells it
            with suppress(Exception):  # no transaction may be open
                cursor.execute("rollback")
            if committed:
                raise DbtError(
                    f"Model {result.name} ({result.file}) failed after its rows were committed: {error}",
                    to_fix="run again: the year is built anew",
                ) from error
            return None
        seconds = elapsed()
        self._emit(
            NodeFinished(
                at=utc_now(),
                unique_id=result.unique_id,
                name=result.name,
                resource_type=result.resource_type,
                status=result.status,
                seconds=seconds,
                sql_seconds=seconds,
            )
        )
        return replace(result, seconds=seconds)


def _started(result: NodeResult, at: datetime) -> NodeStarted:
    return NodeStarted(at=at, unique_id=result.unique_id, name=result.name, resource_type=result.resource_type)


def _same_columns(cursor: Cursor, one: TapedNode, compiled: str, catalog: Catalog) -> bool:
    """Tell whether the query of this year gives the columns and types that the relation has."""
    assert one.relation is not None
    there = catalog.get(one.relation)
    if there is None:
        return False
    cursor.execute(f"describe ({compiled}\n)")
    found = [(str(name), str(data_type)) for name, data_type, *_ in cursor.fetchall()]
    return sorted(found) == sorted(there.columns)


def _passed(rows: list[tuple[object, ...]]) -> bool:
    """Judge the row of a dbt test: failures, should_warn, should_error; dbt takes none but a whole number."""
    return len(rows) == 1 and type(rows[0][0]) is int and rows[0][1:] == (False, False)
