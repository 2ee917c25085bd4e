"""The closing table of a run: one row a year, from the model that the dbt project names for it."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.database.reader import DatabaseReader
from orchestrator.database.sql import quoted_name
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.pipeline.workflow import Summary, SummaryColumn
from orchestrator.pipeline.year_column import YearColumn


def read_summary(reader: DatabaseReader, facts: ProjectFacts, year_column: str, years: Sequence[int]) -> Summary | None:
    """Return the rows of ``years`` of the model with ``meta.summary``, by its labelled columns.

    The year comes first, with its own label or as "Year", and as it is. None where no model is marked so, or its table
    does not exist.
    """
    node = summary_model(facts)
    relation = None if node is None else reader.catalog().get(node.relation)
    if node is None or relation is None:
        return None
    columns = [SummaryColumn(*label) for label in node.labels]
    year = next((column.label for column in columns if _same(column.name, year_column)), "Year")
    columns = [column for column in columns if not _same(column.name, year_column)]
    columns.insert(0, SummaryColumn(year_column, year, "text"))
    names = ", ".join(quoted_name(column.name) for column in columns)
    read = YearColumn.in_relation(year_column, relation)
    span = f"{quoted_name(year_column) if read is None else read.number} between {years[0]} and {years[-1]}"
    rows = reader.query(f"select {names} from {node.relation.quoted()} where {span} order by 1")
    return Summary(tuple(columns), tuple(rows))


def summary_model(facts: ProjectFacts) -> NodeFacts | None:
    """Return the model that the project marks as its summary, None where it marks none."""
    return next((model for model in facts.models() if model.summary and model.labels), None)


def _same(name: str, other: str) -> bool:
    return name.lower() == other.lower()
