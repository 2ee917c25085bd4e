"""Remove old backups, and nothing else: what may be something else than an old backup is left alone, and named."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from orchestrator.config.paths import backups_dir
from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import BackupDamagedError, BackupError, OrchestratorError
from orchestrator.core.events import Emit, ignore
from orchestrator.core.permissions import described_owner
from orchestrator.maintenance.backup.backup import Backup, list_backups, verify_backup
from orchestrator.maintenance.backup.exclusion import locked
from orchestrator.maintenance.backup.files import translate_os_errors
from orchestrator.maintenance.backup.folders import UNFINISHED, is_named_by_us
from orchestrator.maintenance.backup.metadata import CHECKSUM, METADATA

logger = logging.getLogger(__name__)

_NUMBERED = re.compile(r"\d{2,}-.+")
"""What files of a backup are called whose metadata cannot be read."""
_MOST_NAMES = 3


@dataclass(frozen=True)
class Pruned:
    """What a removal of old backups did; ``left`` says, by name, why others were neither counted nor removed."""

    removed: tuple[Backup, ...]
    left: dict[str, str]


def prune_backups(root: Path, keep: int, *, lock_timeout: float, emit: Emit = ignore) -> Pruned:
    """Remove all but the newest ``keep`` backups; the newest one that is whole is never removed.

    A backup that somebody gave a name of his own is neither counted nor removed. Nor is a folder that may be something
    else than an old backup: a symbolic link, one without metadata, one with files of somebody else in it, and one that
    is dated later than now, whose place in the order nobody knows.

    Raises:
        DatabaseLockedError: another process makes, restores or removes backups.
        BackupError: a backup cannot be removed; the others were.
    """
    with locked(backups_dir(root), lock_timeout):
        return remove_old(root, keep, emit)


def remove_old(root: Path, keep: int, emit: Emit, *, made: Backup | None = None) -> Pruned:
    """Remove backups whose lock the caller has; see :func:`prune_backups`.

    The backup that was ``made`` just now is the newest, whatever the others' dates are.
    """
    now = utc_now()
    others = [one for one in list_backups(root) if is_named_by_us(one.folder)]
    if made is not None:
        others = [one for one in others if one.name != made.name]
    reasons = {backup.name: why_left(backup, now) for backup in others}
    backups = ([] if made is None else [made]) + [backup for backup in others if reasons[backup.name] is None]
    newest, older = backups[:keep], list(backups[keep:])
    if older and not any(_is_whole(backup, emit) for backup in newest):
        whole = next((backup for backup in older if _is_whole(backup, emit)), None)
        older = [backup for backup in older if backup is not whole]
    removed, failures = [], []
    for backup in older:
        try:
            _remove(backup)
            removed.append(backup)
        except OrchestratorError as error:
            failures.append(error)
    if failures:
        names = ", ".join(backup.name for backup in removed)
        raise BackupError(
            " ".join([*(error.message for error in failures), *([f"Removed were {names}."] if names else [])]),
            to_fix=failures[0].to_fix,
        ) from failures[0]
    return Pruned(tuple(removed), {name: reason for name, reason in reasons.items() if reason is not None})


def why_left(backup: Backup, now: datetime) -> str | None:
    """Say why a folder with the name of a backup may be something else than an old one; None where it is one."""
    if backup.folder.is_symlink():
        return "is a symbolic link"
    if not os.access(backup.folder, os.R_OK | os.X_OK):
        return f"cannot be looked into: {described_owner(backup.folder)}"
    foreign = foreign_files(backup)
    if foreign:
        more = f" and {len(foreign) - _MOST_NAMES} more" if len(foreign) > _MOST_NAMES else ""
        return f"holds what is no part of a backup: {', '.join(foreign[:_MOST_NAMES])}{more}"
    if backup.metadata is None and not _has(backup, METADATA) and not _has(backup, CHECKSUM):
        return f"has no {METADATA}"
    return "is dated later than now" if backup.is_later_than(now) else None


def foreign_files(backup: Backup) -> list[str]:
    """Return the names of what is in the folder of a backup and is no part of it, as far as that can be told."""
    try:
        there = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in os.scandir(backup.folder)]
    except OSError:
        return []  # whoever reads or removes it is told why that does not work
    if backup.metadata is None:
        known = {name for name, _ in there if _NUMBERED.fullmatch(name) is not None}
    else:
        known = {file.name for record in backup.metadata.databases for file in record.files}
    known |= {METADATA, CHECKSUM}
    return sorted(name for name, is_folder in there if is_folder or name not in known)


def _has(backup: Backup, name: str) -> bool:
    return os.path.lexists(backup.folder / name)


def _remove(backup: Backup) -> None:
    """Remove a backup; where that is not allowed, nothing of it was touched.

    Raises:
        BackupError: it cannot be removed.
    """
    what = f"Backup {backup.name} cannot be removed"
    gone = backup.folder.with_name(f"{UNFINISHED}{os.getpid()}-{uuid4().hex[:8]}")
    if not os.access(backup.folder, os.R_OK | os.W_OK | os.X_OK):
        raise BackupError(
            f"{what}: {os.strerror(errno.EACCES)} ({described_owner(backup.folder)}).",
            to_fix="let its owner remove it, or give it a name of its own: a renamed backup is not counted",
        )
    with translate_os_errors(what, backup.folder):
        backup.folder.rename(gone)  # what is half removed is no backup any more
        shutil.rmtree(gone)


def _is_whole(backup: Backup, emit: Emit) -> bool:
    try:
        verify_backup(backup, emit=emit)
    except BackupDamagedError:
        return False
    return True
