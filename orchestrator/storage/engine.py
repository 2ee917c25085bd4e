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

from orchestrator.core.errors import ConfigurationError, MissingExtraError
from orchestrator.core.masking import masked

logger = logging.getLogger(__name__)

BUSY_MILLISECONDS = 5000
CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = 30_000
EXAMPLES = "write it like sqlite:///var/orchestrator.db or postgresql://user:password@host/database"
PSYCOPG = "postgresql+psycopg"
DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": PSYCOPG,
    "postgres": PSYCOPG,
    PSYCOPG: PSYCOPG,
}


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
            to_fix=EXAMPLES,
        ) from error
    wrong = _wrong_with(made)
    if wrong is not None:
        raise ConfigurationError(f"storage.url {masked(url)!r} {wrong}.", to_fix=EXAMPLES)
    return made.set(drivername=DRIVERS[made.drivername])


def _wrong_with(url: URL) -> str | None:
    """Say what is wrong with a URL, None where nothing is."""
    if url.get_backend_name() not in ("sqlite", "postgresql", "postgres"):
        return f"names {url.get_backend_name()}; the run history is kept on SQLite or PostgreSQL"
    if url.drivername not in DRIVERS:
        return f"names the driver {url.get_driver_name()}, which is not used here"
    if url.get_backend_name() != "sqlite":
        return "has an @ in its password, which is written %40" if "@" in (url.host or "") else None
    if url.host is not None:
        return "has two slashes; a path needs three"
    if url.query or (url.database or "").startswith("file:"):
        return "has options, which are not supported for SQLite"
    return None


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
    in_memory = sqlite_file(url) is None
    engine = create_engine(
        url,
        poolclass=StaticPool if in_memory else NullPool,
        connect_args={"timeout": BUSY_MILLISECONDS / 1000, "check_same_thread": not in_memory},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
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
    ours = {"connect_timeout": CONNECT_SECONDS, "options": f"-c statement_timeout={STATEMENT_MILLISECONDS}"}
    arguments = {name: value for name, value in ours.items() if name not in url.query}
    try:
        return create_engine(url, pool_size=1, pool_pre_ping=True, connect_args=arguments)
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
