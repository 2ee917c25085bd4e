"""Put a backup in the place of the databases that are there, all of them or none.

First everything is laid beside its place and checked, and what is there is backed up; a journal in ``var/backups`` says
what was laid where. Then the journal is turned: from that moment on the restore counts as done, and what a crash leaves
is finished by :func:`recover`, which every command calls first. A crash before that moment is cleaned up by it.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config import backups_dir
from orchestrator.events import Emit, ignore
from orchestrator.exceptions import BackupDamagedError, BackupError, DatabaseLockedError
from orchestrator.maintenance.backup import (
    UNFINISHED,
    Backup,
    copy_all,
    existing,
    held,
    locked,
    verify_backup,
)
from orchestrator.maintenance.files import copy_file, flush_folder, write_text
from orchestrator.maintenance.metadata import DatabaseRecord
from orchestrator.maintenance.saving import log_of, run_program
from orchestrator.maintenance.workspace import POSTGRESQL, SQLITE, WorkspaceDatabase
from orchestrator.timing import step

JOURNAL = "restoring.json"
STAGED = ".restoring"
LAYING, SWAPPING = "laying", "swapping"
SECONDS_FOR_OTHERS = 5.0


@dataclass(frozen=True)
class Restored:
    """What was restored; ``kept`` is the backup of what was there before, None where nothing was."""

    backup: Backup
    databases: tuple[str, ...]
    kept: Backup | None


@dataclass(frozen=True)
class Swap:
    """A database's ``target`` and its ``parts``: (file laid beside, its place), the database itself first."""

    target: str
    parts: tuple[tuple[str, str], ...]

    def lay(self, backup: Backup, record: DatabaseRecord) -> None:
        """Copy the files of a backup beside their places, and make sure that they are what was backed up."""
        for file, (new, _) in zip(record.files, self.parts, strict=True):
            found = copy_file(backup.folder / file.name, Path(new))
            if (found.bytes, found.sha256) != (file.bytes, file.sha256):
                raise BackupDamagedError(f"Backup {backup.name} changed while it was read: {file.name}.")
        flush_folder(Path(self.target).parent)

    def swap(self) -> None:
        """Put the files in their places, the database itself last; doing it again changes nothing."""
        waiting = [(Path(new), Path(place)) for new, place in self.parts if Path(new).exists()]
        if not waiting:
            return
        places = {place for _, place in self.parts}
        for log in log_of(Path(self.target)):
            if str(log) not in places:
                log.unlink(missing_ok=True)
        for new, place in reversed(waiting):
            new.replace(place)
        flush_folder(Path(self.target).parent)

    def clear(self) -> None:
        """Remove what was laid beside."""
        for new, _ in self.parts:
            Path(new).unlink(missing_ok=True)


@dataclass(frozen=True)
class Journal:
    """What a restore is doing: ``phase`` is laying or swapping; ``server`` is (dump, major version) of the history."""

    phase: str
    swaps: tuple[Swap, ...]
    server: tuple[str, int] | None

    def write(self, file: Path) -> None:
        """Write it at once or not at all."""
        swaps = [{"target": swap.target, "parts": swap.parts} for swap in self.swaps]
        write_text(file, json.dumps({"phase": self.phase, "swaps": swaps, "server": self.server}, indent=2) + "\n")

    @classmethod
    def read(cls, file: Path) -> Journal:
        """Read it.

        Raises:
            BackupError: it is not what :meth:`write` writes.
        """
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            swaps = tuple(
                Swap(str(swap["target"]), tuple((str(new), str(place)) for new, place in swap["parts"]))
                for swap in found["swaps"]
            )
            server = None if found["server"] is None else (str(found["server"][0]), int(found["server"][1]))
            return cls(str(found["phase"]), swaps, server)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise BackupError(
                f"A restore was cut off, and its journal {file} cannot be read: {error!r}.",
                to_fix="remove that file and restore again: `orchestrator backup restore`",
            ) from error

    def finish(self, history_url: str | None) -> None:
        """Put everything in its place."""
        if self.server is not None:
            _restore_server(Path(self.server[0]), self.server[1], history_url)
        for swap in self.swaps:
            swap.swap()


def restore_backup(
    backup: Backup,
    root: Path,
    *,
    only: Path | None = None,
    history_url: str | None = None,
    lock_timeout: float,
    emit: Emit = ignore,
) -> Restored:
    """Restore all databases of a backup, or the one that lay at ``only``, to where they were.

    ``history_url`` is where the run history of a PostgreSQL server goes: a backup does not know passwords.

    Raises:
        BackupDamagedError: the backup is not what was written; nothing was touched.
        DatabaseLockedError: a run, or another program, has one of the databases.
        BackupError: the backup has no such database, or its server's programs are missing.
    """
    metadata = verify_backup(backup, emit=emit)
    records = [record for record in metadata.databases if only is None or _place(record, root) == only]
    if not records:
        raise BackupError(f"Backup {backup.name} holds no database {only}.", to_fix="see `orchestrator backup list`")
    targets = [WorkspaceDatabase(r.name, r.kind, _place(r, root), history_url) for r in records]
    place = backups_dir(root)
    with locked(place, lock_timeout), held(targets, lock_timeout, emit):
        for target in targets:
            _refuse_busy(target)
        there, kept = existing(targets), None
        if there:
            kept = copy_all(there, root, reason=f"before restoring {backup.name}", damaged=True, emit=emit)
        swaps = tuple(_swap_of(record, target) for record, target in zip(records, targets, strict=True) if target.path)
        server = next((_dump(backup, record) for record in records if record.kind == POSTGRESQL), None)
        journal = Journal(LAYING, swaps, server)
        journal.write(place / JOURNAL)
        try:
            for swap, record in zip(swaps, [r for r in records if r.kind != POSTGRESQL], strict=True):
                with step(f"lay {record.name} beside", emit):
                    swap.lay(backup, record)
        except BaseException:
            for swap in swaps:
                swap.clear()
            (place / JOURNAL).unlink()
            raise
        with step("swap", emit):
            turned = Journal(SWAPPING, swaps, server)
            turned.write(place / JOURNAL)
            turned.finish(history_url)
            _forget(place / JOURNAL)
    return Restored(backup, tuple(record.name for record in records), kept)


def recover(root: Path, history_url: str | None = None) -> bool:
    """Finish or clean up what a crash left of a backup or a restore; tell whether a restore was finished.

    Costs a look into one folder. Does nothing while another process is at it.

    Raises:
        BackupError: the restore cannot be finished.
    """
    place = backups_dir(root)
    journal = place / JOURNAL
    if not journal.exists() and not any(place.glob(f"{UNFINISHED}*")):
        return False
    try:
        with locked(place, 0):
            if not journal.exists():
                return False
            found = Journal.read(journal)
            if found.phase == SWAPPING:
                found.finish(history_url)
            else:
                for swap in found.swaps:
                    swap.clear()
            _forget(journal)
    except DatabaseLockedError:
        return False
    return found.phase == SWAPPING


def _forget(journal: Path) -> None:
    journal.unlink()
    flush_folder(journal.parent)


def _place(record: DatabaseRecord, root: Path) -> Path | None:
    return None if record.path is None else root / record.path


def _swap_of(record: DatabaseRecord, target: WorkspaceDatabase) -> Swap:
    assert target.path is not None
    target.path.parent.mkdir(parents=True, exist_ok=True)
    parts = tuple((f"{target.path}{STAGED}{file.suffix}", f"{target.path}{file.suffix}") for file in record.files)
    return Swap(str(target.path), parts)


def _dump(backup: Backup, record: DatabaseRecord) -> tuple[str, int]:
    return str(backup.folder / record.files[0].name), int(record.engine.split(".")[0])


def _refuse_busy(target: WorkspaceDatabase) -> None:
    """Make sure that nobody is in the middle of a write to a SQLite file; DuckDB's own lock is met by the copy."""
    if target.kind != SQLITE or target.path is None or not target.path.exists():
        return
    try:
        with closing(sqlite3.connect(target.path, timeout=SECONDS_FOR_OTHERS, isolation_level=None)) as connection:
            connection.execute("begin exclusive")
            connection.execute("rollback")
    except sqlite3.OperationalError as error:
        raise DatabaseLockedError(
            f"The run history {target.path} is being written by another process: {error}.",
            to_fix="wait for the run to end, or stop it, and restore again",
        ) from error
    except sqlite3.DatabaseError:
        return  # damaged: that is why it is restored


def _restore_server(dump: Path, major: int, url: str | None) -> None:
    if url is None or url.startswith("sqlite"):
        raise BackupError(
            f"{dump} holds a run history of PostgreSQL, and storage.url names none.",
            to_fix="give its URL: --set storage.url=postgresql://…",
        )
    args = ["--clean", "--if-exists", "--single-transaction", "--no-owner", str(dump)]
    run_program("pg_restore", major, url, args)
