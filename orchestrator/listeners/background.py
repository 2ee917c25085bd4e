"""Hand the events of a run to somebody else in a thread of its own, who may be slow or gone.

The run waits for it once, at its end and for a bounded time, and is never stopped by it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from orchestrator.core.events import Event, RunFinished, RunStarted
from orchestrator.core.masking import masked

logger = logging.getLogger(__name__)

MOST_WAITING = 10_000  # events; a run of 50 years and 100 nodes has about as many

M = TypeVar("M")


class Sink(Protocol[M]):
    """Turns the events of one run into messages and sends them; it is made, used and closed in one thread."""

    def messages(self, event: Event) -> Iterable[M]:
        """Return what is to be sent because of an event."""
        ...

    def send(self, message: M) -> None:
        """Send one message; raise whatever keeps it from being received."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class BackgroundListener(Generic[M]):
    """Hands every event of a run to a sink of that run's own.

    ``name`` and ``place`` stand in the one warning that is logged at the end of a run of which something could not
    be sent. ``make`` makes the sink, in the thread that uses it. ``seconds`` is how long the end of a run waits.
    Events that come while ``MOST_WAITING`` others wait are left out, and counted.
    """

    def __init__(self, name: str, place: str, make: Callable[[], Sink[M]], *, seconds: float) -> None:
        self._name = name
        self._place = place
        self._make = make
        self._seconds = seconds
        self._senders: dict[str, _Sender[M]] = {}

    def __call__(self, event: Event) -> None:
        """Hand an event to the thread of its run; those outside a run are left out."""
        if isinstance(event, RunStarted):
            self._senders[event.run_id] = _Sender(self._name, self._make)
            self._senders[event.run_id].start()
        sender = None if event.run_id is None else self._senders.get(event.run_id)
        if sender is None:
            return
        sender.put(event)
        if isinstance(event, RunFinished):
            del self._senders[event.run_id]
            sender.join(self._seconds)
            problem = sender.problem(self._place, self._seconds)
            if problem is not None:
                logger.warning("%s", masked(f"{self._name}: {problem}. The run itself is not affected."))


class _Sender(threading.Thread, Generic[M]):
    """Sends what one run has to tell."""

    def __init__(self, name: str, make: Callable[[], Sink[M]]) -> None:
        super().__init__(name=name, daemon=True)
        self._make = make
        self._events: queue.Queue[Event] = queue.Queue(MOST_WAITING)
        self._left_out = 0
        self._messages = 0
        self._lost = 0
        self._error: str | None = None

    def put(self, event: Event) -> None:
        """Queue an event, without ever waiting; the end of a run takes the place of the oldest event."""
        try:
            self._events.put_nowait(event)
        except queue.Full:
            self._left_out += 1
            if isinstance(event, RunFinished):
                with suppress(queue.Empty):  # the thread may have taken it meanwhile
                    self._events.get_nowait()
                self._events.put_nowait(event)

    def problem(self, place: str, seconds: float) -> str | None:
        """Return what was not sent and why, as a sentence without its full stop; None where all of it was."""
        if self.is_alive():
            return f"it takes longer than {seconds:g} seconds to send the rest of this run to {place}"
        if self._lost:
            return f"{self._lost} of {self._messages} messages could not be sent to {place} ({self._error})"
        if self._error is not None:
            return f"nothing could be sent to {place} ({self._error})"
        return f"{self._left_out} events came too fast to be sent to {place}" if self._left_out else None

    def run(self) -> None:
        """Send until the run is finished."""
        try:
            sink = self._make()
        except Exception as error:  # noqa: BLE001 - a watcher: whatever it is, the run goes on
            self._error = _told(error)
            return
        try:
            self._send_all(sink)
        except Exception as error:  # noqa: BLE001 - as above
            self._error = self._error or _told(error)
            self._lost += 1
            self._messages += 1
        finally:
            sink.close()

    def _send_all(self, sink: Sink[M]) -> None:
        ended = False
        while not ended:
            event = self._events.get()
            ended = isinstance(event, RunFinished)
            for message in sink.messages(event):
                self._messages += 1
                try:
                    sink.send(message)
                except Exception as error:  # noqa: BLE001 - as above
                    self._lost += 1
                    self._error = self._error or _told(error)


def _told(error: Exception) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:300]}" if words else type(error).__name__
