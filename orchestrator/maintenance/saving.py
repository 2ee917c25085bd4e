"""Copy one database, at one moment, into a folder, and say what is in it."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.dbt_runner.database_errors import known_database_error
from orchestrator.exceptions import BackupError, DatabaseError, DatabaseLockedError
from orchestrator.maintenance.files import FileDigest, copy_file, digest_of, flush_file
from orchestrator.maintenance.metadata import DatabaseRecord, FileRecord
from orchestrator.maintenance.workspace import DUCKDB, POSTGRESQL, SQLITE, WorkspaceDatabase, shown_name
from orchestrator.masking import masked
from orchestrator.pipeline.ledger import ledger_version, read_ledger
from orchestrator.storage.head import TABLES, VERSION_TABLE, VERSIONS

if TYPE_CHECKING:
    import duckdb

WORTH_COMPACTING = 0.25  # of the file's blocks are free
TABLES_SQL = """
select database_name, schema_name, table_name from duckdb_tables()
where not internal and not temporary and database_name = current_database() order by all
"""
DUMP_SUFFIX = ".dump"
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
    name = f"{number:02}-{_UNSAFE.sub('_', Path(database.name).name)}"
    if database.kind == POSTGRESQL:
        return _save_server(database, folder, name)
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
        if damaged:
            return _save_as_it_is(database, database.path, folder / name, root)
        if isinstance(error, sqlite3.Error):
            raise DatabaseError(
                f"The {database.name} {database.path} cannot be copied: {error}.",
                to_fix="restore a backup of it: `orchestrator backup list`",
            ) from error
        raise


def log_of(path: Path) -> tuple[Path, ...]:
    """Return the files that may lie beside a database and belong to it."""
    return tuple(Path(f"{path}{suffix}") for suffix in (".wal", "-wal", "-shm", "-journal"))


def _save_duckdb(database: WorkspaceDatabase, path: Path, target: Path, root: Path) -> DatabaseRecord:
    import duckdb  # slow to import

    try:
        with closing(duckdb.connect(str(path))) as connection:
            connection.execute("checkpoint")
            record = _describe_duckdb(database, connection, root)
            compacted = _is_loose(connection) and _compact(connection, target, record.tables)
    except duckdb.Error as error:
        raise known_database_error(str(error), path) or DatabaseError(
            f"The database {path} cannot be copied: {error}"
        ) from error
    if not compacted:
        digest = copy_unchanged(path, target)
    else:
        flush_file(target)
        digest = digest_of(target)
    return record.model_copy(update={"files": (_file(target, "", digest),), "compacted": compacted})


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
        quoted = ".".join('"' + str(part).replace('"', '""') + '"' for part in (catalog, schema, table))
        counts[f"{schema}.{table}"] = int(str(reader.query(f"select count(*) from {quoted}")[0][0]))
    return counts


def _is_loose(connection: duckdb.DuckDBPyConnection) -> bool:
    sizes = connection.execute("select total_blocks, free_blocks from pragma_database_size()").fetchall()
    return any(total and free / total > WORTH_COMPACTING for total, free in sizes)


def _compact(connection: duckdb.DuckDBPyConnection, target: Path, tables: dict[str, int]) -> bool:
    """Write a copy without holes; False, and no file, where DuckDB cannot, or it holds something else."""
    import duckdb

    name = "compact copy"
    place = str(target).replace("'", "''")
    source = connection.execute("select current_database()").fetchall()[0][0]
    try:
        connection.execute(f"attach '{place}' as \"{name}\"")
        connection.execute(f'copy from database "{source}" to "{name}"')
        connection.execute(f'detach "{name}"')
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
        tables = {name: int(copy.execute(f'select count(*) from "{name}"').fetchone()[0]) for name in names}
        version = (
            copy.execute(f"select version_num from {VERSION_TABLE}").fetchone() if VERSION_TABLE in names else None
        )
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
    for log in log_of(path):
        if log.exists():
            suffix = log.name.removeprefix(path.name)
            beside = target.with_name(target.name + suffix)
            files.append(_file(beside, suffix, copy_file(log, beside)))
    return DatabaseRecord(
        name=database.name,
        kind=database.kind,
        path=shown_name(path, root),
        url=None,
        files=tuple(files),
        engine="",
        storage_version=None,
        schema_version=None,
        fingerprint=None,
        tables={},
        compacted=False,
        whole=False,
    )


def _save_server(database: WorkspaceDatabase, folder: Path, name: str) -> DatabaseRecord:
    from sqlalchemy import text

    from orchestrator.storage.engine import opened, read_url
    from orchestrator.storage.failures import told

    assert database.url is not None
    url, target = read_url(database.url), folder / f"{name}{DUMP_SUFFIX}"
    with told(url), opened(url) as engine, engine.connect() as connection:
        engine_version = str(connection.execute(text("show server_version")).scalar_one())
        major = int(engine_version.split(".")[0])
        found = text("select count(*) from information_schema.tables where table_name = :name")
        there = connection.execute(found, {"name": VERSION_TABLE}).scalar_one()
        if not there:
            raise BackupError(
                f"There is no run history at {masked(database.url)}.", to_fix="run `orchestrator simulate`"
            )
        version = str(connection.execute(text(f"select version_num from {VERSION_TABLE}")).scalar_one())
        names = TABLES.get(version, TABLES[VERSIONS[-1]])
        counts = {one: int(connection.execute(text(f"select count(*) from {one}")).scalar_one()) for one in names}
    wanted = [word for one in (*names, VERSION_TABLE) for word in ("-t", one)]
    run_program("pg_dump", major, database.url, ["-Fc", "--no-owner", *wanted, "-f", str(target)])
    flush_file(target)
    return DatabaseRecord(
        name=database.name,
        kind=POSTGRESQL,
        path=None,
        url=masked(database.url),
        files=(_file(target, DUMP_SUFFIX, digest_of(target)),),
        engine=engine_version,
        storage_version=None,
        schema_version=version,
        fingerprint=None,
        tables=counts,
        compacted=False,
        whole=True,
    )


def run_program(name: str, major: int, url: str, args: list[str]) -> None:
    """Run one of PostgreSQL's programs, of the server's version or a newer one; the password goes by environment.

    Raises:
        BackupError: it is not installed, too old, or failed.
    """
    from orchestrator.storage.engine import read_url

    made = read_url(url)
    program = _find_program(name, major)
    options = {"-h": made.host, "-p": made.port, "-U": made.username, "-d": made.database}
    words = [word for option, value in options.items() if value is not None for word in (option, str(value))]
    environment = {**os.environ, **({"PGPASSWORD": str(made.password)} if made.password is not None else {})}
    done = subprocess.run(
        [program, *words, "--no-password", *args],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BackupError(f"{name} failed for {masked(url)}: {masked(done.stderr.strip())[:400]}")


def _find_program(name: str, major: int) -> Path:
    candidates = [Path(found) for found in [shutil.which(name)] if found]
    candidates += sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    versions = []
    for program in candidates:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"(\d+)(?:\.\d+)?", told)
        versions.append(int(found[1]) if found else 0)
        if found and int(found[1]) >= major:
            return program
    has = f"the one here is of version {max(versions)}" if versions else "it is not installed here"
    raise BackupError(
        f"The run history on PostgreSQL {major} is copied with {name}, and {has}.",
        to_fix=f"install PostgreSQL's client programs of version {major} or newer (apt-get install postgresql-client)",
    )


def _file(path: Path, suffix: str, digest: FileDigest) -> FileRecord:
    return FileRecord(name=path.name, suffix=suffix, bytes=digest.bytes, sha256=digest.sha256)


def _path(database: WorkspaceDatabase) -> Path:
    assert database.path is not None
    return database.path


def missing(database: WorkspaceDatabase) -> bool:
    """Tell whether a database does not exist (a server's is looked for when it is copied)."""
    return database.kind != POSTGRESQL and (database.path is None or not database.path.exists())
