"""Backups of a workspace: folders of checked copies below ``var/backups``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from orchestrator.config import backups_dir
from orchestrator.events import Emit, ignore
from orchestrator.exceptions import BackupDamagedError, BackupError, BackupNotFoundError, DatabaseLockedError
from orchestrator.locking import DatabaseMutex
from orchestrator.maintenance.files import digest_of, flush_folder
from orchestrator.maintenance.metadata import FORMAT, BackupMetadata, read_metadata, write_metadata
from orchestrator.maintenance.saving import FIRST, missing, save
from orchestrator.maintenance.workspace import DUCKDB, WorkspaceDatabase
from orchestrator.pipeline.versions import installed_versions
from orchestrator.processes import started
from orchestrator.timing import step, utc_now

UNFINISHED = ".making-"


@dataclass(frozen=True)
class Backup:
    """A backup in ``folder``; ``problem`` says why its metadata cannot be read, which is None then."""

    folder: Path
    metadata: BackupMetadata | None
    problem: str | None = None

    @property
    def name(self) -> str:
        """Return what it is called: when it was made, in UTC."""
        return self.folder.name


def create_backup(
    databases: Sequence[WorkspaceDatabase],
    root: Path,
    *,
    reason: str,
    lock_timeout: float,
    damaged: bool = False,
    emit: Emit = ignore,
) -> Backup:
    """Copy databases, those that exist, into a new folder; it gets its name when all of it is on the disk.

    Each DuckDB file is copied under its mutex, after a checkpoint and with no connection open, without its holes where
    it has many; SQLite by its backup API, PostgreSQL by ``pg_dump``. With ``damaged`` a file that cannot be opened is
    kept as it is.

    Raises:
        DatabaseLockedError: a run, or another program, has a database.
        DatabaseError: a database cannot be read.
        BackupError: there is no database, or it could not be copied.
    """
    there = existing(databases)
    if not there:
        names = ", ".join(database.name for database in databases) or "none is configured"
        raise BackupError(f"There is no database to back up ({names}).", to_fix=FIRST)
    with locked(backups_dir(root), lock_timeout), held(there, lock_timeout, emit):
        return copy_all(there, root, reason=reason, damaged=damaged, emit=emit)


def existing(databases: Sequence[WorkspaceDatabase]) -> tuple[WorkspaceDatabase, ...]:
    """Return the databases that exist."""
    return tuple(database for database in databases if not missing(database))


def copy_all(databases: Sequence[WorkspaceDatabase], root: Path, *, reason: str, damaged: bool, emit: Emit) -> Backup:
    """Make a backup of databases that exist and that the caller holds; see :func:`create_backup`."""
    place = backups_dir(root)
    making = place / f"{UNFINISHED}{os.getpid()}"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    try:
        records = []
        for number, database in enumerate(databases, 1):
            with step(f"copy {database.name}", emit):
                records.append(save(database, making, root, number, damaged=damaged))
        metadata = BackupMetadata(
            format=FORMAT,
            created_at=utc_now(),
            reason=reason,
            orchestrator=str(installed_versions().get("dbt-year-orchestrator", "unknown")),
            root=str(root),
            databases=tuple(records),
        )
        with step("write metadata", emit):
            write_metadata(making, metadata)
        folder = _free_name(place, metadata)
        making.rename(folder)
        flush_folder(place)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return Backup(folder, metadata)


def list_backups(root: Path) -> tuple[Backup, ...]:
    """Return all backups, newest first; one that cannot be read says why."""
    place = backups_dir(root)
    folders = [path for path in place.iterdir() if path.is_dir() and path.name[0].isdigit()] if place.is_dir() else []
    return tuple(_read(folder) for folder in sorted(folders, key=lambda path: path.name, reverse=True))


def find_backup(root: Path, name: str | None) -> Backup:
    """Return the backup whose name begins so, the newest where no name is given.

    Raises:
        BackupNotFoundError: there is none, or there are several.
    """
    there = list_backups(root)
    found = [backup for backup in there if name is None or backup.name.startswith(name)]
    exact = [backup for backup in there if backup.name == name]
    if name is None and found:
        return found[0]
    if len(found) == 1 or exact:
        return (exact or found)[0]
    if found:
        names = ", ".join(backup.name for backup in found[:5])
        raise BackupNotFoundError(f"Several backups begin with {name}: {names}.", to_fix="give more of the name")
    raise BackupNotFoundError(
        f"There is no backup{'' if name is None else f' {name}'} in {backups_dir(root)}.",
        to_fix="see `orchestrator backup list`, or make one with `orchestrator backup create`",
    )


def verify_backup(backup: Backup, *, emit: Emit = ignore) -> BackupMetadata:
    """Read every byte of a backup; return its metadata when all is as it was written.

    Raises:
        BackupDamagedError: something is missing or was changed; it names all of it.
    """
    metadata = read_metadata(backup.folder)
    wrong = []
    for record in metadata.databases:
        with step(f"verify {record.name}", emit):
            for file in record.files:
                path = backup.folder / file.name
                if not path.is_file():
                    wrong.append(f"{file.name} is missing")
                elif (found := digest_of(path)).bytes != file.bytes:
                    wrong.append(f"{file.name} has {found.bytes:,} bytes and had {file.bytes:,}")
                elif found.sha256 != file.sha256:
                    wrong.append(f"the content of {file.name} was changed")
    if wrong:
        raise BackupDamagedError(
            f"Backup {backup.name} is damaged: {'; '.join(wrong)}.",
            to_fix="use another one: `orchestrator backup list`",
        )
    return metadata


def prune_backups(root: Path, keep: int, *, lock_timeout: float, emit: Emit = ignore) -> tuple[Backup, ...]:
    """Remove all but the newest ``keep`` backups; the newest one that is whole is never removed. Return the removed.

    Raises:
        DatabaseLockedError: another process makes, restores or removes backups.
    """
    with locked(backups_dir(root), lock_timeout):
        return remove_old(root, keep, emit)


def remove_old(root: Path, keep: int, emit: Emit) -> tuple[Backup, ...]:
    """Remove backups whose lock the caller has; see :func:`prune_backups`."""
    backups = list_backups(root)
    newest, older = backups[:keep], list(backups[keep:])
    if older and not any(_is_whole(backup, emit) for backup in newest):
        whole = next((backup for backup in older if _is_whole(backup, emit)), None)
        older = [backup for backup in older if backup is not whole]
    for backup in older:
        gone = backup.folder.with_name(f"{UNFINISHED}{os.getpid()}-{uuid4().hex[:8]}")
        backup.folder.rename(gone)  # what is half removed is no backup any more
        shutil.rmtree(gone)
    return tuple(older)


@contextmanager
def locked(place: Path, timeout: float) -> Iterator[None]:
    """Be the only one who makes, restores or removes backups; what a killed process left half made is removed."""
    place.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(place / ".lock", timeout=timeout):
            for leftover in place.glob(f"{UNFINISHED}*"):
                if not _is_being_made(leftover):
                    shutil.rmtree(leftover, ignore_errors=True)
            yield
    except Timeout as error:
        raise DatabaseLockedError(
            f"Another process has been at the backups in {place} for {timeout:g} seconds.",
            to_fix=f"wait for it, or find it with `fuser {place / '.lock'}`",
        ) from error


@contextmanager
def held(databases: Sequence[WorkspaceDatabase], timeout: float, emit: Emit) -> Iterator[None]:
    """Hold the mutex of every DuckDB file, always in the same order."""
    files = sorted(database.path for database in databases if database.kind == DUCKDB and database.path is not None)
    with ExitStack() as stack:
        for file in files:
            stack.enter_context(DatabaseMutex(file, run_id=f"backup-{uuid4()}", emit=emit).held(timeout))
        yield


def _is_being_made(folder: Path) -> bool:
    """Tell whether the process is there that a half made backup is named after: runs make theirs without the lock."""
    pid = folder.name.removeprefix(UNFINISHED).partition("-")[0]
    return pid.isdigit() and int(pid) != os.getpid() and started(int(pid)) is not None


def _read(folder: Path) -> Backup:
    try:
        return Backup(folder, read_metadata(folder))
    except BackupDamagedError as error:
        return Backup(folder, None, error.message)


def _is_whole(backup: Backup, emit: Emit) -> bool:
    try:
        verify_backup(backup, emit=emit)
    except BackupDamagedError:
        return False
    return True


def _free_name(place: Path, metadata: BackupMetadata) -> Path:
    stem = f"{metadata.created_at:%Y%m%dT%H%M%SZ}"
    number, folder = 1, place / stem
    while folder.exists():
        number += 1
        folder = place / f"{stem}-{number}"
    return folder
