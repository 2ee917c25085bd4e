"""Rows of each year in the tables of years: counted, compared, and taken back where they belong to another year."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from orchestrator.core.errors import ConfigurationError, OtherYearsWrittenError
from orchestrator.core.text import plural
from orchestrator.database.names import RelationName
from orchestrator.database.reader import QueryReader
from orchestrator.database.sql import literal
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.contents import ROW, are_compared, digest_column, in_batches
from orchestrator.pipeline.year_column import YearColumn

Year = int | float | str | None
"""Year of a row: a whole number as a rule, a text that is none as it is, None in rows that have no year."""
YearRows = Mapping[Year, int]
DIGESTED_ROWS = 250_000
"""Tables of years with more rows are counted alone: each year, and each start of a run, would have to read all."""
REPLACED_WHOLE = frozenset({"table", "view", "materialized_view", "external", "ephemeral"})


@dataclass(frozen=True)
class ChangedYear:
    """A year of which a table held ``before`` rows and now holds ``after``."""

    year: Year
    before: int
    after: int

    def words(self) -> str:
        """Say it for people.

        >>> ChangedYear(2026, 0, 1).words(), ChangedYear(None, 2, 3).words(), ChangedYear(2025, 4, 0).words()
        ('2026 (0 rows before, now 1)', 'no year (2 rows before, now 3)', '2025 (4 rows before, now 0)')
        """
        year = "no year" if self.year is None else str(self.year)
        return f"{year} ({plural(self.before, 'row')} before, now {self.after:,})"


def count_years(tables: Mapping[RelationName, YearColumn], reader: QueryReader) -> dict[RelationName, dict[Year, int]]:
    """Return how many rows of each year tables hold, in one query."""
    as_text = len({column.label == column.number for column in tables.values()}) > 1  # a union has one type
    parts = [
        f"select {n}, {f'cast({column.label} as varchar)' if as_text else column.label}, count(*) "
        f"from {table.quoted()} group by 2"
        for n, (table, column) in enumerate(tables.items())
    ]
    found: dict[RelationName, dict[Year, int]] = {table: {} for table in tables}
    names = list(tables)
    for number, value, count in in_batches(reader, parts):
        rows, year = found[names[int(str(number))]], _year(value)
        rows[year] = rows.get(year, 0) + int(str(count))
    return found


def digest_years(
    tables: Mapping[RelationName, YearColumn],
    rows: Mapping[RelationName, YearRows],
    facts: ProjectFacts,
    reader: QueryReader,
) -> dict[RelationName, dict[int, str]]:
    """Return a digest of the rows of each year of the tables, whose ``rows`` are counted already.

    Of tables with more than :data:`DIGESTED_ROWS`, and in databases that have no digest, there is none.
    """
    if not are_compared(facts):
        return {}
    small = [table for table in tables if sum(rows.get(table, {}).values()) <= DIGESTED_ROWS]
    digest = digest_column(facts)
    parts = [
        f"select {n}, {tables[table].number}, {digest} from {table.quoted()} as {ROW} group by 2"
        for n, table in enumerate(small)
    ]
    found: dict[RelationName, dict[int, str]] = {table: {} for table in small}
    for number, value, text in in_batches(reader, parts):
        year = _year(value)
        if isinstance(year, int):
            found[small[int(str(number))]][year] = str(text)
    return found


def changed_years(before: YearRows, after: YearRows, building: int) -> tuple[ChangedYear, ...]:
    """Return the years, but for the one that is being built, of which there are not as many rows as before.

    >>> changed_years({2025: 2, 2026: 2}, {2025: 2, 2026: 4, 2027: 1, None: 1}, 2026)
    (ChangedYear(year=2027, before=0, after=1), ChangedYear(year=None, before=0, after=1))
    """
    years = sorted({*before, *after} - {building}, key=_place)
    pairs = ((year, before.get(year, 0), after.get(year, 0)) for year in years)
    return tuple(ChangedYear(year, was, now) for year, was, now in pairs if was != now)


def take_back(table: RelationName, column: YearColumn, changed: Iterable[ChangedYear]) -> tuple[str, ...]:
    """Return the statements that remove the rows of years of which a table held none before."""
    new = [one.year for one in changed if one.before == 0]
    numbers = [literal(year) for year in new if isinstance(year, (int, float))]
    texts = [literal(year) for year in new if isinstance(year, str)]
    conditions = [f"{column.number} in ({', '.join(numbers)})"] if numbers else []
    conditions += [f"{column.raw} in ({', '.join(texts)})"] if texts else []
    conditions += [f"{column.raw} is null"] if None in new else []
    return (f"delete from {table.quoted()} where {' or '.join(conditions)}",) if conditions else ()


def other_years_written(
    changes: Sequence[tuple[NodeFacts, tuple[ChangedYear, ...]]], year: int, stage: str, year_column: str
) -> OtherYearsWrittenError:
    """Return the error that models changed rows of other years than the one that their stage builds."""
    said = "; ".join(f"{node.name}: {', '.join(one.words() for one in changed)}" for node, changed in changes)
    rebuilt = ", ".join(node.name for node, _ in changes if node.full_refresh)
    names = ", ".join(node.name for node, _ in changes)
    if rebuilt:
        remedy = (
            f"remove `full_refresh: true` from {rebuilt}, which makes each year replace those before it, or "
            "materialize it as a table if only the last year is meant to stay"
        )
    else:
        remedy = (
            f"let {names} write only rows whose {year_column} is the year that is built, or set "
            "`meta: {writes_other_years: true}` on it: then every run begins at the first year"
        )
    removed = any(one.before == 0 for _, changed in changes for one in changed)
    return OtherYearsWrittenError(
        f"Stage {stage} of {year} changed rows of other years, which could not be undone when {year} is run again: "
        f"{said}." + (" What it added for years without rows has been removed again." if removed else ""),
        to_fix=remedy,
    )


def models_of_other_years(facts: ProjectFacts) -> tuple[str, ...]:
    """Return the names of the models of which a year may change the rows of other years, as their ``meta`` says."""
    return tuple(model.name for model in facts.models() if model.writes_other_years)


def require_accumulating(carried: Iterable[NodeFacts]) -> None:
    """Make sure that the tables that years read of the years before can hold several years.

    Raises:
        ConfigurationError: one of them is replaced whole by each year.
    """
    for node in carried:
        if node.full_refresh:
            cause, remedy = "`full_refresh: true`", "remove `full_refresh: true` from it"
        elif node.materialized in REPLACED_WHOLE:
            cause, remedy = f"`materialized: {node.materialized}`", "materialize it as incremental"
        else:
            continue
        raise ConfigurationError(
            f"Model {node.name} ({node.file}) carries rows from one year over to the next, and {cause} lets each year "
            "replace all of them: finished years would vanish.",
            to_fix=remedy,
        )


def _place(year: Year) -> tuple[bool, bool, float | str]:
    """Return what years are sorted by: numbers, then texts, then none."""
    text = isinstance(year, str)
    return year is None, text, year if year is not None else 0


def _year(value: object) -> Year:
    if value is None:
        return None
    if isinstance(value, str):
        value = value.removesuffix(".0")  # of a number that was united with texts
        return int(value) if value.isdecimal() and len(value) == 4 else value
    assert isinstance(value, (int, float, Decimal))
    return int(value) if value == int(value) else float(value)
