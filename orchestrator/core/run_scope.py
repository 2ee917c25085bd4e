"""The run that an orchestrator is in: named by every event of it, and cancelled from outside."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.core.cancel_token import CancelToken
from orchestrator.core.clocks import Deadline
from orchestrator.core.events import Emit, Event
from orchestrator.core.masking import masked_fields


class RunScope:
    """The run that one orchestrator is in, if any, as all its parts know it.

    They emit through :meth:`emit`, which names the run, and wait with what :meth:`deadline` makes, which ends when the
    run is cancelled. A run belongs to the thread that it was begun in: what other threads do with the same orchestrator
    meanwhile, such as a look at its database, is not part of it.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._run_id: str | None = None
        self._thread: int | None = None
        self._token: CancelToken | None = None

    @contextmanager
    def run(self, run_id: str) -> Iterator[None]:
        """Be in a run of this thread for the length of a ``with`` block; one at a time."""
        self._run_id, self._thread, self._token = run_id, threading.get_ident(), CancelToken(run_id)
        try:
            yield
        finally:
            self._run_id = self._thread = self._token = None

    def cancel(self) -> None:
        """Cancel the run, from any thread; does nothing when there is none, or when it is about to end."""
        token = self._token
        if token is not None:
            token.cancel()

    def end_cancelling(self) -> None:
        """Let the run end undisturbed: deadlines made from now on, and :meth:`check`, know of no request to cancel."""
        self._token = None

    def deadline(self, timeout: float | None) -> Deadline:
        """Make a deadline ``timeout`` seconds from now, None never comes; a run that is cancelled ends it as well."""
        return Deadline.after(timeout, self._token if self.in_run else None)

    def check(self) -> None:
        """Do nothing unless this thread is in a run that was cancelled.

        Raises:
            RunCancelledError: it is.
        """
        self.deadline(None).check()

    @property
    def run_id(self) -> str | None:
        """Return the id of the run that this thread is in, None where it is in none."""
        return self._run_id if self.in_run else None

    @property
    def in_run(self) -> bool:
        """Tell whether this thread is in a run."""
        return self._thread == threading.get_ident()

    def emit(self, event: Event) -> None:
        """Pass an event on, with the id of the run that it belongs to and without secrets."""
        event = masked_fields(event)
        self._emit(dataclasses.replace(event, run_id=self._run_id) if self.in_run else event)
