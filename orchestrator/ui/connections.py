"""Connections to the server: what takes too long to ask is closed, and no address takes all of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from orchestrator.ui.rates import network

SECONDS_FOR_HEADERS = 30.0
MOST_OF_AN_ADDRESS = 100


class Connection(H11Protocol):
    """A connection of one visitor; uvicorn itself waits for headers for ever."""

    seconds_for_headers: ClassVar[float] = SECONDS_FOR_HEADERS
    _open: ClassVar[Counter[str]] = Counter()
    _timer: asyncio.TimerHandle | None = None
    _counted: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as that of uvicorn
        """Count the connection, and wait for what it asks."""
        super().connection_made(transport)
        self._counted = network(self.client[0] if self.client else "")
        self._open[self._counted] += 1
        if self._open[self._counted] > MOST_OF_AN_ADDRESS:
            transport.close()
            return
        self._timer = self.loop.call_later(self.seconds_for_headers, self._close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        self._stop()
        if self._counted is not None:
            self._open[self._counted] -= 1
            if self._open[self._counted] <= 0:
                del self._open[self._counted]
            self._counted = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and go on waiting where the headers are not complete."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.seconds_for_headers, self._close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()


def says_more_than_ended(record: logging.LogRecord) -> bool:
    """Tell whether a message of uvicorn is about more than a stream that ended with the server."""
    return record.exc_info is None or not isinstance(record.exc_info[1], asyncio.CancelledError)
