"""Backups of a workspace: folders of checked copies below ``var/backups``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from orchestrator.config.paths import backups_dir
from orchestrator.core.clocks import step, utc_now
from orchestrator.core.errors import BackupDamagedError, BackupError, BackupNotFoundError
from orchestrator.core.events import Emit, ignore
from orchestrator.core.permissions import folder_mode
from orchestrator.maintenance.backup.exclusion import alone
from orchestrator.maintenance.backup.files import FileDigest, digest_of, remove_folder, translate_os_errors
from orchestrator.maintenance.backup.folders import (
    KEEPING,
    UNFINISHED,
    is_named_by_us,
    named_moment,
    publish_folder,
    unfinished,
)
from orchestrator.maintenance.backup.metadata import (
    METADATA,
    OTHER,
    BackupMetadata,
    DatabaseRecord,
    in_utc,
    new_metadata,
    read_metadata,
    write_metadata,
)
from orchestrator.maintenance.backup.saving import FIRST, missing, save
from orchestrator.maintenance.backup.workspace import WorkspaceDatabase

logger = logging.getLogger(__name__)
_UNKNOWN = datetime.min.replace(tzinfo=timezone.utc)


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
    def made_at(self) -> datetime | None:
        """Return when it was made, by its metadata or its name; None where neither says so."""
        return named_moment(self.folder) if self.metadata is None else in_utc(self.metadata.created_at)

    def is_later_than(self, moment: datetime) -> bool:
        """Tell whether it is dated later than ``moment``; a clock was wrong then, and its order is unknown."""
        return self.made_at is not None and self.made_at > moment


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
    made = Backup(folder, metadata)
    _tell_of_later(made, root)
    return made


def _tell_of_later(made: Backup, root: Path) -> None:
    """Warn of backups that are dated later than now, when one was just made."""
    now = utc_now()
    later = [backup.name for backup in list_backups(root) if backup.is_later_than(now)]
    if later:
        logger.warning(
            "Backup %s was made now, and %s %s dated later: a clock was wrong. "
            "`backup list` shows the new one below; name it to restore it.",
            made.name,
            ", ".join(later),
            "is" if len(later) == 1 else "are",
        )


def list_backups(root: Path) -> tuple[Backup, ...]:
    """Return all backups, by their dates newest first; one that cannot be read says why.

    A folder is a backup by its name or, where somebody gave it another one, by its metadata; others are not ours.

    Raises:
        BackupError: the folder of the backups cannot be read.
    """
    place = backups_dir(root)
    with translate_os_errors("The backups cannot be listed", place):
        folders = [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
        ours = [path for path in folders if is_named_by_us(path) or _has_metadata(path)]
    whole = [_read(folder) for folder in ours if not folder.name.startswith((UNFINISHED, KEEPING))]
    return tuple(sorted(whole, key=lambda backup: (backup.made_at or _UNKNOWN, backup.name), reverse=True))


def find_backup(root: Path, name: str | None) -> Backup:
    """Return the backup whose name begins so, the newest where no name is given.

    Raises:
        BackupNotFoundError: there is none, or there are several, or nobody knows which is the newest.
    """
    there = list_backups(root)
    found = [backup for backup in there if name is None or backup.name.startswith(name)]
    exact = [backup for backup in there if backup.name == name]
    if name is None and found:
        later = [backup.name for backup in found if backup.is_later_than(utc_now())]
        if later and len(found) > 1:
            raise BackupNotFoundError(
                f"Which backup is the newest is unknown: {', '.join(later)} {'is' if len(later) == 1 else 'are'} dated "
                "later than now, so a clock was wrong.",
                to_fix="give the name of the one that is meant: see `orchestrator backup list`",
            )
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


def _has_metadata(folder: Path) -> bool:
    try:
        return (folder / METADATA).is_file()
    except PermissionError:
        return False  # a folder of somebody else, without the name of a backup


def _read(folder: Path) -> Backup:
    try:
        return Backup(folder, read_metadata(folder))
    except BackupDamagedError as error:
        return Backup(folder, None, error.message)
