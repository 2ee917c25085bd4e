"""Classification of a database's error messages."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from orchestrator.core.errors import (
    DatabaseCorruptionError,
    DatabaseError,
    DatabaseLockedError,
    DatabasePermissionError,
    DiskFullError,
)
from orchestrator.core.permissions import described_owner, how_to_write, unwritable
from orchestrator.core.untrusted import what_is_no_file

_LOCKED = re.compile(r"Could not set lock on file.*?(?:\(PID (\d+)\)|$)", re.DOTALL)
_HOLDER = re.compile(r"Conflicting lock is held in (.+?) \(PID")
_SAME_PROCESS = "same database file with a different configuration"
_FULL = ("No space left on device", "File too large", "Disk quota exceeded", "Out of disk space")
_DENIED = ("Permission denied", "Read-only file system", "Operation not permitted")
_CORRUPT = (
    "not a valid DuckDB database file",
    "Corrupt database file",
    "Could not read enough bytes",
    "does not match stored checksum",
    "Failure while replaying WAL",
    "Serialization Error",
)
FREE_SPACE = "free some disk space there (or raise the quota) and run again; what was committed is kept"
_OF_PYTHON = re.compile(r"\[Errno \d+\] (?P<reason>[^:\n]+)(?:: '(?P<file>[^'\n]+)')?")
_SQLITE = b"SQLite format 3\0"
_LOG_OF_ANOTHER = "This WAL was created for"
_WRAPPING = ("Runtime Error", "Database Error", "Compilation Error")
_NEWER = ("newer version of DuckDB", "newer DuckDB version", "trying to read a database file with version number")


def known_database_error(message: str, path: Path | None) -> DatabaseError | None:
    """Return the error that a database's message stands for, None when it is no trouble of the file itself.

    The messages are DuckDB 2.0's; a later one that words them otherwise falls through to None.
    """
    where = f"database {path}" if path is not None else "database"
    if _SAME_PROCESS in message:
        return DatabaseLockedError(
            f"The {where} is already open in this process (pid {os.getpid()}) with a different configuration.",
            pid=os.getpid(),
            to_fix="close that duckdb connection before the orchestrator runs",
        )
    if (locked := _LOCKED.search(message)) is not None:
        pid = int(locked.group(1)) if locked.group(1) else None
        holder = _HOLDER.search(message)
        program = f" ({holder.group(1)})" if holder is not None else ""
        return DatabaseLockedError(
            f"The {where} is open in another program: pid {pid or 'unknown'}{program}.",
            pid=pid,
            command=holder.group(1) if holder is not None else None,
            to_fix="close that program's connection, or wait until it ends, and run again",
        )
    if any(text in message for text in _FULL):
        if (ours := _OF_PYTHON.search(message)) is not None:  # DuckDB words its own differently
            place = ours.group("file") or "a file of dbt's, in var/dbt or the system's temporary folder"
            return DiskFullError(f"There is no room for {place}: {ours.group('reason')}.", to_fix=FREE_SPACE)
        return DiskFullError(
            f"The {where} could not grow: {_first_line(message)}",
            to_fix=FREE_SPACE,
        )
    if any(text in message for text in _DENIED):
        return _permission_error(message, path)
    if "Is a directory" in message:
        return folder_error(path)
    if _LOG_OF_ANOTHER in message:
        return DatabaseCorruptionError(
            f"The {where} and its log {path or ''}.wal do not belong together: {_first_line(message)}",
            to_fix="put back the database file that this log belongs to; or, if that is gone, move the .wal file "
            "away, which gives up what was only in it",
        )
    if any(text in message for text in _NEWER):
        return DatabaseError(
            f"The {where} was written by another version of DuckDB: {_first_line(message)}",
            to_fix="install the DuckDB version that wrote it",
        )
    if any(text in message for text in _CORRUPT):
        return DatabaseCorruptionError(
            f"The {where} is damaged or is not a DuckDB database: {_first_line(message)}",
            to_fix="restore a backup, or run `orchestrator init --recreate`, which moves the file aside and "
            "builds a new one",
        )
    return None


def _permission_error(message: str, path: Path | None) -> DatabasePermissionError:
    locked = [] if path is None else unwritable([path, path.resolve().parent, Path(f"{path.resolve()}.wal")])
    what = f"The database {path or ''}".rstrip() + f" cannot be opened for writing: {_first_line(message)}"
    if not locked:
        to_fix = "give this user read and write permission on the file and its folder, or set `database:`"
        return DatabasePermissionError(what, to_fix=to_fix)
    return DatabasePermissionError(
        f"{what} {described_owner(locked[0])}.", to_fix=f"{how_to_write(locked)}; or set `database:` to another place"
    )


def folder_error(path: Path | None) -> DatabaseError:
    """Return the error for a folder that stands where a database should."""
    where = f"database {path}" if path is not None else "database"
    return DatabaseError(f"The {where} is a folder, not a file.", to_fix="set `database:` to the path of a file")


def refuse_special_file(path: Path) -> None:
    """Refuse what is neither a file nor a folder: a device has no rows, and who opens a pipe waits for ever.

    Raises:
        DatabaseError: it is such a thing.
    """
    what = what_is_no_file(path)
    if what is not None and not path.is_dir():
        raise DatabaseError(
            f"The database {path} is {what}, not a file.", to_fix="set `database:` to the path of a file"
        )


def refuse_other_database(path: Path) -> None:
    """Refuse a file that another program's database is in: DuckDB would look for an extension that reads it.

    Raises:
        DatabaseCorruptionError: it is an SQLite file.
        DatabaseError: it is no file at all.
    """
    refuse_special_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE))
    except OSError:
        return  # DuckDB says it better
    if head == _SQLITE:
        raise DatabaseCorruptionError(
            f"The database {path} is not a DuckDB database: it is an SQLite file.",
            to_fix="set `database:` to another path: what is in this file belongs to another program",
        )


def known_os_error(error: OSError) -> DatabaseError | None:
    """Return the error that an operating system's error outside the database stands for, None when it is another."""
    if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return None
    place = error.filename2 or error.filename
    return DiskFullError(
        f"There is no room for {place or 'a file of dbt'}: {error.strerror}.",
        to_fix=FREE_SPACE,
    )


def database_error(message: str, path: Path | None) -> DatabaseError:
    """Return the error for a message that is known to come from the database."""
    return known_database_error(message, path) or DatabaseError(
        f"The database {path or ''} reports: {message.strip()}",
        to_fix="run `orchestrator doctor`, which reads all of the database and says what is wrong with it",
    )


def _first_line(message: str) -> str:
    r"""Return the first line that says something: dbt puts one of its own before the database's.

    >>> _first_line("Runtime Error\n  IO Error: No space left on device")
    'IO Error: No space left on device'
    """
    lines = [line.strip() for line in message.strip().splitlines()]
    return next((line for line in lines if line and not line.startswith(_WRAPPING)), "no reason given")
