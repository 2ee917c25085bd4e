"""Clocks: the only module that reads them.

All durations are float seconds on a monotonic clock; all ``…_at`` values are aware UTC.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone

from orchestrator.core.cancel_token import CancelToken
from orchestrator.core.events import Emit, StepFinished, StepStarted


def utc_now() -> datetime:
    """Return the present moment as aware UTC."""
    return datetime.now(timezone.utc)


def stopwatch() -> Callable[[], float]:
    """Start a stopwatch; each call of the returned function gives the seconds since then."""
    start = time.monotonic()
    return lambda: time.monotonic() - start


def pause(seconds: float) -> None:
    """Sleep, interruptible by signals."""
    time.sleep(seconds)


@dataclass(frozen=True)
class Deadline:
    """A moment after which work must stop, shared by everything that works towards it.

    ``timeout`` is the length in seconds it was made with, None for one that never comes. One with a ``token`` ends
    all work also when the run of the token is cancelled: whatever asks it then gets a :class:`RunCancelledError`.
    """

    timeout: float | None
    token: CancelToken | None = None
    _ends: float | None = None

    @classmethod
    def after(cls, timeout: float | None, token: CancelToken | None = None) -> Deadline:
        """Make a deadline ``timeout`` seconds from now; None never comes."""
        return cls(timeout, token, None if timeout is None else time.monotonic() + timeout)

    def check(self) -> None:
        """Do nothing, however late it is, unless the run was cancelled.

        Raises:
            RunCancelledError: it was.
        """
        if self.token is not None:
            self.token.check()

    def remaining(self) -> float | None:
        """Return the seconds left, never below 0; None when it never comes. Raises as :meth:`check` does."""
        self.check()
        return None if self._ends is None else max(0.0, self._ends - time.monotonic())

    def expired(self) -> bool:
        """Tell whether the moment has passed. Raises as :meth:`check` does."""
        self.check()
        return self._ends is not None and time.monotonic() >= self._ends

    def within(self, timeout: float | None) -> Deadline:
        """Return whichever comes first: this deadline or one ``timeout`` seconds from now."""
        left = self.remaining()
        if timeout is None or (left is not None and left <= timeout):
            return self
        return Deadline.after(timeout, self.token)


MakeDeadline = Callable[[float | None], Deadline]
"""Makes a deadline so many seconds from now; None never comes."""


@dataclass
class StepRecord:
    """A step under way, as :func:`step` yields it; ``detail`` may be set by the step itself."""

    name: str
    started_at: datetime
    completed_at: datetime | None = None
    seconds: float = 0.0
    success: bool = False
    error: str | None = None
    detail: str | None = field(default=None)


@contextmanager
def step(name: str, emit: Emit, *, nodes: int = 0, detail: str | None = None) -> Iterator[StepRecord]:
    """Time a named step and emit its start and its end, also when it raises; ``detail`` says what it works on."""
    record = StepRecord(name, utc_now(), detail=detail)
    elapsed = stopwatch()
    emit(StepStarted(at=record.started_at, step=name, nodes=nodes, detail=detail))
    try:
        yield record
        record.success = True
    except BaseException as error:
        record.error = str(error) or type(error).__name__
        raise
    finally:
        record.seconds = elapsed()
        record.completed_at = utc_now()
        emit(
            StepFinished(
                at=record.completed_at,
                step=name,
                started_at=record.started_at,
                completed_at=record.completed_at,
                seconds=record.seconds,
                success=record.success,
                error=record.error,
                detail=record.detail,
            )
        )
