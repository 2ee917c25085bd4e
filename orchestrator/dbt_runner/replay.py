"""Repeat a stage for another year without dbt's work: compile what the year reaches, and send what dbt sent.

dbt runs a stage as ever and its statements are kept on a :class:`~orchestrator.dbt_runner.tape.Tape`. In a later year,
or a later run, ``dbt compile`` gives the SQL of that year, and the statements are sent again with it. That is done only
where :mod:`orchestrator.dbt_runner.replay_proof` allows it and the database looks as it did before the stage was taped.
Whatever does not fit, and whatever fails, is left to dbt, from that node on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from orchestrator.dbt_runner.catalog import Catalog
from orchestrator.dbt_runner.compiled_sql import Compile, CompiledSql
from orchestrator.dbt_runner.database import ProjectDatabase
from orchestrator.dbt_runner.project import ProjectFacts
from orchestrator.dbt_runner.replay_proof import ReplayProof
from orchestrator.dbt_runner.replay_sending import Repeated, columns_of, send, waits_for
from orchestrator.dbt_runner.results import NodeResult
from orchestrator.dbt_runner.settings import Invoke
from orchestrator.dbt_runner.surroundings import Surroundings
from orchestrator.dbt_runner.tape import Sent, Tape, TapedNode
from orchestrator.dbt_runner.tape_shelf import Key, TapeShelf
from orchestrator.events import Emit, ReplayDeclined
from orchestrator.timing import utc_now

CLEAN = ("success", "pass")
Aside = Callable[[Callable[[], Repeated], Callable[[], None]], Repeated]


class Replayer:
    """Tapes and replays the stages of one dbt process.

    ``compile_nodes`` gives the compiled SQL of nodes for some vars, None when dbt cannot; ``aside`` runs its first
    argument beside the main thread, which alone gets signals, and the second one meanwhile in the main thread.
    ``threads`` is how many nodes are sent at a time.
    """

    def __init__(
        self,
        facts: ProjectFacts,
        database: ProjectDatabase,
        proof: Callable[[], ReplayProof],
        year_vars: frozenset[str],
        compile_nodes: Compile,
        aside: Aside,
        shelf: TapeShelf,
        threads: int,
        emit: Emit,
    ) -> None:
        self._facts = facts
        self._database = database
        self._find_proof = proof
        self._proof: ReplayProof | None = None
        self._year_vars = year_vars
        self._aside = aside
        self._shelf = shelf
        self._threads = threads
        self._emit = emit
        self._compiled = CompiledSql(facts, shelf, year_vars, compile_nodes, self.look)
        self._declined: set[str] = set()

    def look(self) -> Surroundings:
        """Return what the database holds, before a stage is taped or replayed."""
        return Surroundings.of(self._database)

    def keep(
        self, request: Invoke, before: Surroundings, sent: Sent, results: Iterable[tuple[NodeResult, str]]
    ) -> None:
        """Put on tape what dbt sent for a stage that it ran; ``results`` are (outcome, compiled SQL), parents first."""
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
        nodes = self._with_columns(taped, before.catalog)
        found = tuple((name, before.catalog.get(name)) for name in relations)
        self._shelf.put(_key(request), Tape(nodes, found, self._compiled.year(request.vars)))

    def repeat(self, request: Invoke) -> Repeated | None:
        """Run a stage from its tape; None when there is none, or the database looks otherwise than it did.

        The SQL of ``request.next_vars`` is compiled meanwhile.
        """
        now = self.look()
        tape = self._shelf.find(_key(request), now.fit)
        if tape is None:
            return None
        compiled = self._compiled.of(tape, request.vars, now)
        if compiled is None:
            self._decline("dbt cannot compile it beforehand")
            return None
        order = waits_for(tape, self._facts, tests_first=request.command == "build")

        def work() -> Repeated:
            with self._database.cursors_apart(self._threads) as cursors:
                return send(tape, compiled, now.catalog, order, cursors, self._emit)

        repeated = self._aside(work, lambda: self._compiled.ahead(request.next_vars, now))
        if not repeated.left and not self._shelf.of_this_parse(tape):
            self._shelf.put(_key(request), tape.with_sql(compiled, self._compiled.year(request.vars)))
        return repeated

    def save(self) -> None:
        """Keep the tapes for later runs."""
        self._shelf.save(self._compiled.with_pieces)

    def _decline(self, reason: str) -> None:
        if reason not in self._declined:
            self._declined.add(reason)
            self._emit(ReplayDeclined(at=utc_now(), reason=reason))

    def _with_columns(self, taped: Sequence[TapedNode], before: Catalog) -> tuple[TapedNode, ...]:
        """Add the columns of the queries whose relations were not there before: nothing else tells them."""
        with self._database.cursor() as cursor:
            return tuple(
                replace(one, columns=columns_of(cursor, one.compiled))
                if one.relation is not None and before.get(one.relation) is None
                else one
                for one in taped
            )


def _key(request: Invoke) -> Key:
    return request.command, request.select, request.nodes
