"""The statements that write the ledger of a database, to be run in one transaction with what they state.

dbt commits by itself, so around dbt the order is such that a crash can only make work to be done again: ``building``
is written before, ``built`` and a finished stage after.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.database.names import SchemaName
from orchestrator.database.sql import literal
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.contents import Contents, KeptContents
from orchestrator.ledger.reading import BUILDING, BUILT, MESSAGE, UPSTREAM, FinishedStage, LedgerRun, relation_key
from orchestrator.ledger.written_files import written_by


@dataclass(frozen=True)
class LedgerWriter:
    """Makes the statements that write the ledger in a schema.

    ``relations`` are the keys of the relations that the project's nodes build, by unique id: of those alone is written.
    """

    place: SchemaName
    relations: Mapping[str, str]

    @classmethod
    def of(cls, facts: ProjectFacts) -> LedgerWriter:
        """Make one for a project."""
        return cls(facts.ledger, {node.unique_id: relation_key(node.relation) for node in facts.nodes})

    def building(self, nodes: Iterable[NodeFacts], at: datetime) -> tuple[str, ...]:
        """State that builds of these nodes begin."""
        return self._tables([(node.unique_id, {}, {}) for node in nodes], at, BUILDING)

    def built(
        self, facts: ProjectFacts, nodes: Iterable[NodeFacts], at: datetime, state: str = BUILT
    ) -> tuple[str, ...]:
        """State that builds of these nodes are finished, what they were built from, and which files they left."""
        rows = [
            (n.unique_id, {**facts.decided_by(n), **written_by(n), UPSTREAM: n.upstream}, facts.inputs_of(n))
            for n in nodes
        ]
        return self._tables(rows, at, state)

    def contents(self, found: Mapping[str, KeptContents]) -> tuple[str, ...]:
        """State what tables hold, by key of the relation (:func:`relation_key`)."""
        if not found:
            return ()
        table = self._table("table_contents")
        keys = ", ".join(literal(key) for key in sorted(found))
        values = ", ".join(
            f"({', '.join(map(literal, (key, *_contents(one.contents), *_contents(one.read), one.changes)))})"
            for key, one in sorted(found.items())
        )
        return (f"delete from {table} where relation in ({keys})", f"insert into {table} values {values}")

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
        changed = list(stage.changed_files) or None
        return (self._insert("stages", (*values, stage.rows, stage.seconds, at, stage.hooks_done, changed)),)

    def hooks_done(self, year: int, stage: str, elsewhere: Collection[str] = ()) -> tuple[str, ...]:
        """State that the hooks after a finished stage have returned; ``elsewhere`` are runs of others."""
        table = self._table("stages")
        others = _but_runs(elsewhere)
        return (f"update {table} set hooks_done = true where year = {year} and stage = {literal(stage)}{others}",)

    def year_rows(self, year: int, rows: Mapping[str, int], of: Collection[str] | None = None) -> tuple[str, ...]:
        """State how many rows of a year its tables hold, by unique id, in place of all, or of what is known ``of``."""
        table = self._table("carried_rows")
        keys = self.relations
        values = ", ".join(
            f"({year}, {literal(node)}, {count}, {literal(keys.get(node))})" for node, count in sorted(rows.items())
        )
        names = ", ".join(literal(node) for node in sorted(of or ()))
        only = "" if of is None else f" and node in ({names})" if names else " and false"
        forget = f"delete from {table} where year = {year} and {self._ours()}{only}"
        columns = "(year, node, row_count, relation)"
        return (forget, f"insert into {table} {columns} values {values}") if values else (forget,)

    def year_digests(self, digests: Mapping[tuple[int, str], str], reaching: Collection[str] = ()) -> tuple[str, ...]:
        """State digests of the rows that tables hold of years, by (year, unique id).

        ``reaching`` are tables, by unique id, whose rows of earlier years a later one has changed.
        """
        table = self._table("carried_rows")
        names = ", ".join(literal(node) for node in sorted(reaching))
        back = (f"update {table} set reaches_back = true where node in ({names}) and {self._ours()}",) if names else ()
        if not digests:
            return back
        values = ", ".join(
            f"({year}, {literal(node)}, {literal(text)})" for (year, node), text in sorted(digests.items())
        )
        return (
            f"update {table} set digest = found.digest from (values {values}) as found (year, node, digest) "
            f"where {table}.year = found.year and {table}.node = found.node and {self._ours()}",
            *back,
        )

    def earlier_rows(self, rows: Mapping[str, int]) -> tuple[str, ...]:
        """State how many rows tables held before any year of the simulation, by key of the relation."""
        if not rows:
            return ()
        table = self._table("earlier_rows")
        keys = ", ".join(literal(key) for key in rows)
        values = ", ".join(f"({literal(key)}, {count})" for key, count in sorted(rows.items()))
        return (f"delete from {table} where relation in ({keys})", f"insert into {table} values {values}")

    def forget(
        self,
        year: int,
        kept_stages: Sequence[str] = (),
        kept_nodes: Collection[str] = (),
        elsewhere: Collection[str] = (),
    ) -> tuple[str, ...]:
        """Take back what is stated of ``year``, but for these stages and nodes of it, and of all later years.

        ``elsewhere`` are the runs of others, which this is none of.
        """
        kept = ", ".join(literal(name) for name in kept_stages)
        nodes = ", ".join(literal(name) for name in sorted(kept_nodes))
        but = f" and not (year = {year} and stage in ({kept}))" if kept else ""
        but_rows = f" and not (year = {year} and node in ({nodes}))" if nodes else ""
        return (
            f"delete from {self._table('stages')} where year >= {year}{but}{_but_runs(elsewhere)}",
            f"delete from {self._table('carried_rows')} where year >= {year}{but_rows} and {self._ours()}",
        )

    def _ours(self) -> str:
        """Return the condition that a row is of this project's relations; older rows do not say."""
        keys = ", ".join(literal(key) for key in sorted(set(self.relations.values())))
        return f"(relation is null or relation in ({keys}))" if keys else "relation is null"

    def _tables(
        self, rows: Sequence[tuple[str, dict[str, str], dict[str, str]]], at: datetime, state: str
    ) -> tuple[str, ...]:
        if not rows:
            return ()
        names = ", ".join(literal(node) for node, _, _ in rows)
        keys = ", ".join(literal(self.relations.get(node)) for node, _, _ in rows)
        values = ", ".join(
            "(" + ", ".join(map(_sql, (node, code, inputs, None, at, state, self.relations.get(node)))) + ")"
            for node, code, inputs in rows
        )
        table = self._table("built_tables")
        mine = f"relation in ({keys}) or (relation is null and node in ({names}))"
        return (f"delete from {table} where {mine}", f"insert into {table} values {values}")

    def _insert(self, table: str, values: Sequence[object]) -> str:
        return f"insert into {self._table(table)} values ({', '.join(map(_sql, values))})"

    def _table(self, name: str) -> str:
        return f"{self.place.quoted()}.{name}"


def _contents(contents: Contents | None) -> tuple[int | None, str | None]:
    return (None, None) if contents is None else (contents.rows, contents.digest)


def _but_runs(run_ids: Collection[str]) -> str:
    return f" and run_id not in ({', '.join(literal(run_id) for run_id in sorted(run_ids))})" if run_ids else ""


def _sql(value: object) -> str:
    """Return a value of a ledger's row as an SQL literal; what SQL has no type for goes as JSON."""
    plain = value is None or isinstance(value, (str, bool, int, float, datetime))
    return literal(value if plain else json.dumps(value))  # type: ignore[arg-type]  # one of these
