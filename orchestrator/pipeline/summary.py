"""The closing table of a run: one row a year, from the model that the dbt project names for it."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.database.names import RelationName
from orchestrator.database.reader import DatabaseReader
from orchestrator.database.sql import quoted_name
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.places import moves
from orchestrator.ledger.places import relation_of_year
from orchestrator.ledger.reading import read_ledger
from orchestrator.pipeline.workflow import Summary, SummaryColumn
from orchestrator.pipeline.year_column import YearColumn


def read_summary(reader: DatabaseReader, facts: ProjectFacts, year_column: str, years: Sequence[int]) -> Summary | None:
    """Return the rows of ``years`` of the model with ``meta.summary``, by its labelled columns.

    The year comes first, with its own label or as "Year", and as it is. None where no model is marked so, or its table
    does not exist.
    """
    node = summary_model(facts)
    if node is None:
        return None
    catalog = reader.catalog()
    parts = {name: of for name, of in _parts(reader, facts, node, years).items() if catalog.get(name) is not None}
    if not parts:
        return None
    columns = [SummaryColumn(*label) for label in node.labels]
    year = next((column.label for column in columns if _same(column.name, year_column)), "Year")
    columns = [column for column in columns if not _same(column.name, year_column)]
    columns.insert(0, SummaryColumn(year_column, year, "text"))
    names = ", ".join(quoted_name(column.name) for column in columns)
    rows: list[tuple[object, ...]] = []
    for relation, condition in parts.items():
        read = YearColumn.in_relation(year_column, catalog.relations[relation])
        span = f"{quoted_name(year_column) if read is None else read.number} {condition}"
        rows += reader.query(f"select {names} from {relation.quoted()} where {span} order by 1")
    return Summary(tuple(columns), tuple(rows))


def _parts(
    reader: DatabaseReader, facts: ProjectFacts, node: NodeFacts, years: Sequence[int]
) -> dict[RelationName, str]:
    """Return the tables of a model and the condition for the years that are read of each, in the order of the years."""
    if not moves(node):
        return {node.relation: f"between {years[0]} and {years[-1]}"}
    ledger = read_ledger(reader, facts.ledger, facts)
    found: dict[RelationName, list[int]] = {}
    for year in sorted({stage.year for stage in ledger.stages if years[0] <= stage.year <= years[-1]}):
        relation = relation_of_year(ledger, node, year)
        if relation is not None:
            found.setdefault(relation, []).append(year)
    return {relation: f"in ({', '.join(map(str, of))})" for relation, of in found.items()}


def summary_model(facts: ProjectFacts) -> NodeFacts | None:
    """Return the model that the project marks as its summary, None where it marks none."""
    return next((model for model in facts.models() if model.summary and model.labels), None)


def _same(name: str, other: str) -> bool:
    return name.lower() == other.lower()
