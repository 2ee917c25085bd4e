"""The statements that write the ledger of a database, to be run in one transaction with what they state.

dbt commits by itself, so around dbt the order is such that a crash can only make work to be done again: ``building``
is written before, ``built`` and a finished stage after.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.database.sql import literal, quoted_name
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.reading import BUILDING, BUILT, MESSAGE, UPSTREAM, FinishedStage, LedgerRun, place_of


@dataclass(frozen=True)
class LedgerWriter:
    """Makes the statements that write one database's ledger; ``database`` is its name in SQL, may be empty."""

    database: str

    def building(self, nodes: Iterable[NodeFacts], at: datetime) -> tuple[str, ...]:
        """State that builds of these nodes begin."""
        return self._tables([(node.unique_id, {}, {}) for node in nodes], at, BUILDING)

    def built(
        self, facts: ProjectFacts, nodes: Iterable[NodeFacts], at: datetime, state: str = BUILT
    ) -> tuple[str, ...]:
        """State that builds of these nodes are finished, and what they were built from."""
        rows = [(n.unique_id, {**facts.code_of(n), UPSTREAM: n.upstream}, facts.inputs_of(n)) for n in nodes]
        return self._tables(rows, at, state)

    def unbuilt(self, reasons: Mapping[str, str], state: str, at: datetime) -> tuple[str, ...]:
        """State of nodes, by unique id, that they were not built and why: ``state`` is ``failed`` or ``skipped``."""
        return self._tables([(node, {MESSAGE: text}, {}) for node, text in reasons.items()], at, state)

    def run_started(self, run: LedgerRun, at: datetime, resumed: tuple[int, str] | None) -> tuple[str, ...]:
        """State that a run begins; ``resumed`` is the year and stage where it goes on."""
        year, stage = resumed or (None, None)
        values = (run.run_id, run.scenario, run.fingerprint, run.components, run.first_year, run.last_year)
        return (self._insert("runs", (*values, run.status, at, None, year, stage)),)

    def run_completed(self, run_id: str, at: datetime) -> tuple[str, ...]:
        """State that a run is complete."""
        table = self._table("runs")
        return (
            f"update {table} set status = 'completed', finished_at = {literal(at)} where run_id = {literal(run_id)}",
        )

    def stage_finished(self, run: LedgerRun, stage: FinishedStage, at: datetime) -> tuple[str, ...]:
        """State that a stage of a year is in the database."""
        values = (run.run_id, run.scenario, stage.fingerprint, stage.year, stage.stage, sorted(stage.nodes))
        return (self._insert("stages", (*values, stage.rows, stage.seconds, at, stage.hooks_done)),)

    def hooks_done(self, year: int, stage: str) -> tuple[str, ...]:
        """State that the hooks after a finished stage have returned."""
        table = self._table("stages")
        return (f"update {table} set hooks_done = true where year = {year} and stage = {literal(stage)}",)

    def carried(self, year: int, node: NodeFacts, year_column: str) -> tuple[str, ...]:
        """State how many rows of a year a carried-over table holds: as many as it does when this is run."""
        return (
            f"delete from {self._table('carried_rows')} where year = {year} and node = {literal(node.unique_id)}",
            f"insert into {self._table('carried_rows')} select {year}, {literal(node.unique_id)}, count(*) "
            f"from {node.relation.quoted()} where {quoted_name(year_column)} = {year}",
        )

    def forget(self, year: int, kept_stages: Sequence[str] = ()) -> tuple[str, ...]:
        """Take back what is stated of ``year``, but for these stages of it, and of all later years."""
        kept = ", ".join(literal(name) for name in kept_stages)
        but = f" and not (year = {year} and stage in ({kept}))" if kept else ""
        return (
            f"delete from {self._table('stages')} where year >= {year}{but}",
            f"delete from {self._table('carried_rows')} where year >= {year}",
        )

    def _tables(
        self, rows: Sequence[tuple[str, dict[str, str], dict[str, str]]], at: datetime, state: str
    ) -> tuple[str, ...]:
        if not rows:
            return ()
        names = ", ".join(literal(node) for node, _, _ in rows)
        values = ", ".join(
            "(" + ", ".join(map(_sql, (node, code, inputs, None, at, state))) + ")" for node, code, inputs in rows
        )
        table = self._table("built_tables")
        return (f"delete from {table} where node in ({names})", f"insert into {table} values {values}")

    def _insert(self, table: str, values: Sequence[object]) -> str:
        return f"insert into {self._table(table)} values ({', '.join(map(_sql, values))})"

    def _table(self, name: str) -> str:
        return f"{place_of(self.database)}.{name}"


def _sql(value: object) -> str:
    """Return a value of a ledger's row as an SQL literal; what SQL has no type for goes as JSON."""
    plain = value is None or isinstance(value, (str, bool, int, float, datetime))
    return literal(value if plain else json.dumps(value))  # type: ignore[arg-type]  # one of these
