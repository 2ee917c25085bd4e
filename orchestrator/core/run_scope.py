"""The run that an orchestrator is in, named by every event of it."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.core.events import Emit, Event


class RunScope:
    """The run that one orchestrator is in, if any: all its parts emit through :meth:`emit`, which names that run.

    A run belongs to the thread that it was begun in. What other threads do with the same orchestrator meanwhile, such
    as a look at its database, is not part of the run.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._run_id: str | None = None
        self._thread: int | None = None

    @contextmanager
    def run(self, run_id: str) -> Iterator[None]:
        """Be in a run of this thread for the length of a ``with`` block; one at a time."""
        self._run_id, self._thread = run_id, threading.get_ident()
        try:
            yield
        finally:
            self._run_id = self._thread = None

    @property
    def in_run(self) -> bool:
        """Tell whether this thread is in a run."""
        return self._thread == threading.get_ident()

    def emit(self, event: Event) -> None:
        """Pass an event on, with the id of the run that it belongs to."""
        self._emit(dataclasses.replace(event, run_id=self._run_id) if self.in_run else event)
