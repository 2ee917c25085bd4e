"""Look at what a finished stage left in its tables, so that runs can be compared without their databases."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core.events import TableState
from orchestrator.database.names import RelationName
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.results import DbtResult
from orchestrator.pipeline.year_tables import with_years

ROW = '"a row of it"'  # a name that no column has: it would hide the row
DIGEST = f"coalesce(sum(hash({ROW})), 0)::varchar"


class TableDigests:
    """Counts and digests the tables of one run; in tables with ``year_column``, the rows of the year alone.

    The digest is the sum of DuckDB's hashes of all rows: equal for equal rows in any order.
    """

    def __init__(self, facts: ProjectFacts, year_column: str) -> None:
        self._facts = facts
        self._year_column = year_column
        self._dated: dict[RelationName, bool] = {}

    def of(self, runner: DbtRunner, year: int, outcome: DbtResult) -> tuple[TableState, ...]:
        """Return what the tables hold that the nodes of a stage built, by name."""
        relations = sorted(self._tables(outcome), key=lambda relation: relation.quoted())
        if any(relation not in self._dated for relation in relations):
            dated = with_years(relations, runner.catalog(), self._year_column)
            self._dated |= {relation: relation in dated for relation in relations}
        if not relations:
            return ()
        rows = runner.query(" union all ".join(self._select(relation, year) for relation in relations))
        return tuple(TableState(str(name), int(str(count)), _text(digest)) for name, count, digest in rows)

    def _tables(self, outcome: DbtResult) -> Iterable[RelationName]:
        for result in outcome.nodes:
            node = self._facts.node(result.unique_id)
            if node is not None and node.resource_type != "test" and node.kind == "table":
                yield node.relation

    def _select(self, relation: RelationName, year: int) -> str:
        digest = DIGEST if self._facts.adapter == "duckdb" else "null"
        where = f'where "{self._year_column}" = {year}' if self._dated[relation] else ""
        name = relation.name.replace("'", "''")
        return f"select '{name}' as name, count(*), {digest} from {relation.quoted()} as {ROW} {where}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
