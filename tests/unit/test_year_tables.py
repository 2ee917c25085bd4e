"""Which tables hold a year, and how many rows, asked for in one query."""

from __future__ import annotations

import duckdb
import pytest

from orchestrator.database.catalog import Catalog
from orchestrator.database.duckdb_file import read_catalog
from orchestrator.database.names import RelationName
from orchestrator.pipeline.year_column import YearColumn
from orchestrator.pipeline.year_tables import YearTables, count_rows

COLUMN = YearColumn('"y"', '"y"', '"y"')
NAMES = tuple(RelationName.of("memory", "main", name) for name in ("empty", "one", 'odd " name', "two"))


class Database:
    """A DuckDB database in memory that counts what it is asked."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.asked = 0

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Return all rows."""
        self.asked += 1
        return self.connection.execute(sql).fetchall()

    def catalog(self) -> Catalog:
        """Take a snapshot of the relations."""
        return read_catalog(self.query)


@pytest.fixture
def database() -> Database:
    """Four tables of years."""
    made = Database()
    for name, years in zip(NAMES, ((), (2025,), (2025, 2026), (2024, 2025, 2025)), strict=True):
        made.connection.execute(f"create table {name.quoted()} (y integer)")
        for year in years:
            made.connection.execute(f"insert into {name.quoted()} values ({year})")
    return made


@pytest.mark.parametrize(
    ("condition", "expected"), [("= 2025", (1, 2, 3)), (">= 2026", (2,)), ("< 2025", (3,)), ("> 2026", ())]
)
def test_the_tables_that_hold_a_year_are_named_in_their_order(
    database: Database, condition: str, expected: tuple[int, ...]
) -> None:
    """One query asks all of them, and none where there is no table."""
    found = YearTables(dict.fromkeys(NAMES, COLUMN)).holding(condition, database)
    assert found == tuple(NAMES[number] for number in expected)
    assert database.asked == 1
    assert YearTables({}).holding(condition, database) == ()
    assert database.asked == 1


def test_rows_are_counted_in_the_order_of_the_tables(database: Database) -> None:
    """With and without a condition."""
    assert count_rows(NAMES, database) == [0, 1, 2, 3]
    assert count_rows(NAMES[::-1], database, 'where "y" = 2025') == [2, 1, 1, 0]
    assert count_rows((), database) == []
    assert database.asked == 2
