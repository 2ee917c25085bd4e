"""Connections to the run history."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, StaticPool

from orchestrator.exceptions import ConfigurationError, MissingExtraError
from orchestrator.masking import masked

logger = logging.getLogger(__name__)

BUSY_MILLISECONDS = 5000
CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = 30_000
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def read_url(url: str) -> URL:
    """Take a URL apart; ``postgresql://`` means the driver psycopg.

    Raises:
        ConfigurationError: it is no URL, or one of another kind of database.
    """
    try:
        made = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            f"storage.url {masked(url)!r} is not a database URL.",
            to_fix="write it like sqlite:///var/orchestrator.db or postgresql://user:password@host/database",
        ) from error
    if made.get_backend_name() not in DRIVERS:
        raise ConfigurationError(
            f"storage.url {masked(url)!r} names {made.get_backend_name()}; the run history is kept on SQLite or "
            "PostgreSQL.",
            to_fix="write it like sqlite:///var/orchestrator.db or postgresql://user:password@host/database",
        )
    return made.set(drivername=DRIVERS[made.drivername]) if made.drivername in DRIVERS else made


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite URL, None for one in memory and for other databases."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    assert url.database is not None
    return Path(url.database).absolute()


def open_engine(url: URL, *, migrating: bool = False) -> Engine:
    """Make an engine; nothing connects yet.

    On SQLite foreign keys hold and a busy file is waited for. ``migrating`` begins every SQLite transaction with the
    right to write, so that changes of shape are part of it, and lets foreign keys rest meanwhile.

    Raises:
        MissingExtraError: the driver is not installed.
    """
    if url.get_backend_name() != "sqlite":
        return _open_server(url)
    kept = StaticPool if sqlite_file(url) is None else NullPool
    engine = create_engine(url, poolclass=kept, connect_args={"timeout": BUSY_MILLISECONDS / 1000})

    @event.listens_for(engine, "connect")
    def _settle(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        if migrating:
            connection.isolation_level = None  # Python would commit before each change of shape
        cursor = connection.cursor()
        cursor.execute(f"pragma foreign_keys = {'off' if migrating else 'on'}")
        cursor.execute("pragma synchronous = normal")
        cursor.close()

    if migrating:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("begin immediate"))
    return engine


def _open_server(url: URL) -> Engine:
    options = f"-c statement_timeout={STATEMENT_MILLISECONDS}"
    try:
        return create_engine(
            url, pool_size=1, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_SECONDS, "options": options}
        )
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"The run history {masked(url.render_as_string())} needs the package {error.name}, which is not installed.",
            to_fix="pip install 'dbt-year-orchestrator[postgres]'",
        ) from error


@contextmanager
def opened(url: URL, *, migrating: bool = False) -> Iterator[Engine]:
    """Open an engine and close all its connections at the end."""
    engine = open_engine(url, migrating=migrating)
    try:
        yield engine
    finally:
        engine.dispose()
