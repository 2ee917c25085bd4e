"""Make the run history ready: create it on first use, upgrade an older one, leave a ready one alone.

Every entry point calls :func:`ensure_initialized` before it touches the history. A ready SQLite file is recognized
without importing anything; whatever else is done, is done under a lock and in one transaction.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from filelock import FileLock, Timeout

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import StorageError, StorageUnavailableError
from orchestrator.core.permissions import make_folder, touch
from orchestrator.storage.head import HEAD, TABLES, VERSION_TABLE

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

logger = logging.getLogger(__name__)

LOCK_SECONDS = 30.0
ADVISORY_LOCK = 0x6F7263_68  # "orch": one number for all databases of one server; it is held for moments


def ensure_initialized(url: str, *, show_progress: bool = True) -> bool:
    """Make sure that the run history at ``url`` exists and has the newest shape; True once it is ready.

    Creates folder, file and tables on first use; an older shape is upgraded, a SQLite file after a backup beside it.
    When that fails, all is as it was. ``show_progress`` shows a status line meanwhile, if standard error is a terminal.
    A ready one costs milliseconds, and any number of processes may call this at once. A relative path in ``url`` is
    relative to the working folder.

    Raises:
        ConfigurationError: ``url`` is not that of a SQLite or PostgreSQL database.
        StorageError: one of its kinds: no permission, disk full, no server, wrong password, not a run history, written
            by a newer version.
        MissingExtraError: the driver for PostgreSQL is not installed.
    """
    file = _plain_file(url)
    if file is not None and _is_ready(file):
        return True
    from orchestrator.storage.engine import opened, read_url, sqlite_file  # SQLAlchemy: a fifth of a second
    from orchestrator.storage.error_translation import translate_errors

    made = read_url(url)
    file = sqlite_file(made)
    if made.get_backend_name() == "sqlite" and file is None:
        return True  # in memory: whoever opens it makes it
    with translate_errors(made):
        if file is None:
            with opened(made, migrating=True) as engine:
                _prepare_server(engine, show_progress=show_progress)
        elif not _is_ready(file):
            _prepare_file(made, file, show_progress=show_progress)
    return True


def is_ready(url: str) -> bool:
    """Tell whether there is a run history of the newest shape at ``url``; nothing is written."""
    file = _plain_file(url)
    if file is not None:
        return _is_ready(file)
    from orchestrator.storage.engine import opened, read_url
    from orchestrator.storage.error_translation import translate_errors
    from orchestrator.storage.schema import version_of

    made = read_url(url)
    try:
        with translate_errors(made), opened(made) as engine, engine.connect() as connection:
            return version_of(connection) == HEAD
    except StorageError:
        return False


def prepare(engine: Engine) -> None:
    """Bring the schema of an engine to the newest version in one transaction."""
    from orchestrator.storage.schema import upgrade

    with engine.begin() as connection:
        upgrade(connection)


def _plain_file(url: str) -> Path | None:
    scheme, slashes, path = url.partition(":///")
    plain = scheme == "sqlite" and slashes and path and "?" not in path and not path.startswith((":memory:", "file:"))
    return Path(unquote(path)) if plain else None


def _is_ready(file: Path) -> bool:
    """Tell whether a file is a run history of the newest shape; whatever is odd is looked at closely later."""
    if not file.is_file() or not os.access(file, os.W_OK):
        return False
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=5)) as connection:
            version = connection.execute(f"select version_num from {VERSION_TABLE}").fetchall()
            tables = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    except sqlite3.Error:
        return False
    return version == [(HEAD,)] and tables.issuperset(TABLES[HEAD])


def _prepare_server(engine: Engine, *, show_progress: bool) -> None:
    from sqlalchemy import text

    from orchestrator.storage.schema import upgrade, version_of

    with engine.begin() as connection:
        if version_of(connection) == HEAD:
            return
        with _status("Preparing the run history", shown=show_progress):
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            if version_of(connection) != HEAD:
                upgrade(connection)


def _prepare_file(url: URL, file: Path, *, show_progress: bool) -> None:
    make_folder(file.parent)
    touch(Path(f"{file}.lock"))
    try:
        with (
            FileLock(f"{file}.lock", timeout=LOCK_SECONDS),
            _status(f"Preparing the run history {file}", shown=show_progress),
        ):
            if _is_ready(file):
                return
            if not file.exists() or file.stat().st_size == 0:
                _create(url, file)
            else:
                _upgrade(url, file)
    except Timeout as error:
        raise StorageUnavailableError(
            f"The run history {file} has been prepared by another process for {LOCK_SECONDS:g} seconds.",
            to_fix=f"find that process with `fuser {file}.lock`, and wait for it or stop it",
        ) from error


def _create(url: URL, file: Path) -> None:
    """Make the history beside its place and move it there when it is whole."""
    from orchestrator.storage.engine import opened

    new = file.with_name(f".{file.name}.new")
    _remove(new)
    touch(new)  # its log files get its mode
    try:
        with opened(url.set(database=str(new)), migrating=True) as engine:
            prepare(engine)
        with closing(sqlite3.connect(new)) as connection:
            connection.execute("pragma journal_mode = wal")
        _set_logs_aside(file)
        new.replace(file)
    finally:
        _remove(new)


def _upgrade(url: URL, file: Path) -> None:
    """Upgrade a file in one transaction, after a backup; whatever fails leaves it as it was."""
    from orchestrator.storage.engine import opened
    from orchestrator.storage.schema import upgrade, version_of

    with opened(url, migrating=True) as engine:
        with engine.connect() as connection:
            old = version_of(connection)
        if old == HEAD:
            return
        backup = file.with_name(f"{file.stem}.version-{old}.{utc_now():%Y%m%dT%H%M%SZ}{file.suffix}")
        if old is not None:
            _copy(file, backup)
        try:
            with engine.begin() as connection:
                upgrade(connection)
        except BaseException as error:
            backup.unlink(missing_ok=True)
            if isinstance(error, StorageError) or not isinstance(error, Exception):
                raise
            raise StorageError(
                f"The run history {file} could not be upgraded from version {old} to {HEAD}, and is as it was: {error}"
            ) from error
        logger.info("upgraded %s from version %s to %s, backup in %s", file, old, HEAD, backup)


def _copy(file: Path, backup: Path) -> None:
    touch(backup)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)


def _set_logs_aside(file: Path) -> None:
    """Rename what is left of a file that was taken away: SQLite would replay the log of that one into the new one."""
    for log in (file.with_name(file.name + end) for end in ("-wal", "-shm", "-journal")):
        if log.exists():
            log.rename(log.with_name(f"{log.name}.left-{utc_now():%Y%m%dT%H%M%S%f}"))


def _remove(file: Path) -> None:
    for part in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm", "-journal"))):
        with suppress(FileNotFoundError):
            part.unlink()


@contextmanager
def _status(words: str, *, shown: bool) -> Iterator[None]:
    """Show a line with a spinner on standard error while something is done."""
    if not shown:
        yield
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(words):
        yield
