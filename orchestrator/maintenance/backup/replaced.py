"""The backup of what a restore replaces: a DuckDB file gets a second name there, and is not copied.

When the new file takes the place of the old one, that second name is its only one. Until then the folder has no name of
a backup, for what is in it is still in use.
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Self

from orchestrator.core.errors import BackupError, DatabaseError, DatabaseLockedError
from orchestrator.core.files import flush_folder
from orchestrator.core.permissions import folder_mode
from orchestrator.maintenance.backup.duckdb_copy import describe_duckdb
from orchestrator.maintenance.backup.files import FileDigest, copy_file, digest_of_stream
from orchestrator.maintenance.backup.journal import logs_of
from orchestrator.maintenance.backup.metadata import (
    BackupMetadata,
    DatabaseRecord,
    FileRecord,
    new_metadata,
    write_metadata,
)
from orchestrator.maintenance.backup.saving import file_name, save, unread
from orchestrator.maintenance.backup.workspace import DUCKDB, WorkspaceDatabase

if sys.platform != "win32":
    import fcntl

UNREADABLE = "unreadable"


@dataclass(frozen=True)
class _Linked:
    """A file that is about to be replaced, what it was when it was looked at, and its hash when that is known."""

    file: Path
    name: str
    suffix: str
    looked: tuple[int, int, int]
    digest: Future[FileDigest]


class Replaced:
    """Collects in ``folder`` what is about to be replaced; until the ``with`` block ends nobody writes to it.

    A second thread hashes the files meanwhile.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder = folder
        self._root = root
        self._kept: list[tuple[DatabaseRecord, list[_Linked]]] = []
        self._stack = ExitStack()
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self._second = self._stack.enter_context(ThreadPoolExecutor(1))
        self._stack.callback(self._stopped.set)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def keep(self, database: WorkspaceDatabase) -> None:
        """Take a database in, damaged or whole.

        Raises:
            DatabaseLockedError: another program has it open.
        """
        self._folder.mkdir(folder_mode(self._folder), exist_ok=bool(self._kept))
        number = len(self._kept) + 1
        if database.kind != DUCKDB:
            self._kept.append((save(database, self._folder, self._root, number, damaged=True), []))
            return
        path, record = database.file.resolve(), unread(database, self._root)
        if path.stat().st_size:  # DuckDB would make a database of an empty file
            try:
                record = describe_duckdb(database, self._root)
            except DatabaseLockedError:
                raise
            except DatabaseError:
                pass  # damaged: that is why it is restored
        files = [path, *(log for log in logs_of(path) if log.exists())]
        linked: list[_Linked] = []
        self._kept.append((record, linked))
        for file in files:
            suffix = file.name.removeprefix(path.name)
            linked.append(self._link(file, f"{file_name(database, number)}{suffix}", suffix))

    def finish(self, reason: str) -> BackupMetadata:
        """Write down what is in the folder.

        Raises:
            BackupError: a file was written to meanwhile.
        """
        records = []
        for record, linked in self._kept:
            found = [one.digest.result() for one in linked]
            for one in linked:
                self._refuse_changed(one)
            files = tuple(
                FileRecord(name=one.name, suffix=one.suffix, bytes=digest.bytes, sha256=digest.sha256)
                for one, digest in zip(linked, found, strict=True)
            )
            records.append(record.model_copy(update={"files": files}) if linked else record)
        metadata = new_metadata(reason, self._root, tuple(records))
        write_metadata(self._folder, metadata)
        flush_folder(self._folder.parent)
        return metadata

    def _link(self, file: Path, name: str, suffix: str) -> _Linked:
        beside, looked = self._folder / name, _look(file)
        try:
            os.link(file, beside)
        except OSError:  # another disk, or one without links
            copied: Future[FileDigest] = Future()
            copied.set_result(copy_file(file, beside))
            return _Linked(file, name, suffix, looked, copied)
        stream = self._stack.enter_context(file.open("rb", buffering=0))
        _keep_writers_out(stream, file)
        return _Linked(file, name, suffix, looked, self._second.submit(self._hash, stream, looked[1]))

    def _hash(self, stream: RawIOBase, size: int) -> FileDigest:
        try:
            return digest_of_stream(stream, self._stopped.is_set)
        except OSError:  # a bad disk: it is kept, and no backup that is whole
            return FileDigest(size, UNREADABLE)

    def _refuse_changed(self, one: _Linked) -> None:
        if _look(one.file) != one.looked:
            raise BackupError(
                f"The database {one.file} was written to meanwhile, by a program that does not heed its lock.",
                to_fix="close that program (`fuser` names it), and restore again",
            )


def _look(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _keep_writers_out(stream: RawIOBase, file: Path) -> None:
    """Hold DuckDB's own lock on a file as a reader does.

    It is let go when this process closes the file anywhere, so nobody here opens it a second time.

    Raises:
        DatabaseLockedError: somebody writes to it.
    """
    if sys.platform == "win32":
        return
    try:
        fcntl.lockf(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (PermissionError, BlockingIOError) as error:
        raise DatabaseLockedError(
            f"The database {file} is open in another program.",
            to_fix="close that program's connection, or wait until it ends, and run again",
        ) from error
    except OSError:
        return  # a disk without locks: a change is noticed in the end
