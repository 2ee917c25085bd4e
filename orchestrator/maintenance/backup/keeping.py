"""Copies that are made without being asked for: backups around healing and runs, and the published database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from orchestrator.config.paths import backups_dir, in_project
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import step
from orchestrator.core.errors import BackupError, DatabaseLockedError
from orchestrator.core.events import Emit
from orchestrator.core.files import flush_folder
from orchestrator.core.permissions import make_folder
from orchestrator.maintenance.backup.backup import copy_all, remove_old
from orchestrator.maintenance.backup.duckdb_copy import copy_unchanged
from orchestrator.maintenance.backup.exclusion import locked
from orchestrator.maintenance.backup.files import beside, translate_os_errors
from orchestrator.maintenance.backup.workspace import DUCKDB, WorkspaceDatabase

READ_ONLY = 0o444


def keeper(
    config: SimulationConfig, database: Callable[[], Path | None], *, reason: str, emit: Emit
) -> Callable[[], None]:
    """Return what backs a database up, and removes the oldest backups; its caller holds the mutex."""

    def keep() -> None:
        path = database()
        if path is None or not path.exists():
            return
        place = backups_dir(config.root)
        make_folder(place)
        # Whoever makes backups waits for the mutex, which is held here: his lock is not waited for.
        database_of = WorkspaceDatabase(in_project(path, config.root), DUCKDB, path)
        copy_all([database_of], config.root, reason=reason, emit=emit)
        with suppress(DatabaseLockedError), locked(place, 0):
            remove_old(config.root, config.backup.keep, emit)

    return keep


def publisher(config: SimulationConfig, database: Callable[[], Path | None], emit: Emit) -> Callable[[], None]:
    """Return what puts a copy of a database at ``publish``, in one move; its caller holds the mutex.

    Raises:
        BackupError: when called: the copy cannot be written; the older one stays.
    """
    assert config.publish is not None
    target = config.resolve(config.publish)

    def publish() -> None:
        path = database()
        if path is None:
            raise BackupError("publish copies a database file, but this project's database is not a file.")
        new = beside(target)
        what = f"The run is complete, and its database could not be published to {target}"
        with step("publish", emit), translate_os_errors(what, target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                new.unlink(missing_ok=True)  # a killed run left it
                copy_unchanged(path, new)
                new.chmod(READ_ONLY)
                new.replace(target)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
            flush_folder(target.parent)

    return publish
