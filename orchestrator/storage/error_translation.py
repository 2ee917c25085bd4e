"""Translate what databases and their drivers raise into errors that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from orchestrator.core.errors import (
    StorageCorruptionError,
    StorageError,
    StorageFullError,
    StoragePermissionError,
    StorageUnavailableError,
)
from orchestrator.core.masking import masked
from orchestrator.core.permissions import described_owner, how_to_write, nearest_there, unwritable
from orchestrator.storage.engine import sqlite_file

DAMAGED_FIX = "move the file away, with its -wal; `orchestrator runs import` fills a new one from var/runs"
# Patterns of a database's message in small letters, the first that is found counts; what it means, and what to do.
Known = tuple[tuple[str, ...], type[StorageError], str, str]

SQLITE: tuple[Known, ...] = (
    (
        ("file is not a database", "file is encrypted"),
        StorageCorruptionError,
        "is not a SQLite database, or is damaged",
        f"if it is a file of something else, name another in storage.url; if it was the history, {DAMAGED_FIX}",
    ),
    (
        ("malformed", "could not decode to utf-8"),
        StorageCorruptionError,
        "is damaged",
        DAMAGED_FIX,
    ),
    (
        ("database or disk is full", "disk i/o error"),
        StorageFullError,
        "cannot be written: the disk is full",
        "free some space there",
    ),
    (
        (
            "readonly database",
            "read-only file system",
            "unable to open database file",
            "permission denied",
            "operation not permitted",
        ),
        StoragePermissionError,
        "cannot be opened for writing",
        "give yourself the right to write the file and its folder, or name another place in storage.url",
    ),
    (
        ("no such file or directory", "not a directory", "file exists", "file name too long"),
        StoragePermissionError,
        "cannot be made there",
        "name a place in storage.url where a folder can be made",
    ),
    (
        ("database is locked",),
        StorageUnavailableError,
        "is being written by another process for too long",
        "find out which with `fuser`, and wait for it or stop it",
    ),
)
POSTGRESQL: tuple[Known, ...] = (
    (
        ("password authentication failed", "no password supplied", "authentication failed"),
        StorageUnavailableError,
        "refuses the user or the password",
        "correct user and password in storage.url (or set PGPASSWORD)",
    ),
    (
        ("no space left", "disk full", "could not extend file"),
        StorageFullError,
        "cannot be written: its disk is full",
        "free some space on the server",
    ),
    (
        ("permission denied for table", "permission denied for relation", "permission denied for view"),
        StoragePermissionError,
        "does not let this user read and write its tables",
        "have the owner of the tables run `grant select, insert, update, delete on all tables in schema …` for the "
        "user of storage.url",
    ),
    (
        ("permission denied for sequence",),
        StoragePermissionError,
        "does not let this user write",
        "have the owner of the sequence run `grant usage on all sequences in schema …` for the user of storage.url",
    ),
    (
        ("permission denied for schema", "no schema has been selected"),
        StoragePermissionError,
        "does not let this user into the schema of its tables, or make them there",
        "have the owner of the schema run `grant usage, create on schema …` for the user of storage.url",
    ),
    (
        ("must be owner of",),
        StoragePermissionError,
        "has tables of another user, and only their owner may change their shape",
        "run `orchestrator runs list` once with the owner of the tables as the user of storage.url",
    ),
    (
        ("permission denied for database",),
        StoragePermissionError,
        "does not let this user in",
        "have the owner of the database run `grant connect on database …` for the user of storage.url",
    ),
    (
        ("read-only transaction",),
        StoragePermissionError,
        "can only be read",
        "name a server in storage.url that is no standby, and where default_transaction_read_only is off",
    ),
    (
        ("permission denied", "must be superuser"),
        StoragePermissionError,
        "does not let this user do that",
        "give the user of storage.url the right that is named there, or name another user",
    ),
    (
        ("no pg_hba.conf entry",),
        StorageUnavailableError,
        "does not let this user in from here",
        "add a line for this user, database and host to the server's pg_hba.conf",
    ),
    (
        (r'role ".*" does not exist',),
        StorageUnavailableError,
        "does not know this user",
        "correct the user in storage.url, or create it with `createuser`",
    ),
    (
        (r'database ".*" does not exist',),
        StorageUnavailableError,
        "does not exist",
        "create the database with `createdb`, or correct the name in storage.url",
    ),
    (
        (
            "connection refused",
            "could not translate host name",
            "failed to resolve host",
            "name or service not known",
            "timeout",
            "no route to host",
            "network is unreachable",
            "server closed the connection",
            "terminating connection",
            "connection failed",
            "starting up",
            "shutting down",
            "connection is closed",
            "no such file or directory",
        ),
        StorageUnavailableError,
        "cannot be reached",
        "start the server, or correct host and port in storage.url",
    ),
)


@contextmanager
def translate_errors(url: URL) -> Iterator[None]:
    """Turn what the database or the file system raises into errors of this package.

    Raises:
        StorageError: one of its kinds, with what to do where that is certain.
    """
    try:
        yield
    except StorageError:
        raise  # some of them are OSErrors, too
    except DBAPIError as error:
        raise storage_error(url, str(error.orig)) from error
    except SQLAlchemyError as error:
        reason = error.orig if isinstance(error, StatementError) and error.orig is not None else error
        raise storage_error(url, str(reason)) from error
    except OSError as error:
        raise storage_error(url, f"{error.strerror or error}: {error.filename or ''}") from error


def shown(url: URL) -> str:
    """Name a store for people: its file, or its URL without the password."""
    file = sqlite_file(url)
    return (
        str(file)
        if file is not None
        else masked(url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True))
    )


def storage_error(url: URL, message: str) -> StorageError:
    """Return the error that a database's message stands for."""
    words = message.lower()
    for texts, kind, what, to_fix in SQLITE if url.get_backend_name() == "sqlite" else POSTGRESQL:
        if any(re.search(text, words) for text in texts):
            told = f"The run history {shown(url)} {what} ({_short(message)})."
            locked = _locked(url) if kind is StoragePermissionError else []
            if not locked:
                return kind(told, to_fix=to_fix)
            told += f" {described_owner(locked[0])}."
            return kind(told, to_fix=f"{how_to_write(locked)}; or name another place in storage.url")
    return StorageError(f"The run history {shown(url)} cannot be used: {_short(message)}")


def _locked(url: URL) -> list[Path]:
    """Return what this user may not write of a history that is a file."""
    file = sqlite_file(url)
    return [] if file is None else unwritable([file, Path(f"{file}.lock"), nearest_there(file.parent)])


def _short(message: str) -> str:
    return masked(" ".join(message.split()).rstrip(" :"))[:300]
