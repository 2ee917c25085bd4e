"""Copy one database, at one moment, into a folder, and say what is in it."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.errors import BackupError, DatabaseError, DatabaseLockedError, DiskFullError
from orchestrator.database.errors import known_database_error
from orchestrator.database.sql import literal, quoted_name
from orchestrator.ledger.reading import ledger_version, read_ledger
from orchestrator.maintenance.backup.files import FileDigest, copy_file, digest_of, flush_file
from orchestrator.maintenance.backup.journal import logs_of
from orchestrator.maintenance.backup.metadata import DatabaseRecord, FileRecord
from orchestrator.maintenance.backup.server import DUMP_SUFFIX, save_server
from orchestrator.maintenance.backup.workspace import DUCKDB, POSTGRESQL, SQLITE, WorkspaceDatabase, shown_name
from orchestrator.storage.head import VERSION_TABLE

if TYPE_CHECKING:
    import duckdb

WORTH_COMPACTING = 0.25  # of the file's blocks are free
TABLES_SQL = """
select database_name, schema_name, table_name from duckdb_tables()
where not internal and not temporary and database_name = current_database() order by all
"""
FIRST = "run `orchestrator simulate` first"
_UNSAFE = re.compile(r"[^\w.-]+")


def save(database: WorkspaceDatabase, folder: Path, root: Path, number: int, *, damaged: bool) -> DatabaseRecord:
    """Copy a database into ``folder``; the caller keeps everybody else away from it.

    With ``damaged`` a file that cannot be opened is copied as it is, its log with it.

    Raises:
        DatabaseLockedError: another program has the file open.
        DatabaseError: it cannot be opened, and ``damaged`` is not set.
        BackupError: it changed meanwhile, or the program that copies it is missing or failed.
    """
    name = file_name(database, number)
    if database.kind == POSTGRESQL:
        return save_server(database, folder / f"{name}{DUMP_SUFFIX}", damaged=damaged)
    assert database.path is not None
    try:
        if database.path.stat().st_size == 0:  # DuckDB would make a database of it
            return _save_as_it_is(database, database.path, folder / name, root)
        if database.kind == DUCKDB:
            return _save_duckdb(database, database.path, folder / name, root)
        return _save_sqlite(database, database.path, folder / name, root)
    except DatabaseLockedError:
        raise
    except (DatabaseError, sqlite3.DatabaseError) as error:
        if "disk is full" in str(error) and isinstance(error, sqlite3.Error):
            raise DiskFullError(
                f"The {database.name} {database.path} cannot be copied to {folder}: the disk is full.",
                to_fix=f"free some space on the disk of {folder}",
            ) from error
        if damaged:
            return _save_as_it_is(database, database.path, folder / name, root)
        if isinstance(error, sqlite3.Error):
            raise DatabaseError(
                f"The {database.name} {database.path} cannot be copied: {error}.",
                to_fix="restore a backup of it (`orchestrator backup list`); or move it away, with its -wal, and "
                "`orchestrator runs import` fills a new one from var/runs",
            ) from error
        raise


def file_name(database: WorkspaceDatabase, number: int) -> str:
    """Return what a database's file is called in a backup."""
    return f"{number:02}-{_UNSAFE.sub('_', Path(database.name).name)}"


def _save_duckdb(database: WorkspaceDatabase, path: Path, target: Path, root: Path) -> DatabaseRecord:
    with _described(database, path, root) as (connection, record):
        compacted = _is_loose(connection) and _compact(connection, target, record.tables)
    if not compacted:
        digest = copy_unchanged(path, target)
    else:
        shutil.copymode(path, target)
        flush_file(target)
        digest = digest_of(target)
    return record.model_copy(update={"files": (_file(target, "", digest),), "compacted": compacted})


def describe_duckdb(database: WorkspaceDatabase, root: Path) -> DatabaseRecord:
    """Write the log of a DuckDB file into it, close it, and say what is in it; the record has no files.

    Raises:
        DatabaseLockedError: another program has it open.
        DatabaseError: it cannot be opened.
    """
    with _described(database, _path(database), root) as (_, record):
        return record


@contextmanager
def _described(
    database: WorkspaceDatabase, path: Path, root: Path
) -> Iterator[tuple[duckdb.DuckDBPyConnection, DatabaseRecord]]:
    import duckdb  # slow to import

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

    reader = _Reader(connection)
    ledger = read_ledger(reader, "")
    (tags,) = reader.query("select tags from duckdb_databases() where database_name = current_database()")[0]
    storage = tags.get("storage_version") if isinstance(tags, dict) else None
    return DatabaseRecord(
        name=database.name,
        kind=DUCKDB,
        path=shown_name(_path(database), root),
        url=None,
        files=(),
        engine=duckdb.__version__,
        storage_version=None if storage is None else str(storage),
        schema_version=str(ledger_version(reader, "")),
        fingerprint=ledger.stages[-1].fingerprint if ledger.stages else None,
        tables=_row_counts(reader),
        compacted=False,
        whole=True,
    )


class _Reader:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def query(self, sql: str) -> list[tuple[object, ...]]:
        return self._connection.execute(sql).fetchall()


def _row_counts(reader: _Reader) -> dict[str, int]:
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
            same = _row_counts(_Reader(copy)) == tables
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


def _save_sqlite(database: WorkspaceDatabase, path: Path, target: Path, root: Path) -> DatabaseRecord:
    with closing(sqlite3.connect(path, timeout=5)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("pragma journal_mode = delete")
        if copy.execute("pragma quick_check").fetchall() != [("ok",)]:
            raise sqlite3.DatabaseError("database disk image is malformed")
        names = [name for (name,) in copy.execute("select name from sqlite_master where type = 'table' order by 1")]
        counted = ((name, copy.execute(f"select count(*) from {quoted_name(name)}").fetchone()) for name in names)
        tables = {name: int(count) for name, (count,) in counted}
        version = (
            copy.execute(f"select version_num from {VERSION_TABLE}").fetchone() if VERSION_TABLE in names else None
        )
    shutil.copymode(path, target)
    flush_file(target)
    return DatabaseRecord(
        name=database.name,
        kind=SQLITE,
        path=shown_name(path, root),
        url=None,
        files=(_file(target, "", digest_of(target)),),
        engine=sqlite3.sqlite_version,
        storage_version=None,
        schema_version=None if version is None else str(version[0]),
        fingerprint=None,
        tables=tables,
        compacted=False,
        whole=True,
    )


def _save_as_it_is(database: WorkspaceDatabase, path: Path, target: Path, root: Path) -> DatabaseRecord:
    files = [_file(target, "", copy_file(path, target))]
    for log in logs_of(path):
        if log.exists():
            suffix = log.name.removeprefix(path.name)
            beside = target.with_name(target.name + suffix)
            files.append(_file(beside, suffix, copy_file(log, beside)))
    return unread(database, root).model_copy(update={"files": tuple(files)})


def unread(database: WorkspaceDatabase, root: Path) -> DatabaseRecord:
    """Return the record, without files, of a database that cannot be opened."""
    return DatabaseRecord(
        name=database.name,
        kind=database.kind,
        path=shown_name(_path(database), root),
        url=None,
        files=(),
        engine="",
        storage_version=None,
        schema_version=None,
        fingerprint=None,
        tables={},
        compacted=False,
        whole=False,
    )


def _file(path: Path, suffix: str, digest: FileDigest) -> FileRecord:
    return FileRecord(name=path.name, suffix=suffix, bytes=digest.bytes, sha256=digest.sha256)


def _path(database: WorkspaceDatabase) -> Path:
    assert database.path is not None
    return database.path


def missing(database: WorkspaceDatabase) -> bool:
    """Tell whether a database does not exist (a server's is looked for when it is copied)."""
    return database.kind != POSTGRESQL and (database.path is None or not database.path.exists())
