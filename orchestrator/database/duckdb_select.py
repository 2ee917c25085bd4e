"""Rows of a DuckDB file for people: statements that only read, on a connection that can do nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from orchestrator.core.errors import StatementError
from orchestrator.database.attachments import Attachment
from orchestrator.database.catalog import Catalog
from orchestrator.database.duckdb_file import connect_read_only, open_when_free, read_catalog
from orchestrator.database.errors import known_database_error, refuse_other_database
from orchestrator.database.interruption import interruptibly
from orchestrator.database.only_reads import writes
from orchestrator.database.sql import literal

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

ROWS_A_BATCH = 10_000
READING = ("SELECT", "EXPLAIN", "MULTI")  # MULTI is a pivot, which makes a temporary type for itself first
LOCKED_DOWN = (
    "set python_enable_replacements = false",  # else a name in SQL may be a variable of Python
    "set autoinstall_known_extensions = false",
    "set autoload_known_extensions = false",
    "set enable_external_access = false",
    "set lock_configuration = true",
)
ALL_TABLES = '`orchestrator query "show all tables"` lists all tables and their columns'


class SelectedRows:
    """The rows of one statement; ``columns`` are (name, type). They are read once, batch by batch."""

    def __init__(self, columns: tuple[tuple[str, str], ...], fetch: Callable[[int], list[tuple[object, ...]]]) -> None:
        self.columns = columns
        self._fetch = fetch

    def batches(self) -> Iterator[list[tuple[object, ...]]]:
        """Yield all rows."""
        while batch := self._fetch(ROWS_A_BATCH):
            yield batch

    def first(self, count: int) -> list[tuple[object, ...]]:
        """Return at most so many rows."""
        found: list[tuple[object, ...]] = []
        while len(found) < count and (batch := self._fetch(count - len(found))):
            found += batch
        return found


class ReadOnlyDuckDB:
    """An open DuckDB file that is only read; :func:`read_only` opens and closes it.

    Whatever it does ends at Ctrl-C: DuckDB works in a thread of its own, and is interrupted.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        worker: ThreadPoolExecutor,
        unseen: Mapping[str, str],
    ) -> None:
        self._connection = connection
        self._path = path
        self._worker = worker
        self._unseen = unseen

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Return all rows of a query."""
        return [row for batch in self.select(sql).batches() for row in batch]

    def catalog(self) -> Catalog:
        """Take a snapshot of the relations."""
        return replace(read_catalog(self.query), unseen=self._unseen)

    def select(self, sql: str) -> SelectedRows:
        """Run a statement; its rows are worked out as they are read.

        Raises:
            StatementError: DuckDB refuses it.
            DatabaseError: the file is in trouble.
            KeyboardInterrupt: Ctrl-C came meanwhile.
        """
        result = self._work(lambda: self._connection.execute(sql))
        columns = tuple((str(name), str(kind)) for name, kind, *_ in result.description or ())
        return SelectedRows(columns, lambda count: self._work(lambda: result.fetchmany(count)))

    def write_parquet(self, sql: str, file: Path, *, limit: int | None = None) -> tuple[tuple[str, str], ...]:
        """Write the rows of a statement to a Parquet file, over whatever is there; return the (name, type) of columns.

        ``limit`` is the number of rows at most. Raises what :meth:`select` raises.
        """
        whole = self._work(lambda: self._connection.sql(sql))
        relation = whole if limit is None else whole.limit(limit)
        self._work(lambda: relation.write_parquet(str(file)))
        return tuple(zip(relation.columns, map(str, relation.types), strict=True))

    def one_that_reads(self, text: str) -> str:
        """Return the one statement of a text.

        Raises:
            StatementError: there is none or there are several, it is not SQL, or it does more than to read.
        """
        statements = self._work(lambda: self._connection.extract_statements(text))
        if len(statements) != 1:
            count = f"are {len(statements)} statements" if statements else "is no statement"
            raise StatementError(f"There {count} in {text!r}.", to_fix="give one statement")
        kind = statements[0].type.name
        if kind not in READING:
            raise StatementError(
                f"`query` only reads, and this is {'an' if kind[0] in 'AEIOU' else 'a'} {kind} statement.",
                to_fix="write one that begins with select, with, from, describe, summarize, show, pivot or explain",
            )
        found = self._work(lambda: writes(statements[0]))
        if found is not None:
            raise StatementError(
                f"`query` only reads, and this statement holds {found}, which may do more.",
                to_fix="leave it out of the statement",
            )
        return str(statements[0].query)

    def tables_in(self, sql: str) -> tuple[str, ...]:
        """Return the names of the tables and views in a statement, as they stand there, as far as DuckDB tells them."""
        try:
            return tuple(sorted(self._work(lambda: self._connection.get_table_names(sql, qualified=True))))
        except StatementError:
            return ()

    def _work(self, work: Callable[[], T]) -> T:
        import duckdb  # slow to import

        try:
            return interruptibly(self._worker, self._connection, work)
        except duckdb.Error as error:
            raise _statement_error(error, self._path) from error


@contextmanager
def read_only(
    path: Path, *, beside: Sequence[Attachment] = (), folder: Path | None = None, only: Sequence[Path] | None = None
) -> Iterator[ReadOnlyDuckDB]:
    """Open a DuckDB file read-only, and what the profile attaches.

    ``folder`` is what relative paths in views are relative to. ``only`` names the files and folders that a statement
    may reach beside the databases, None sets no limit; with a limit, extensions and settings are out of reach too.

    Raises:
        DatabaseLockedError: another process has the file open for writing.
        DatabaseError: it is damaged, not a DuckDB file or not permitted.
    """
    import duckdb  # slow to import

    refuse_other_database(path)
    there = [one for one in beside if one.path is not None and one.path.exists()]
    unseen = {one.name: one.why for one in beside if one.why is not None}
    connection = open_when_free(partial(connect_read_only, path, there, unseen), duckdb.Error, path, patience=None)
    with connection, ThreadPoolExecutor(1) as worker:
        if folder is not None:
            connection.execute(f"set file_search_path = {literal(folder)}")
        if only is not None:
            _reach_only(connection, only)
        yield ReadOnlyDuckDB(connection, path, worker, unseen)


def _reach_only(connection: duckdb.DuckDBPyConnection, places: Sequence[Path]) -> None:
    folders = [place for place in places if place.is_dir()]
    files = [place for place in places if place not in folders]
    for name, some in (("allowed_directories", folders), ("allowed_paths", files)):
        if some:
            connection.execute(f"set {name} = [{', '.join(map(literal, some))}]")
    for statement in LOCKED_DOWN:
        connection.execute(statement)


def _statement_error(error: duckdb.Error, path: Path) -> Exception:
    """Return the error for what DuckDB says of a statement, its hint at the place in it included."""
    message = str(error)
    known = known_database_error(message, path)
    if known is not None:
        return known
    import duckdb  # slow to import

    lines = [line.rstrip() for line in message.splitlines() if line.strip()]
    to_fix = "correct the statement"
    if isinstance(error, (duckdb.CatalogException, duckdb.BinderException)):
        to_fix += f"; {ALL_TABLES}"
    elif isinstance(error, duckdb.PermissionException):
        to_fix = "leave it out of the statement: `query` reads the databases of the project, and no other files"
    return StatementError("\n".join(lines), to_fix=to_fix)
