"""Protocols of whoever reads a database: the file itself, or the dbt process that has it open."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from orchestrator.database.catalog import Catalog


class QueryReader(Protocol):
    """Answers queries."""

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Return all rows of a query."""


class DatabaseReader(QueryReader, Protocol):
    """Answers queries, and knows what relations there are."""

    def catalog(self) -> Catalog:
        """Take a snapshot of the relations."""


OpenDatabase = Callable[[], AbstractContextManager[DatabaseReader]]
"""Opens a database for the time of one look."""
