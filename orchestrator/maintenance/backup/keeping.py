"""Copies that are made without being asked for: backups around healing and runs, and the published database."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from orchestrator.config.paths import backups_dir, in_project
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import step
from orchestrator.core.errors import BackupError, ConfigurationError, DatabaseLockedError, DiskFullError
from orchestrator.core.events import Emit
from orchestrator.core.files import flush_folder
from orchestrator.core.permissions import make_folder
from orchestrator.core.untrusted import what_is_no_file
from orchestrator.maintenance.backup.backup import copy_all
from orchestrator.maintenance.backup.bounds import HEADERS
from orchestrator.maintenance.backup.duckdb_copy import copy_unchanged
from orchestrator.maintenance.backup.exclusion import locked
from orchestrator.maintenance.backup.files import beside, translate_os_errors
from orchestrator.maintenance.backup.pruning import remove_old
from orchestrator.maintenance.backup.workspace import DUCKDB, HISTORY, WorkspaceDatabase, databases_of

logger = logging.getLogger(__name__)

READ_ONLY = 0o444
BESIDE = ("", ".wal", ".lock", "-wal", "-shm", "-journal")
"""What the names of files end in that belong to a database."""


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
        made = copy_all([database_of], config.root, reason=reason, emit=emit)
        try:
            with locked(place, 0):
                remove_old(config.root, config.backup.keep, emit, made=made)
        except DatabaseLockedError:
            return  # the next one removes what is old
        except (BackupError, DiskFullError) as error:
            logger.warning("Backup %s was made, and older ones stay. %s", made.name, error)

    return keep


def publisher(config: SimulationConfig, database: Callable[[], Path | None], emit: Emit) -> Callable[[], None]:
    """Return what puts a copy of a database at ``publish``, in one move; its caller holds the mutex.

    Raises:
        ConfigurationError: something else is at that place, or belongs there.
        BackupError: when called: the copy cannot be written; the older one stays.
    """
    assert config.publish is not None
    target = config.resolve(config.publish)
    _require_own_place(config, target)

    def publish() -> None:
        path = database()
        if path is None:
            raise BackupError("publish copies a database file, but this project's database is not a file.")
        _require_own_place(config, target, path)  # the profile may have named it, and something may stand there now
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


def _require_own_place(config: SimulationConfig, target: Path, database: Path | None = None) -> None:
    """Make sure that a published copy replaces nothing but an older one.

    Raises:
        ConfigurationError: it would be another database of the workspace, or a file that is no DuckDB database.
    """
    remedy = "set `publish:` to a path of its own, such as var/published.duckdb"
    names = {one.path: one.name for one in databases_of(config, database) if one.path is not None}
    for path, name in names.items():
        if target.resolve() in {Path(f"{path}{ending}").resolve() for ending in BESIDE}:
            what = "the run history" if name == HISTORY else f"the database {name}"
            raise ConfigurationError(
                f"publish is {target}, which belongs to {what}: a run would replace it.", to_fix=remedy
            )
    place, magic = HEADERS[DUCKDB]
    stands = what_is_no_file(target)
    if stands is None and target.is_file() and target.stat().st_size:
        with target.open("rb") as file:
            stands = None if file.read(place + len(magic))[place:] == magic else "no DuckDB database"
    if stands is not None:
        raise ConfigurationError(f"publish is {target}, which is {stands}: a run would replace it.", to_fix=remedy)
