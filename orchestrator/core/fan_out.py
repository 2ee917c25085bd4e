"""Hand every event to every listener, and keep a listener's trouble to itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from orchestrator.core.events import Emit, Event

logger = logging.getLogger(__name__)


def fan_out(listeners: Iterable[Callable[[Event], None]]) -> Emit:
    """Return an ``emit`` that calls each listener in order.

    A listener that raises is named once in the log and left out from then on; the run goes on.
    """
    active = list(listeners)

    def emit(event: Event) -> None:
        for listener in tuple(active):
            try:
                listener(event)
            except Exception:  # a watcher may not stop what it watches
                active.remove(listener)
                name = getattr(listener, "__qualname__", type(listener).__qualname__)
                logger.exception("listener %s failed on %s and is not called again", name, type(event).__name__)

    return emit
