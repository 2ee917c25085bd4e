"""Keep what a library logs about a failure to ourselves: it is said once, at the end of the run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_texts: ContextVar[list[str] | None] = ContextVar("texts kept from the log", default=None)


@contextmanager
def kept_from_the_log(name: str) -> Iterator[list[str]]:
    """Collect the warnings and errors that are logged under ``name`` meanwhile, instead of passing them on.

    Only those of this thread, and of threads that the library starts with its context.
    """
    texts: list[str] = []

    def not_ours(record: logging.LogRecord) -> bool:
        if _texts.get() is not texts:
            return True
        if record.levelno >= logging.WARNING:
            texts.append(record.getMessage())
        return False

    log = logging.getLogger(name)
    log.addFilter(not_ours)
    token = _texts.set(texts)
    try:
        yield texts
    finally:
        _texts.reset(token)
        log.removeFilter(not_ours)
