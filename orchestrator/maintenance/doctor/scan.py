"""Read every column of every table of a DuckDB file: damage raises only when the damaged block is read."""

from __future__ import annotations

import struct
import tempfile
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.clocks import pause
from orchestrator.core.errors import DatabaseCorruptionError, DatabaseError
from orchestrator.database.duckdb_file import CATALOG_SQL, DuckDBReader
from orchestrator.database.names import RelationName
from orchestrator.database.sql import quoted_name

POLL_SECONDS = 0.05
HEADER_BYTES = 116
MAGIC, MAGIC_AT, VERSION_AT, LIBRARY_AT, LIBRARY_BYTES = b"DUCK", 8, 12, 52, 32


@dataclass(frozen=True)
class Scan:
    """The outcome of a scan; ``unreadable`` are the tables of which some part could not be, each with the error."""

    tables: int
    rows: int
    unreadable: tuple[tuple[RelationName, DatabaseError], ...]


def scan_database(path: Path, busy: Callable[[str], None]) -> Scan:
    """Read all of a DuckDB file, read-only and within the database's own memory limit.

    Each table is hashed over all its columns, so that no statistics can answer; views hold nothing to read. After a
    table that cannot be read the file is opened anew, because DuckDB may give up on the whole connection.

    Raises:
        DatabaseError: the file cannot be opened, or its list of tables not be read.
    """
    with _open(path) as reader:
        pending = deque(_tables(reader).items())
    tables, rows = len(pending), 0
    unreadable: list[tuple[RelationName, DatabaseError]] = []
    while pending:
        with _open(path) as reader:
            while pending:
                name, columns = pending.popleft()
                busy(f"reading {name.name} ({tables - len(pending)} of {tables} tables)")
                try:
                    rows += _read(reader, name, columns)
                except DatabaseError as error:
                    unreadable.append((name, error))
                    break
    return Scan(tables, rows, tuple(unreadable))


def _tables(reader: DuckDBReader) -> dict[RelationName, list[str]]:
    found: dict[RelationName, list[str]] = {}
    for database, schema, name, kind, column, *_ in reader.query(CATALOG_SQL):
        if kind == "table":
            found.setdefault(RelationName.of(str(database), str(schema), str(name)), []).append(str(column))
    return found


def _read(reader: DuckDBReader, name: RelationName, columns: list[str]) -> int:
    everything = ", ".join(map(quoted_name, columns))
    sql = f"select count(*), bit_xor(hash({everything})) from {name.quoted()}"
    ((rows, _),) = query_interruptibly(reader, sql)
    assert isinstance(rows, int)
    return rows


def query_interruptibly(reader: DuckDBReader, sql: str) -> list[tuple[object, ...]]:
    """Run a query beside the main thread, which alone gets Ctrl-C: DuckDB's call would hold it back to the end."""
    with ThreadPoolExecutor(1, "scan") as beside:
        answer = beside.submit(reader.query, sql)
        try:
            return answer.result()
        except KeyboardInterrupt:
            while not answer.done():
                reader.interrupt()
                pause(POLL_SECONDS)
            raise


def _open(path: Path) -> DuckDBReader:
    try:
        return DuckDBReader(path)
    except DatabaseCorruptionError as error:
        raise _written_by_newer(path) or error from error


def _written_by_newer(path: Path) -> DatabaseError | None:
    """Return the error for a file whose header says that a newer DuckDB wrote it, None where it does not."""
    import duckdb  # slow to import, and needed here alone

    theirs = _header(path)
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "fresh.duckdb"
        duckdb.connect(str(fresh)).close()
        ours = _header(fresh)
    if theirs is None or ours is None or theirs[0] <= ours[0]:
        return None
    storage, library = theirs
    return DatabaseError(
        f"The database {path} has storage version {storage} (written by DuckDB {library}); DuckDB "
        f"{duckdb.__version__}, which is installed, writes {ours[0]} and cannot read it.",
        to_fix="install the DuckDB version that wrote it, or a newer one: pip install --upgrade duckdb",
    )


def _header(path: Path) -> tuple[int, str] | None:
    """Return storage version and DuckDB version of a file's first block, None where it is no DuckDB file."""
    try:
        with path.open("rb") as file:
            block = file.read(HEADER_BYTES)
    except OSError:
        return None
    if len(block) < HEADER_BYTES or block[MAGIC_AT : MAGIC_AT + len(MAGIC)] != MAGIC:
        return None
    (storage,) = struct.unpack_from("<Q", block, VERSION_AT)
    library = block[LIBRARY_AT : LIBRARY_AT + LIBRARY_BYTES].rstrip(b"\0").decode("ascii", "replace")
    return storage, library or "of an unknown version"
