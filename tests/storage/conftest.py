"""Stores to test with: the same tests run on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.storage.base import StorageBackend
from orchestrator.storage.factory import create_storage_backend
from tests.support.postgres import PostgresServer

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a store that does not exist yet, once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'var' / 'runs of mine.db'}"
    server: PostgresServer = request.getfixturevalue("server")
    return server.make_database()


@pytest.fixture
def backend(url: str) -> Iterator[StorageBackend]:
    """Open an empty store."""
    with create_storage_backend(url) as made:
        yield made
