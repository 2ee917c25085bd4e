"""The tables that hold one partition a year: which they are, and how a year is taken out of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from orchestrator.core.errors import ConfigurationError, YearSequenceError
from orchestrator.core.text import nearest
from orchestrator.database.catalog import Catalog, Relation
from orchestrator.database.names import RelationName
from orchestrator.database.reader import DatabaseReader
from orchestrator.database.transactions import Change
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.pipeline.year_column import YearColumn


@dataclass(frozen=True)
class YearTables:
    """The incremental models of a project that exist and have the year column; ``columns`` says how it is read."""

    columns: Mapping[RelationName, YearColumn]

    @property
    def tables(self) -> tuple[RelationName, ...]:
        """Return the names of the tables."""
        return tuple(self.columns)

    @classmethod
    def of(cls, facts: ProjectFacts, catalog: Catalog, year_column: str) -> YearTables:
        """Pick them out of a snapshot."""
        incremental = [model.relation for model in facts.models() if model.materialized == "incremental"]
        return cls(with_years(incremental, catalog, year_column))

    def holding(self, condition: str, reader: DatabaseReader) -> tuple[RelationName, ...]:
        """Return those with a row whose year fits ``condition``, such as ``= 2025``."""
        parts = [
            f"select {number} from (select 1 from {table.quoted()} where {column.number} {condition} limit 1) as held"
            for number, (table, column) in enumerate(self.columns.items())
        ]
        numbers = {number for (number,) in reader.query(" union all ".join(parts))} if parts else set()
        return tuple(table for number, table in enumerate(self.tables) if number in numbers)

    def only(self, tables: tuple[RelationName, ...]) -> YearTables:
        """Return the same for fewer tables."""
        return YearTables({table: self.columns[table] for table in tables})

    def purge_statements(
        self, from_year: int, kept_year: int | None = None, kept: Set[RelationName] = frozenset()
    ) -> tuple[Change, ...]:
        """Return all tables, each with the statement that removes ``from_year`` and all later years.

        The tables in ``kept`` keep their rows of ``kept_year`` and earlier.
        """
        return tuple(
            (
                table,
                f"delete from {table.quoted()} where {column.number} "
                + (f"> {kept_year}" if table in kept else f">= {from_year}"),
            )
            for table, column in self.columns.items()
        )

    def without_years_before(self, year: int, reader: DatabaseReader) -> tuple[Change, ...]:
        """Return tables with rows of earlier years, or of none, and the statements that remove these."""
        holding = {*self.holding(f"< {year}", reader), *self.holding("is null", reader)}
        return tuple(
            (table, f"delete from {table.quoted()} where {column.number} < {year} or {column.number} is null")
            for table, column in self.columns.items()
            if table in holding
        )

    def require_year_before(self, year: int, first_year: int, reader: DatabaseReader) -> None:
        """Make sure that ``year`` has something to read: the year before it, or that it is the first.

        Raises:
            YearSequenceError: no table holds a row of the year before.
        """
        if year == first_year or self.holding(f"= {year - 1}", reader):
            return
        held = [
            int(str(rows[0][0]))
            for table, column in self.columns.items()
            if (rows := reader.query(f"select max({column.number}) from {table.quoted()}")) and rows[0][0] is not None
        ]
        there = f"the last simulated year is {max(held)}" if held else "no year has been simulated"
        begin = max(held) + 1 if held and max(held) < year else first_year
        raise YearSequenceError(
            f"Year {year} needs the results of {year - 1}, which is not in the database: {there}.",
            to_fix=f"run `orchestrator simulate {begin}-{year}`",
        )


def count_rows(tables: Sequence[RelationName], reader: DatabaseReader, where: str = "") -> list[int]:
    """Count the rows of tables, in one query; ``where`` is a condition on them, with the word itself."""
    parts = [f"select {number}, count(*) from {table.quoted()} {where}" for number, table in enumerate(tables)]
    rows = reader.query(" union all ".join(parts)) if parts else []
    counts = {number: int(str(count)) for number, count in rows}
    return [counts[number] for number in range(len(tables))]


def with_years(names: Iterable[RelationName], catalog: Catalog, year_column: str) -> dict[RelationName, YearColumn]:
    """Return those of ``names`` that are tables with a column of years, in the given order, and how it is read."""
    return {
        name: column
        for name in catalog.tables_with_column(names, year_column)
        if (column := YearColumn.in_relation(year_column, catalog.relations[name])) is not None
    }


def counted_by_years(
    nodes: Iterable[NodeFacts], carried: Set[str], catalog: Catalog, year_column: str
) -> dict[RelationName, YearColumn]:
    """Return the tables of these nodes of which the rows of each year are watched, and how the year is read.

    They are incremental, or ``carried`` over to the next year (unique ids). Every other table is watched as a whole
    (:mod:`orchestrator.pipeline.stage_tables`): also one that has the column, and one whose years change other years.
    """
    adding = [
        node.relation
        for node in nodes
        if (node.materialized == "incremental" or node.unique_id in carried) and not node.writes_other_years
    ]
    return with_years(adding, catalog, year_column)


def require_known_column(nodes: Iterable[NodeFacts], catalog: Catalog, year_column: str) -> None:
    """Make sure that tables that finished years have built hold the column of the year.

    Raises:
        ConfigurationError: one of them does not, and its model is what it was then.
    """
    for node in nodes:
        relation = catalog.get(node.relation)
        if relation is None or with_years([node.relation], catalog, year_column) or _type_of(year_column, relation):
            continue
        near = nearest(year_column, [name for name, _ in relation.columns])
        raise ConfigurationError(
            f"Table {node.name} holds finished years, and has no column {year_column}"
            + (f" (the nearest is {near})" if near else "")
            + ", in which the year should be. Nothing was run and nothing was removed.",
            to_fix=f"set simulation.year_column to {near or 'the column that holds the year'}, or add {year_column} to "
            f"{node.file}, and the years begin anew",
        )


def require_year_column(nodes: Iterable[NodeFacts], catalog: Catalog, year_column: str) -> None:
    """Make sure that a year can be taken out of the tables that these nodes append to.

    Raises:
        ConfigurationError: a model that appends has no year column, or one that is no number.
    """
    for node in nodes:
        relation = catalog.get(node.relation)
        if not node.appends or relation is None or with_years([node.relation], catalog, year_column):
            continue
        names = [name for name, _ in relation.columns]
        found = _type_of(year_column, relation)
        if found:
            what = f"its column {year_column} is {found}, which holds no year"
            remedy = f"make {year_column} an integer, a date or a text of four digits in {node.file}"
        else:
            near = nearest(year_column, names)
            what = f"it has no column {year_column}" + (f" (the nearest is {near})" if near else "")
            remedy = (
                f"set simulation.year_column to the column that holds the year, add {year_column} to {node.file}, or "
                "give the model a unique_key"
            )
        raise ConfigurationError(
            f"Model {node.name} is incremental without a unique_key, and {what}: when a year is rebuilt, its old rows "
            "could not be removed and would be duplicated.",
            to_fix=remedy,
        )


def _type_of(column: str, relation: Relation) -> str:
    return next((data_type for name, data_type in relation.columns if name.lower() == column.lower()), "")
