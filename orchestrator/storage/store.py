"""What every repository on SQLAlchemy stands on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session

from orchestrator.storage.columns import DamagedValueError
from orchestrator.storage.damage import damage_in
from orchestrator.storage.error_translation import translate_errors

CHUNK = 500  # SQLite takes a limited number of values in one statement


class Store:
    """An engine and the URL by which its failures are told."""

    def __init__(self, engine: Engine, url: URL) -> None:
        self._engine = engine
        self._url = url

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """Open a session; what is read stays readable after its end."""
        with translate_errors(self._url), Session(self._engine, expire_on_commit=False) as session:
            try:
                yield session
            except DamagedValueError as error:
                raise damage_in(self._engine, self._url) from error
