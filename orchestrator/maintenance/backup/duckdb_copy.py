"""Copy a DuckDB file that nobody has open, and say what is in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.paths import in_project
from orchestrator.core.errors import BackupError, DatabaseError
from orchestrator.database.duckdb_file import ConnectionReader, storage_version
from orchestrator.database.errors import known_database_error
from orchestrator.database.sql import literal, quoted_name
from orchestrator.ledger.layouts import ledger_places, ledger_version
from orchestrator.ledger.reading import Ledger, read_ledger
from orchestrator.maintenance.backup.files import FileDigest, copy_file, digest_of, flush_file
from orchestrator.maintenance.backup.metadata import DatabaseRecord, FileRecord
from orchestrator.maintenance.backup.workspace import DUCKDB, WorkspaceDatabase

if TYPE_CHECKING:
    import duckdb

WORTH_COMPACTING = 0.25  # of the file's blocks are free
TABLES_SQL = """
select database_name, schema_name, table_name from duckdb_tables()
where not internal and not temporary and database_name = current_database() order by all
"""


def save_duckdb(database: WorkspaceDatabase, target: Path, root: Path) -> DatabaseRecord:
    """Copy a DuckDB file to ``target``, without its holes where these are large, and say what is in it."""
    path = database.file
    with _described(database, root) as (connection, record):
        compacted = _is_loose(connection) and _compact(connection, target, record.tables)
    if not compacted:
        digest = copy_unchanged(path, target)
    else:
        shutil.copymode(path, target)
        flush_file(target)
        digest = digest_of(target)
    return record.model_copy(update={"files": (FileRecord.of(target, "", digest),), "compacted": compacted})


def describe_duckdb(database: WorkspaceDatabase, root: Path) -> DatabaseRecord:
    """Write the log of a DuckDB file into it, close it, and say what is in it; the record has no files.

    Raises:
        DatabaseLockedError: another program has it open.
        DatabaseError: it cannot be opened.
    """
    with _described(database, root) as (_, record):
        return record


@contextmanager
def _described(database: WorkspaceDatabase, root: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, DatabaseRecord]]:
    import duckdb  # slow to import

    path = database.file
    try:
        with closing(duckdb.connect(str(path))) as connection:
            connection.execute("checkpoint")
            yield connection, _describe_duckdb(database, connection, root)
    except duckdb.Error as error:
        raise known_database_error(str(error), path) or DatabaseError(
            f"The database {path} cannot be copied: {error}"
        ) from error


def _describe_duckdb(database: WorkspaceDatabase, connection: duckdb.DuckDBPyConnection, root: Path) -> DatabaseRecord:
    import duckdb

    reader = ConnectionReader(connection)
    place = next(iter(ledger_places(reader, "")), None)
    ledger = Ledger() if place is None else read_ledger(reader, place)
    return DatabaseRecord(
        name=database.name,
        kind=DUCKDB,
        path=in_project(database.file, root),
        url=None,
        files=(),
        engine=duckdb.__version__,
        storage_version=storage_version(reader),
        schema_version=str(0 if place is None else ledger_version(reader, place)),
        fingerprint=ledger.stages[-1].fingerprint if ledger.stages else None,
        tables=_row_counts(reader),
        compacted=False,
        whole=True,
    )


def _row_counts(reader: ConnectionReader) -> dict[str, int]:
    counts = {}
    for catalog, schema, table in reader.query(TABLES_SQL):
        relation = quoted_name(str(catalog), str(schema), str(table))
        counts[f"{schema}.{table}"] = int(str(reader.query(f"select count(*) from {relation}")[0][0]))
    return counts


def _is_loose(connection: duckdb.DuckDBPyConnection) -> bool:
    sizes = connection.execute("select total_blocks, free_blocks from pragma_database_size()").fetchall()
    return any(total and free / total > WORTH_COMPACTING for total, free in sizes)


def _compact(connection: duckdb.DuckDBPyConnection, target: Path, tables: dict[str, int]) -> bool:
    """Write a copy without holes; False, and no file, where DuckDB cannot, or it holds something else."""
    import duckdb

    name = quoted_name("compact copy")
    source = quoted_name(connection.execute("select current_database()").fetchall()[0][0])
    try:
        connection.execute(f"attach {literal(target)} as {name}")
        connection.execute(f"copy from database {source} to {name}")
        connection.execute(f"detach {name}")
        with closing(duckdb.connect(str(target), read_only=True)) as copy:
            same = _row_counts(ConnectionReader(copy)) == tables
            views = "select count(*) from duckdb_views() where not internal"
            same = same and copy.execute(views).fetchall() == connection.execute(views).fetchall()
    except duckdb.Error:
        same = False
    if not same:
        target.unlink(missing_ok=True)
        Path(f"{target}.wal").unlink(missing_ok=True)
    return same


def copy_unchanged(path: Path, target: Path) -> FileDigest:
    """Copy a checkpointed file that nobody has open; notice if somebody opened it all the same.

    Raises:
        BackupError: somebody did.
    """
    before = path.stat()
    digest = copy_file(path, target)
    after = path.stat()
    touched = (before.st_mtime_ns, before.st_size, before.st_ino) != (after.st_mtime_ns, after.st_size, after.st_ino)
    if touched or Path(f"{path}.wal").exists():
        raise BackupError(
            f"The database {path} was written to while it was copied, by a program that does not heed its lock.",
            to_fix="close that program (`fuser` names it), and take the backup again",
        )
    return digest
