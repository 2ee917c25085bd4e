"""The rows of a kept table of a sweep, of all members that are done, with scenario, seed and varied values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.errors import DatabaseError, TableNotFoundError
from orchestrator.core.text import did_you_mean
from orchestrator.database.sql import literal, quoted_name
from orchestrator.reports.row_text import csv_lines
from orchestrator.scenarios.results_database import kept_tables, view_name
from orchestrator.scenarios.status import SweepStatus

if TYPE_CHECKING:
    import duckdb

ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class OpenResults:
    """A kept table that is open."""

    connection: duckdb.DuckDBPyConnection
    view: str

    def csv(self) -> Iterator[str]:
        """Yield all rows as lines of CSV."""
        found = self.connection.execute(f"select * from {quoted_name(self.view)} order by scenario, seed, member")
        columns = tuple((str(name), str(kind)) for name, kind, *_ in found.description or ())
        return csv_lines(columns, iter(lambda: found.fetchmany(ROWS_AT_ONCE), []))

    def write_parquet(self, file: Path) -> None:
        """Write all rows to a file."""
        self.connection.execute(
            f"copy (select * from {quoted_name(self.view)}) to {literal(file)} (format parquet, compression zstd)"
        )


@contextmanager
def open_results(sweep: SweepStatus, table: str) -> Iterator[OpenResults]:
    """Open a kept table of a sweep.

    Raises:
        TableNotFoundError: the sweep keeps no such table, or has no results yet.
        DatabaseError: the results cannot be read.
    """
    import duckdb  # slow to import

    known = kept_tables(sweep.folder)
    if table not in known or not sweep.folder.results_database.exists():
        raise TableNotFoundError(
            f"The sweep {sweep.name} has no rows of a table {table[:100]!r}.{did_you_mean(table, known)}",
            to_fix="choose one on the page of the sweep, once it has stopped or ended",
        )
    try:
        with duckdb.connect(str(sweep.folder.results_database), read_only=True) as connection:
            yield OpenResults(connection, view_name(table))
    except duckdb.Error as error:
        raise DatabaseError(
            f"The results of the sweep {sweep.name} cannot be read: {str(error).splitlines()[0]}",
            to_fix=f"`orchestrator sweep resume {sweep.name}` writes them anew",
        ) from error
