"""Bring every database of a workspace to the newest shape: backup, apply, verify, keep or leave as it was.

A DuckDB file is never changed in its place: a copy beside it gets the newest ledger layout and storage version, is
compared with the original table by table, and takes its place in one move. The run history is changed by its own
migrations in one transaction (see :mod:`orchestrator.storage.initialization`).
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.paths import backups_dir
from orchestrator.core.clocks import step
from orchestrator.core.errors import DatabaseLockedError, OrchestratorError
from orchestrator.core.events import Emit, ignore
from orchestrator.core.files import flush_folder
from orchestrator.maintenance.backup.backup import copy_all
from orchestrator.maintenance.backup.bounds import Bounds
from orchestrator.maintenance.backup.exclusion import alone
from orchestrator.maintenance.backup.files import flush_file
from orchestrator.maintenance.backup.journal import JOURNAL, LAYING, STAGED, Journal, Swap, take_back
from orchestrator.maintenance.backup.saving import missing
from orchestrator.maintenance.backup.workspace import DUCKDB, WorkspaceDatabase
from orchestrator.maintenance.doctor.history_check import history_version
from orchestrator.maintenance.duckdb_upgrade import needed_by_file, require_equal, rewrite
from orchestrator.storage.head import HEAD
from orchestrator.storage.initialization import ensure_initialized

MIGRATED, TO_MIGRATE, CURRENT = "migrated", "to be migrated", "already current"
FAILED, SKIPPED = "failed and restored", "skipped: no database"
REFUSED, IN_USE = "not begun", "in use"


@dataclass(frozen=True)
class Migration:
    """The outcome for one database; ``changes`` are what was, or would be, done; ``backup`` is what was made before.

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
            _migrate_file(database.file, backups_dir(root) / JOURNAL, emit)
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
        return needed_by_file(database.file)
    version = history_version(database)
    return () if version == HEAD else (f"run history: schema {version or 'none'} to {HEAD}",)


def _migrate_file(link: Path, file: Path, emit: Emit) -> None:
    path = link.resolve()  # a link to a file stays a link
    new = Path(f"{path}{STAGED}")
    journal = Journal(LAYING, (Swap(str(path), DUCKDB, ((str(new), str(path)),)),))
    try:
        journal.write(file)
        new.unlink(missing_ok=True)
        with step("rewrite", emit, detail=path.name):
            rewrite(path, new)
        with step("compare", emit, detail=path.name):
            require_equal(path, new)
        shutil.copymode(path, new)
        flush_file(new)
        flush_folder(new.parent)
        journal.carry_out(file, None)
    except BaseException:
        take_back(file, Bounds.of(file.parent, [WorkspaceDatabase(path.name, DUCKDB, path)], others=False))
        raise
