"""Backups of a workspace: folders of checked copies below ``var/backups``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from orchestrator.config.paths import backups_dir
from orchestrator.core.clocks import step
from orchestrator.core.errors import BackupDamagedError, BackupError, BackupNotFoundError
from orchestrator.core.events import Emit, ignore
from orchestrator.core.permissions import folder_mode
from orchestrator.maintenance.backup.exclusion import alone, locked
from orchestrator.maintenance.backup.files import FileDigest, digest_of, remove_folder, translate_os_errors
from orchestrator.maintenance.backup.folders import KEEPING, UNFINISHED, is_named_by_us, publish_folder, unfinished
from orchestrator.maintenance.backup.metadata import (
    METADATA,
    OTHER,
    BackupMetadata,
    DatabaseRecord,
    new_metadata,
    read_metadata,
    write_metadata,
)
from orchestrator.maintenance.backup.saving import FIRST, missing, save
from orchestrator.maintenance.backup.workspace import WorkspaceDatabase


@dataclass(frozen=True)
class Backup:
    """A backup in ``folder``; ``problem`` says why its metadata cannot be read, which is None then."""

    folder: Path
    metadata: BackupMetadata | None
    problem: str | None = None

    @property
    def name(self) -> str:
        """Return what it is called: when it was made, in UTC, unless somebody gave it another name."""
        return self.folder.name

    @property
    def made_at(self) -> str:
        """Return when it was made, in the form of names, as far as that is known."""
        return self.name if self.metadata is None else f"{self.metadata.created_at:%Y%m%dT%H%M%S.%fZ}"


def create_backup(
    databases: Sequence[WorkspaceDatabase],
    root: Path,
    *,
    reason: str,
    lock_timeout: float,
    history_url: str | None = None,
    emit: Emit = ignore,
) -> Backup:
    """Copy databases, those that exist, into a new folder; it gets its name when all of it is on the disk.

    Each DuckDB file is copied under its mutex, after a checkpoint and with no connection open, without its holes where
    it has many; SQLite by its backup API, PostgreSQL by ``pg_dump``.

    Raises:
        DatabaseLockedError: a run, or another program, has a database.
        DatabaseError: a database cannot be read.
        BackupError: there is no database, or it could not be copied.
    """
    if not existing(databases):
        names = ", ".join(database.name for database in databases) or "none is configured"
        raise BackupError(f"There is no database to back up ({names}).", to_fix=FIRST)
    with alone(root, existing(databases), timeout=lock_timeout, history_url=history_url, emit=emit):
        return copy_all(existing(databases), root, reason=reason, emit=emit)


def existing(databases: Sequence[WorkspaceDatabase]) -> tuple[WorkspaceDatabase, ...]:
    """Return the databases that exist."""
    return tuple(database for database in databases if not missing(database))


def copy_all(databases: Sequence[WorkspaceDatabase], root: Path, *, reason: str, emit: Emit) -> Backup:
    """Make a backup of databases that exist and that the caller holds; see :func:`create_backup`."""
    place = backups_dir(root)
    making = unfinished(place)
    remove_folder(making)
    with translate_os_errors("The backup cannot be made", place):
        making.mkdir(folder_mode(making))
        try:
            records = []
            for number, database in enumerate(databases, 1):
                with step("copy", emit, detail=database.name):
                    records.append(save(database, making, root, number, damaged=False))
            metadata = new_metadata(reason, root, tuple(records))
            with step("write metadata", emit):
                write_metadata(making, metadata)
            folder = publish_folder(making, metadata.created_at)
        finally:
            remove_folder(making)
    return Backup(folder, metadata)


def list_backups(root: Path) -> tuple[Backup, ...]:
    """Return all backups, newest first; one that cannot be read says why.

    A folder is a backup by its name or, where somebody gave it another one, by its metadata; others are not ours.
    """
    place = backups_dir(root)
    folders = [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
    ours = [path for path in folders if is_named_by_us(path) or (path / METADATA).is_file()]
    whole = [_read(folder) for folder in ours if not folder.name.startswith((UNFINISHED, KEEPING))]
    return tuple(sorted(whole, key=lambda backup: (backup.made_at, backup.name), reverse=True))


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


def verify_backup(backup: Backup, *, only: DatabaseRecord | None = None, emit: Emit = ignore) -> BackupMetadata:
    """Read every byte of a backup, or of one database in it; return its metadata when all is as it was written.

    Raises:
        BackupDamagedError: something is missing or was changed; it names all of it.
    """
    metadata = read_metadata(backup.folder)
    records = metadata.databases if only is None else (only,)
    found: dict[str, FileDigest | str] = {}
    for record in records:
        with step("verify", emit, detail=record.name):
            for file in record.files:
                path = backup.folder / file.name
                if path.is_file() and not path.is_symlink():
                    found[file.name] = _digest(path)
    verify_files(backup, records, found)
    return metadata


def verify_files(
    backup: Backup, records: Sequence[DatabaseRecord], found: Mapping[str, FileDigest | str] | None = None
) -> None:
    """Make sure that the files of a backup are there, of their size, and where their hashes were ``found``, unchanged.

    In the place of a hash there may be the reason why a file could not be read.

    Raises:
        BackupDamagedError: something is missing or was changed; it names all of it.
    """
    wrong = []
    for file in (file for record in records for file in record.files):
        path = backup.folder / file.name
        if path.is_symlink():
            wrong.append(f"{file.name} is a symbolic link")
            continue
        size = path.stat().st_size if path.is_file() else None
        digest = None if found is None else found.get(file.name)
        if size is None:
            wrong.append(f"{file.name} is missing")
        elif size != file.bytes:
            wrong.append(f"{file.name} has {size:,} bytes and had {file.bytes:,}")
        elif isinstance(digest, str):
            wrong.append(f"{file.name} cannot be read: {digest}")
        elif digest is not None and digest != FileDigest(file.bytes, file.sha256):
            wrong.append(f"the content of {file.name} was changed")
    if wrong:
        raise BackupDamagedError(
            f"Backup {backup.name} is damaged: {'; '.join(wrong)}.",
            to_fix=OTHER,
        )


def _digest(path: Path) -> FileDigest | str:
    try:
        return digest_of(path)
    except OSError as error:
        return error.strerror or str(error)


def prune_backups(root: Path, keep: int, *, lock_timeout: float, emit: Emit = ignore) -> tuple[Backup, ...]:
    """Remove all but the newest ``keep`` backups; the newest one that is whole is never removed. Return the removed.

    A backup that somebody gave a name of his own is neither counted nor removed.

    Raises:
        DatabaseLockedError: another process makes, restores or removes backups.
    """
    with locked(backups_dir(root), lock_timeout):
        return remove_old(root, keep, emit)


def remove_old(root: Path, keep: int, emit: Emit) -> tuple[Backup, ...]:
    """Remove backups whose lock the caller has; see :func:`prune_backups`."""
    backups = [backup for backup in list_backups(root) if is_named_by_us(backup.folder)]
    newest, older = backups[:keep], list(backups[keep:])
    if older and not any(_is_whole(backup, emit) for backup in newest):
        whole = next((backup for backup in older if _is_whole(backup, emit)), None)
        older = [backup for backup in older if backup is not whole]
    for backup in older:
        gone = backup.folder.with_name(f"{UNFINISHED}{os.getpid()}-{uuid4().hex[:8]}")
        with translate_os_errors(f"Backup {backup.name} cannot be removed", backup.folder):
            backup.folder.rename(gone)  # what is half removed is no backup any more
            shutil.rmtree(gone)
    return tuple(older)


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
