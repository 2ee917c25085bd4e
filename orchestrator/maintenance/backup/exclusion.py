"""Be alone with the databases of a workspace and with its backups, after ending what a killed process began."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from orchestrator.config.paths import backups_dir
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import BackupError, DatabaseLockedError
from orchestrator.core.events import Emit, ignore
from orchestrator.core.permissions import described_owner, how_to_write, make_folder, touch, unwritable
from orchestrator.core.text import plural
from orchestrator.database.lock_note import what_stands_at
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.maintenance.backup.bounds import Bounds, bounds_of
from orchestrator.maintenance.backup.files import beside, remove_folder, translate_os_errors
from orchestrator.maintenance.backup.folders import KEEPING, UNFINISHED, abandoned
from orchestrator.maintenance.backup.journal import JOURNAL, Journal
from orchestrator.maintenance.backup.workspace import DUCKDB, WorkspaceDatabase

LEFTOVERS = (JOURNAL, beside(Path(JOURNAL)).name, f"{UNFINISHED}*", f"{KEEPING}*")


@contextmanager
def alone(
    root: Path,
    databases: Sequence[WorkspaceDatabase],
    *,
    timeout: float,
    history_url: str | None = None,
    bounds: Bounds | None = None,
    emit: Emit = ignore,
) -> Iterator[None]:
    """Hold the lock of the backups and the mutex of every DuckDB file; end first what a killed process began.

    Raises:
        DatabaseLockedError: somebody else has one of them.
        BackupError: what a killed process began cannot be ended.
    """
    place, within = backups_dir(root), bounds or Bounds(root)
    files = [database.path for database in databases if database.kind == DUCKDB and database.path is not None]
    with locked(place, timeout), held([*files, *_begun(place, within)], timeout, emit):
        finish_interrupted(place, history_url, within)
        yield


@contextmanager
def locked(place: Path, timeout: float) -> Iterator[None]:
    """Be the only one who makes, restores or removes backups; what a killed process left half made is removed."""
    lock = FileLock(place / ".lock", timeout=timeout)
    try:
        make_folder(place)
        touch(place / ".lock")
        lock.acquire()
    except Timeout as error:
        waited = f"is using {place}"
        if timeout:
            waited = f"has been using the backups in {place} for {plural(timeout, 'second')}"
        raise DatabaseLockedError(
            f"Another process {waited}.", to_fix=f"wait for it, or find it with `fuser {place / '.lock'}`"
        ) from error
    except OSError as error:
        taken = what_stands_at(place / ".lock")
        if taken is not None:
            raise BackupError(
                f"The lock file {place / '.lock'} of the backups is {taken}, which nobody can lock.",
                to_fix=f"move {place / '.lock'} away",
            ) from error
        denied = unwritable([place / ".lock", place])
        if denied:
            raise BackupError(
                f"Backups are kept in {place}, and that cannot be written to: {error.strerror}. "
                f"{described_owner(denied[0])}.",
                to_fix=how_to_write(denied),
            ) from error
        raise BackupError(
            f"Backups are kept in {place}, and that cannot be written to: {error.strerror}.",
            to_fix=f"make {place} a folder that you may write to, on a disk with some room",
        ) from error
    try:
        for leftover in abandoned(place):
            remove_folder(leftover)
        yield
    finally:
        lock.release()


@contextmanager
def held(files: Iterable[Path], timeout: float, emit: Emit) -> Iterator[None]:
    """Hold the mutex of every file, always in the same order; a file that has two names is held once."""
    with ExitStack() as stack:
        for file in sorted({file.resolve() for file in files}):
            stack.enter_context(DatabaseMutex(file, run_id=f"backup-{uuid4()}", emit=emit).held(timeout))
        yield


def recover(root: Path, history_url: str | None = None, bounds: Bounds | None = None) -> bool:
    """Finish or clean up what a crash left of a backup or a restore; tell whether a restore was finished.

    Costs a look into one folder. Does nothing while another process is at it.

    Raises:
        BackupError: the restore cannot be finished, or its journal leads out of the ``bounds``.
    """
    place, within = backups_dir(root), bounds or Bounds(root)
    if not any(True for pattern in LEFTOVERS for _ in place.glob(pattern)):
        return False
    try:
        with locked(place, 0), held(_begun(place, within), 0, ignore):
            return finish_interrupted(place, history_url, within)
    except DatabaseLockedError:
        return False


def recover_configured(config: SimulationConfig) -> bool:
    """Do the same for the databases that a configuration names, and for no others."""
    place = backups_dir(config.root)
    if not any(True for pattern in LEFTOVERS for _ in place.glob(pattern)):
        return False
    return recover(config.root, config.storage_url, bounds_of(config))


def recover_held(root: Path, history_url: str | None, database: Path, bounds: Bounds) -> None:
    """Do the same for somebody who holds the mutex of ``database``, and has waited for it perhaps.

    Costs a look for one file.

    Raises:
        DatabaseLockedError: another process keeps this one from doing so.
        BackupError: the restore cannot be finished.
    """
    place, here = backups_dir(root), database.resolve()
    try:
        begun = (place / JOURNAL).exists() and here in _begun(place, bounds)
    except PermissionError as error:
        raise BackupError(
            f"Whether a restore of {database} was cut off is unknown: {error.strerror} ({place}). "
            f"{described_owner(place)}.",
            to_fix=how_to_write([place]),
        ) from error
    if not begun:
        return
    with locked(place, 0):
        others = [file for file in _begun(place, bounds) if file != here]
        with held(others, 0, ignore):
            finish_interrupted(place, history_url, bounds)


def finish_interrupted(place: Path, history_url: str | None, bounds: Bounds) -> bool:
    """End what a killed process began; the caller holds what it takes. Tell whether a restore was finished."""
    journal = place / JOURNAL
    with translate_os_errors("What a killed process left of a restore cannot be removed", place):
        finished = journal.exists() and Journal.read(journal, bounds).finish_interrupted(journal, history_url)
        beside(journal).unlink(missing_ok=True)
    for leftover in place.glob(f"{KEEPING}*"):
        remove_folder(leftover)
    return finished


def _begun(place: Path, bounds: Bounds) -> list[Path]:
    """Return the DuckDB files that a restore in progress, or cut off, is about."""
    try:
        journal = Journal.read(place / JOURNAL, bounds)
    except FileNotFoundError:
        return []
    return [Path(swap.target).resolve() for swap in journal.swaps if swap.kind == DUCKDB]
