"""Put a backup in the place of the databases that are there, all of them or none.

First every file is laid beside its place and hashed on the way, and what is there is kept as a backup of its own; a
journal in ``var/backups`` says what was laid where. Then the journal is turned: from that moment on the restore counts
as done, and what a crash leaves is finished by :func:`~orchestrator.maintenance.backup.exclusion.recover`, which every
command calls first. A crash before that moment is cleaned up by it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.paths import backups_dir
from orchestrator.core.clocks import step
from orchestrator.core.errors import BackupError, DatabaseLockedError
from orchestrator.core.events import Emit, ignore
from orchestrator.core.files import flush_folder
from orchestrator.maintenance.backup.backup import Backup, existing, verify_backup, verify_files
from orchestrator.maintenance.backup.bounds import Bounds
from orchestrator.maintenance.backup.exclusion import alone
from orchestrator.maintenance.backup.files import copy_file, translate_os_errors
from orchestrator.maintenance.backup.folders import keeping
from orchestrator.maintenance.backup.journal import JOURNAL, LAYING, STAGED, Journal, Swap, take_back
from orchestrator.maintenance.backup.metadata import DatabaseRecord, read_metadata
from orchestrator.maintenance.backup.replaced import Replaced
from orchestrator.maintenance.backup.server import find_program, refuse_busy_server, server_url, tables_there
from orchestrator.maintenance.backup.workspace import POSTGRESQL, SQLITE, WorkspaceDatabase

SECONDS_FOR_OTHERS = 5.0


@dataclass(frozen=True)
class Restored:
    """The outcome of a restore; ``kept`` is the backup of what was there before, None where nothing was."""

    backup: Backup
    databases: tuple[str, ...]
    kept: Backup | None


@dataclass(frozen=True)
class _Part:
    """A database of a backup, where it goes, and how it gets there: None for one on a server."""

    record: DatabaseRecord
    target: WorkspaceDatabase
    swap: Swap | None


def restore_backup(
    backup: Backup,
    root: Path,
    *,
    only: Path | None = None,
    history_url: str | None = None,
    bounds: Bounds | None = None,
    lock_timeout: float,
    emit: Emit = ignore,
) -> Restored:
    """Restore all databases of a backup, or the one that lay at ``only``, to where they were.

    ``history_url`` is where the run history of a PostgreSQL server goes: a backup does not know passwords. Nothing is
    written outside of the ``bounds``, whatever the backup says; by default they are databases below ``root``.

    Raises:
        BackupDamagedError: the backup is not what was written; nothing was touched.
        DatabaseLockedError: a run, or another program, has one of the databases.
        BackupError: the backup has no such database, or it leads elsewhere, its server's programs are missing, or the
            server refuses; then everything is as it was.
    """
    metadata = read_metadata(backup.folder)
    records = [record for record in metadata.databases if only is None or _place(record, root) == only]
    if not records:
        raise BackupError(f"Backup {backup.name} holds no database {only}.", to_fix="see `orchestrator backup list`")
    within = bounds or Bounds(root)
    parts = [_part(backup, record, root, history_url, within) for record in records]
    place = backups_dir(root)
    targets = [part.target for part in parts]
    with alone(root, targets, timeout=lock_timeout, history_url=history_url, bounds=within, emit=emit):
        _make_folders(parts)
        verify_files(backup, records)
        there = [target for target in existing(targets) if not _refuse_busy(target)]
        server = next((_dump(backup, record) for record in records if record.kind == POSTGRESQL), None)
        swaps = tuple(part.swap for part in parts if part.swap is not None)
        journal = Journal(LAYING, swaps, server, str(keeping(place)) if there else None)
        try:
            with Replaced(keeping(place), root) as replaced:
                with translate_os_errors(f"Backup {backup.name} cannot be restored, and everything is as it was", root):
                    journal.write(place / JOURNAL)
                    _prepare(backup, parts, there, replaced, emit)
                with step("swap", emit):
                    folder = journal.carry_out(place / JOURNAL, history_url)
        except BaseException:
            take_back(place / JOURNAL, Bounds.of(root, targets, others=False))
            raise
    kept = None if folder is None else Backup(folder, read_metadata(folder))
    return Restored(backup, tuple(record.name for record in records), kept)


def _prepare(
    backup: Backup, parts: Sequence[_Part], there: Sequence[WorkspaceDatabase], replaced: Replaced, emit: Emit
) -> None:
    """Lay everything beside its place and keep what is there; nothing that counts has happened then."""
    for target in there:
        with step("keep", emit, detail=target.name):
            replaced.keep(target)
    for part in parts:
        with step("lay beside", emit, detail=part.record.name):
            if part.swap is None:
                verify_backup(backup, only=part.record)
            else:
                _lay(backup, part.record, part.swap)
    if there:
        with step("write metadata", emit):
            replaced.finish(f"before restoring {backup.name}")


def _lay(backup: Backup, record: DatabaseRecord, swap: Swap) -> None:
    """Copy the files of a backup beside their places, and make sure that they are what was backed up.

    Raises:
        BackupDamagedError: they are not.
    """
    found = {}
    swap.clear()
    for file, (new, place) in zip(record.files, swap.parts, strict=True):
        found[file.name] = copy_file(backup.folder / file.name, Path(new))
        if Path(place).exists():
            shutil.copymode(place, new)
    flush_folder(Path(swap.target).parent)
    verify_files(backup, [record], found)


def _place(record: DatabaseRecord, root: Path) -> Path | None:
    return None if record.path is None else root / record.path


def _make_folders(parts: Sequence[_Part]) -> None:
    for folder in (Path(part.swap.target).parent for part in parts if part.swap is not None):
        with translate_os_errors(f"{folder} cannot be made", folder):
            folder.mkdir(parents=True, exist_ok=True)


def _part(backup: Backup, record: DatabaseRecord, root: Path, history_url: str | None, bounds: Bounds) -> _Part:
    path = _place(record, root)
    target = WorkspaceDatabase(record.name, record.kind, path, history_url)
    if path is None:
        dump, major = _dump(backup, record)
        server_url(Path(dump), history_url)
        for program in ("pg_dump", "pg_restore", "psql"):
            find_program(program, major)
        return _Part(record, target, None)
    file = bounds.target(path, record.kind, f"Backup {backup.name}")
    files = tuple((f"{file}{STAGED}{one.suffix}", f"{file}{one.suffix}") for one in record.files)
    return _Part(record, target, Swap(str(file), record.kind, files))


def _dump(backup: Backup, record: DatabaseRecord) -> tuple[str, int]:
    return str(backup.folder / record.files[0].name), int(record.engine.split(".")[0])


def _refuse_busy(target: WorkspaceDatabase) -> bool:
    """Make sure that nobody is in the middle of a write to a history; tell whether there is nothing to be kept.

    DuckDB's own lock is met when the file is kept.
    """
    if target.kind == POSTGRESQL:
        assert target.url is not None
        refuse_busy_server(target.url)
        return not tables_there(target.url)
    if target.kind == SQLITE and target.path is not None:
        _refuse_busy_file(target.path)
    return False


def _refuse_busy_file(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=SECONDS_FOR_OTHERS, isolation_level=None)) as connection:
            connection.execute("begin exclusive")
            connection.execute("rollback")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            return  # it cannot be opened: that is why it is restored
        raise DatabaseLockedError(
            f"The run history {path} is being written by another process: {error}.",
            to_fix="wait for the run to end, or stop it, and restore again",
        ) from error
    except sqlite3.DatabaseError:
        return  # damaged: that is why it is restored
