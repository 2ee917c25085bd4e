"""Copy one database, at one moment, into a folder, and say what is in it."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from orchestrator.config.paths import in_project
from orchestrator.core.errors import DatabaseError, DatabaseLockedError, DiskFullError
from orchestrator.core.permissions import touch
from orchestrator.database.sql import quoted_name
from orchestrator.maintenance.backup.duckdb_copy import save_duckdb
from orchestrator.maintenance.backup.files import copy_file, digest_of, flush_file
from orchestrator.maintenance.backup.journal import logs_of
from orchestrator.maintenance.backup.metadata import DatabaseRecord, FileRecord
from orchestrator.maintenance.backup.server import DUMP_SUFFIX, save_server
from orchestrator.maintenance.backup.workspace import DUCKDB, POSTGRESQL, SQLITE, WorkspaceDatabase
from orchestrator.storage.head import VERSION_TABLE

FIRST = "run `orchestrator init` first"
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
    try:
        if database.file.stat().st_size == 0:  # DuckDB would make a database of it
            return _save_as_it_is(database, folder / name, root)
        if database.kind == DUCKDB:
            return save_duckdb(database, folder / name, root)
        return _save_sqlite(database, folder / name, root)
    except DatabaseLockedError:
        raise
    except (DatabaseError, sqlite3.DatabaseError) as error:
        if "disk is full" in str(error) and isinstance(error, sqlite3.Error):
            raise DiskFullError(
                f"The {database.name} {database.path} cannot be copied to {folder}: the disk is full.",
                to_fix=f"free some space on the disk of {folder}",
            ) from error
        if damaged:
            return _save_as_it_is(database, folder / name, root)
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


def _save_sqlite(database: WorkspaceDatabase, target: Path, root: Path) -> DatabaseRecord:
    touch(target)
    with closing(sqlite3.connect(database.file, timeout=5)) as source, closing(sqlite3.connect(target)) as copy:
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
    shutil.copymode(database.file, target)
    flush_file(target)
    return DatabaseRecord(
        name=database.name,
        kind=SQLITE,
        path=in_project(database.file, root),
        url=None,
        files=(FileRecord.of(target, "", digest_of(target)),),
        engine=sqlite3.sqlite_version,
        storage_version=None,
        schema_version=None if version is None else str(version[0]),
        fingerprint=None,
        tables=tables,
        compacted=False,
        whole=True,
    )


def _save_as_it_is(database: WorkspaceDatabase, target: Path, root: Path) -> DatabaseRecord:
    path = database.file
    files = [FileRecord.of(target, "", copy_file(path, target))]
    for log in logs_of(path):
        if log.exists():
            suffix = log.name.removeprefix(path.name)
            beside = target.with_name(target.name + suffix)
            files.append(FileRecord.of(beside, suffix, copy_file(log, beside)))
    return unread(database, root).model_copy(update={"files": tuple(files)})


def unread(database: WorkspaceDatabase, root: Path) -> DatabaseRecord:
    """Return the record, without files, of a database that cannot be opened."""
    return DatabaseRecord(
        name=database.name,
        kind=database.kind,
        path=in_project(database.file, root),
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


def missing(database: WorkspaceDatabase) -> bool:
    """Tell whether a database does not exist (a server's is looked for when it is copied)."""
    return database.kind != POSTGRESQL and (database.path is None or not database.path.exists())
