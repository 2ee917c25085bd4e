"""Look at what a finished stage left in its tables, so that runs can be compared without their databases."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core.events import TableState
from orchestrator.database.names import RelationName
from orchestrator.database.sql import literal
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.results import DbtResult
from orchestrator.pipeline.year_column import YearColumn
from orchestrator.pipeline.year_tables import with_years

ROW = '"a row of it"'  # a name that no column has: it would hide the row


class TableDigests:
    """Counts and digests the tables of one run; in tables with ``year_column``, the rows of the year alone.

    A digest is the same for the same rows in any order; None where the database has none.
    """

    def __init__(self, facts: ProjectFacts, year_column: str) -> None:
        self._facts = facts
        self._year_column = year_column
        self._dated: dict[RelationName, YearColumn | None] = {}

    def of(self, runner: DbtRunner, year: int, outcome: DbtResult) -> tuple[TableState, ...]:
        """Return what the tables hold that the nodes of a stage built, by name."""
        relations = sorted(self._tables(outcome), key=lambda relation: relation.quoted())
        if any(relation not in self._dated for relation in relations):
            dated = with_years(relations, runner.catalog(), self._year_column)
            self._dated |= {relation: dated.get(relation) for relation in relations}
        if not relations:
            return ()
        rows = runner.query(" union all ".join(self._select(relation, year) for relation in relations))
        return tuple(TableState(str(name), int(str(count)), _text(digest)) for name, count, digest in rows)

    def _tables(self, outcome: DbtResult) -> Iterable[RelationName]:
        elsewhere = dict(outcome.places)
        for result in outcome.nodes:
            node = self._facts.node(result.unique_id)
            if node is not None and node.resource_type != "test" and node.kind == "table":
                yield elsewhere.get(node.unique_id, node.relation)

    def _select(self, relation: RelationName, year: int) -> str:
        digest = self._facts.capabilities.row_digest_sql.format(row=ROW)
        column = self._dated[relation]
        where = "" if column is None else f"where {column.number} = {year}"
        return f"select {literal(relation.name)} as name, count(*), {digest} from {relation.quoted()} as {ROW} {where}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
