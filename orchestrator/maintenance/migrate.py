"""Bring every database of a workspace to the newest shape: backup, apply, verify, keep or leave as it was.

A DuckDB file is never changed in its place: a copy beside it gets the newest ledger layout and storage version, is
compared with the original table by table, and takes its place in one move. The run history is changed by its own
migrations in one transaction (see :mod:`orchestrator.storage.initialization`).
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.paths import backups_dir
from orchestrator.core.clocks import step
from orchestrator.core.errors import BackupError, DatabaseError, DatabaseLockedError, OrchestratorError
from orchestrator.core.events import Emit, ignore
from orchestrator.core.files import flush_folder
from orchestrator.database.errors import known_database_error
from orchestrator.database.sql import literal, quoted_name
from orchestrator.ledger.reading import LAYOUTS, SCHEMA, ledger_version, upgrade_statements
from orchestrator.maintenance.backup.backup import copy_all
from orchestrator.maintenance.backup.exclusion import alone
from orchestrator.maintenance.backup.files import flush_file
from orchestrator.maintenance.backup.journal import JOURNAL, LAYING, STAGED, Journal, Swap, take_back
from orchestrator.maintenance.backup.saving import missing
from orchestrator.maintenance.backup.workspace import DUCKDB, WorkspaceDatabase
from orchestrator.maintenance.doctor.history_check import history_version
from orchestrator.storage.head import HEAD
from orchestrator.storage.initialization import ensure_initialized

if TYPE_CHECKING:
    import duckdb

MIGRATED, TO_MIGRATE, CURRENT = "migrated", "to be migrated", "already current"
FAILED, SKIPPED = "failed and restored", "skipped: no database"
REFUSED, IN_USE = "not begun", "in use"
OLD, NEW = "old", "new"
TABLES_SQL = """
select schema_name, table_name from duckdb_tables() where not internal and not temporary and database_name = '{name}'
order by all
"""
SHAPES_SQL = """
select 'column', schema_name, table_name, column_name, data_type from duckdb_columns()
where not internal and database_name = '{name}' and schema_name <> '{ledger}'
union all
select 'view', schema_name, view_name, '', '' from duckdb_views() where not internal and database_name = '{name}'
union all
select 'index', schema_name, index_name, table_name, expressions from duckdb_indexes() where database_name = '{name}'
union all
select 'sequence', schema_name, sequence_name, '', '' from duckdb_sequences() where database_name = '{name}'
union all
select 'macro', schema_name, function_name, '', macro_definition from duckdb_functions()
where not internal and database_name = '{name}'
order by all
"""


@dataclass(frozen=True)
class Migration:
    """What became of one database; ``changes`` are what was, or would be, done; ``backup`` is what was made before.

    ``error`` says why nothing was begun, or what failed.
    """

    database: str
    outcome: str
    changes: tuple[str, ...] = ()
    backup: str | None = None
    error: str | None = None


def migrate_databases(
    databases: Sequence[WorkspaceDatabase],
    root: Path,
    *,
    dry_run: bool = False,
    lock_timeout: float,
    history_url: str | None = None,
    emit: Emit = ignore,
) -> tuple[Migration, ...]:
    """Migrate databases one by one; one that fails is as it was, and the others are migrated all the same.

    ``dry_run`` says what would be done and changes no byte.

    One that another program has open is told as ``IN_USE``.

    Raises:
        DatabaseLockedError: a run has a database, or another process is at the backups.
    """
    there = [database for database in databases if not missing(database)]
    if dry_run:
        return tuple(_preview(database) if database in there else _skipped(database) for database in databases)
    with alone(root, there, timeout=lock_timeout, history_url=history_url, emit=emit):
        return tuple(
            _migrate(database, root, emit) if database in there else _skipped(database) for database in databases
        )


def _skipped(database: WorkspaceDatabase) -> Migration:
    return Migration(database.name, SKIPPED)


def _preview(database: WorkspaceDatabase) -> Migration:
    try:
        changes = _needed(database)
    except OrchestratorError as error:
        return _not_begun(database, error)
    return Migration(database.name, TO_MIGRATE if changes else CURRENT, changes)


def _migrate(database: WorkspaceDatabase, root: Path, emit: Emit) -> Migration:
    try:
        changes = _needed(database)
        if not changes:
            return Migration(database.name, CURRENT)
        backup = copy_all([database], root, reason=f"before migrating {database.name}", emit=emit).name
    except (OrchestratorError, OSError, sqlite3.Error) as error:
        return _not_begun(database, error)
    try:
        if database.kind == DUCKDB:
            assert database.path is not None
            _migrate_file(database.path, backups_dir(root) / JOURNAL, emit)
        else:
            assert database.url is not None
            with step("migrate", emit, detail=database.name):
                ensure_initialized(database.url, show_progress=False)
    except (OrchestratorError, OSError, sqlite3.Error) as error:
        return Migration(database.name, FAILED, changes, backup, str(error))
    return Migration(database.name, MIGRATED, changes, backup)


def _not_begun(database: WorkspaceDatabase, error: Exception) -> Migration:
    return Migration(database.name, IN_USE if isinstance(error, DatabaseLockedError) else REFUSED, error=str(error))


def _needed(database: WorkspaceDatabase) -> tuple[str, ...]:
    """Say what a database lacks; nothing is written."""
    if database.kind == DUCKDB:
        assert database.path is not None
        return _needed_by_file(database.path)
    version = history_version(database)
    return () if version == HEAD else (f"run history: schema {version or 'none'} to {HEAD}",)


def _needed_by_file(path: Path) -> tuple[str, ...]:
    import duckdb  # slow to import

    try:
        with closing(duckdb.connect(str(path), read_only=True)) as connection:
            layout = ledger_version(_Reader(connection), "")
            storage = _storage(connection)
    except duckdb.Error as error:
        raise _known(path, error) from error
    newest = _newest_storage()
    changes = []
    if 0 < layout < len(LAYOUTS):
        changes.append(f"ledger: layout {layout} to {len(LAYOUTS)}")
    if storage != newest:
        changes.append(f"storage: {storage} to {newest}")
    return tuple(changes)


def _migrate_file(link: Path, file: Path, emit: Emit) -> None:
    path = link.resolve()  # a link to a file stays a link
    new = Path(f"{path}{STAGED}")
    journal = Journal(LAYING, (Swap(str(path), DUCKDB, ((str(new), str(path)),)),))
    try:
        journal.write(file)
        new.unlink(missing_ok=True)
        with step("rewrite", emit, detail=path.name):
            _rewrite(path, new)
        with step("compare", emit, detail=path.name):
            _compare(path, new)
        shutil.copymode(path, new)
        flush_file(new)
        flush_folder(new.parent)
        journal.carry_out(file, None)
    except BaseException:
        take_back(file)
        raise


def _rewrite(path: Path, new: Path) -> None:
    """Copy everything into a file of the newest storage version, and bring its ledger to the newest layout."""
    import duckdb

    try:
        with closing(duckdb.connect()) as connection:
            connection.execute(f"attach {literal(path)} as {OLD} (read_only)")
            connection.execute(f"attach {literal(new)} as {NEW} (storage_version 'latest')")
            connection.execute(f"copy from database {OLD} to {NEW}")
            connection.execute(f"detach {OLD}")
            connection.execute(f"use {NEW}")
            layout = ledger_version(_Reader(connection), NEW)
            if layout:
                connection.execute("begin")
                for statement in upgrade_statements(layout, NEW):
                    connection.execute(statement)
                connection.execute("commit")
            connection.execute("checkpoint")
    except duckdb.Error as error:
        raise _known(path, error) from error


def _compare(path: Path, new: Path) -> None:
    """Make sure that the new file holds every table of the old one, row by row, and everything else by name.

    Raises:
        BackupError: it does not.
    """
    import duckdb

    try:
        with closing(duckdb.connect()) as connection:
            connection.execute(f"attach {literal(path)} as {OLD} (read_only)")
            connection.execute(f"attach {literal(new)} as {NEW} (read_only)")
            wrong = [*_differing_shapes(connection), *_differing_tables(connection)]
            if ledger_version(_Reader(connection), OLD) and ledger_version(_Reader(connection), NEW) != len(LAYOUTS):
                wrong.append("its ledger has not the newest layout")
    except duckdb.Error as error:
        raise _known(path, error) from error
    if wrong:
        raise BackupError(f"The migrated copy of {path} is not the same: {'; '.join(wrong[:5])}.")


def _differing_shapes(connection: duckdb.DuckDBPyConnection) -> list[str]:
    old, new = (set(connection.execute(SHAPES_SQL.format(name=name, ledger=SCHEMA)).fetchall()) for name in (OLD, NEW))
    return [f"{kind} {schema}.{name} {column} differs".strip() for kind, schema, name, column, _ in sorted(old - new)]


def _differing_tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    wrong = []
    for schema, table in connection.execute(TABLES_SQL.format(name=OLD)).fetchall():
        if (schema, table) == (SCHEMA, "ledger_version"):
            continue
        columns = connection.execute(
            "select column_name from duckdb_columns() where database_name = ? and schema_name = ? and table_name = ? "
            "order by column_index",
            [OLD, schema, table],
        ).fetchall()
        names = ", ".join(quoted_name(name) for (name,) in columns)
        question = f"select count(*), coalesce(sum(hash({names})), 0) from "
        relations = (quoted_name(database, schema, table) for database in (OLD, NEW))
        old, new = (connection.execute(question + relation).fetchall()[0] for relation in relations)
        if old != new:
            wrong.append(f"table {schema}.{table} has {new[0]} rows unlike {old[0]}, or other values")
    return wrong


def _newest_storage() -> str:
    """Return the storage version that this DuckDB writes."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder, closing(duckdb.connect()) as connection:
        connection.execute(f"attach {literal(Path(folder) / 'fresh.duckdb')} as {NEW} (storage_version 'latest')")
        connection.execute(f"use {NEW}")
        return _storage(connection)


def _storage(connection: duckdb.DuckDBPyConnection) -> str:
    ((tags,),) = connection.execute(
        "select tags from duckdb_databases() where database_name = current_database()"
    ).fetchall()
    return str(tags.get("storage_version", "unknown"))


def _known(path: Path, error: Exception) -> DatabaseError:
    return known_database_error(str(error), path) or DatabaseError(f"The database {path} cannot be migrated: {error}")


class _Reader:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def query(self, sql: str) -> list[tuple[object, ...]]:
        return self._connection.execute(sql).fetchall()
