"""Open a store of run history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError, MissingExtraError
from orchestrator.storage.base import StorageBackend

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine


def create_storage_backend(config: SimulationConfig | str, *, show_progress: bool = False) -> StorageBackend:
    """Open the run history of a configuration, or that at a URL; it is created or upgraded first where needed.

    Raises:
        ConfigurationError: the URL is not that of a SQLite or PostgreSQL database.
        StorageError: it cannot be used, see :func:`orchestrator.storage.initialization.ensure_initialized`.
        MissingExtraError: the driver for PostgreSQL is not installed.
    """
    from orchestrator.storage.engine import open_engine, read_url, sqlite_file  # SQLAlchemy: a fifth of a second
    from orchestrator.storage.error_translation import translate_errors
    from orchestrator.storage.initialization import ensure_initialized, prepare

    url = config if isinstance(config, str) else config.storage_url
    ensure_initialized(url, show_progress=show_progress)
    made = read_url(url)
    engine = open_engine(made)
    if made.get_backend_name() == "sqlite" and sqlite_file(made) is None:
        with translate_errors(made):
            prepare(engine)
    return _backend(engine, made)


@contextmanager
def open_existing(config: SimulationConfig) -> Iterator[StorageBackend | None]:
    """Open the run history of a configuration to read in it; None where none is ready, and none is made."""
    from orchestrator.storage.engine import open_engine, read_url
    from orchestrator.storage.initialization import is_ready

    try:
        ready = config.storage.enabled and is_ready(config.storage_url)
    except (ConfigurationError, MissingExtraError):  # `runs` says it; who only wants to know does without
        ready = False
    if not ready:
        yield None
        return
    made = read_url(config.storage_url)
    with _backend(open_engine(made), made) as backend:
        yield backend


def _backend(engine: Engine, url: URL) -> StorageBackend:
    from orchestrator.storage import repositories
    from orchestrator.storage.annotations import AnnotationRepository
    from orchestrator.storage.chats import SqlChatSessionRepository
    from orchestrator.storage.error_translation import shown
    from orchestrator.storage.sweeps import SweepRepository

    return StorageBackend(
        url=shown(url),
        runs=repositories.WorkflowRunRepository(engine, url),
        steps=repositories.WorkflowStepRepository(engine, url),
        states=repositories.ExecutionStateRepository(engine, url),
        outputs=repositories.WorkflowOutputRepository(engine, url),
        sessions=repositories.SessionStateRepository(engine, url),
        annotations=AnnotationRepository(engine, url),
        sweeps=SweepRepository(engine, url),
        chat_sessions=SqlChatSessionRepository(engine, url),
        release=engine.dispose,
    )
