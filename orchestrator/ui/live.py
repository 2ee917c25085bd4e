"""Runs as they happen, for any number of viewers: each run is read once, by one task, while somebody looks."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.core.errors import OrchestratorError
from orchestrator.core.events import Event, RunFinished, RunStarted
from orchestrator.core.processes import ProcessIdentity
from orchestrator.core.untrusted import is_file_name
from orchestrator.reports.event_text import is_trouble, told
from orchestrator.reports.run_progress import Cell, Grid, RunProgress
from orchestrator.storage.base import CRASHED
from orchestrator.storage.following import EventFollower
from orchestrator.storage.importing import EVENTS

SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_BETWEEN_LISTS = 0.5
SECONDS_BETWEEN_SIGNS = 15.0  # of life, so that a viewer who has gone is noticed
MESSAGES_KEPT = 200
LINES_KEPT = 200  # of what happened
MOST_VIEWERS = 200
MOST_RUNS = 8  # that one viewer watches

Line = tuple[str, str, bool]
"""A moment, what happened, and whether it is trouble."""


@dataclass
class _Watched:
    """A run that somebody watches; ``number`` counts the messages, of which the newest are kept."""

    progress: RunProgress = field(default_factory=RunProgress)
    messages: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=MESSAGES_KEPT))
    number: int = 0
    ended: bool = False
    viewers: int = 0
    more: asyncio.Event = field(default_factory=asyncio.Event)
    sent: Grid | None = None
    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    task: asyncio.Task[None] | None = None


class LiveRuns:
    """The runs that are watched, by id; used in one event loop."""

    def __init__(self, runs_dir: Callable[[], Path | None], newest: Callable[[], object]) -> None:
        self._runs_dir = runs_dir
        self._newest = newest
        self._listing: asyncio.Task[None] | None = None
        self._listeners: set[asyncio.Queue[bytes]] = set()
        self._watched: dict[str, _Watched] = {}
        self._viewers = 0
        self.closing = asyncio.Event()

    def is_full(self) -> bool:
        """Tell whether there are as many viewers as there may be."""
        return self._viewers >= MOST_VIEWERS

    async def watch(self, run_ids: Sequence[str], *, listing: bool = False) -> AsyncGenerator[bytes, None]:
        """Yield what happens in some runs as server-sent events, what is so far first.

        With ``listing`` the event ``runs`` follows whenever a run begins or ends anywhere in the workspace.
        """
        wanted = [run_id for run_id in dict.fromkeys(run_ids) if is_file_name(run_id)][:MOST_RUNS]
        queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=MESSAGES_KEPT)
        tasks = [asyncio.create_task(self._pass_on(run_id, queue)) for run_id in wanted]
        if listing:
            self._listen(queue)
        self._viewers += 1
        try:
            yield b"retry: 1000\n\n"
            while not self.closing.is_set():
                try:
                    yield await asyncio.wait_for(queue.get(), SECONDS_BETWEEN_SIGNS)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._viewers -= 1
            self._listeners.discard(queue)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """End all streams."""
        self.closing.set()
        if self._listing is not None:
            self._listing.cancel()
        for watched in list(self._watched.values()):
            if watched.task is not None:
                watched.task.cancel()

    async def _pass_on(self, run_id: str, queue: asyncio.Queue[bytes]) -> None:
        """Put the messages of a run into the queue of a viewer."""
        watched = self._watched.get(run_id)
        if watched is None:
            watched = self._watched[run_id] = _Watched()
            watched.task = asyncio.create_task(self._read(run_id, watched))
        watched.viewers += 1
        try:
            seen = -1
            while True:
                more = watched.more
                waiting = [message for message in watched.messages if message[0] > seen]
                if watched.sent is not None and (seen < 0 or (waiting and waiting[0][0] > seen + 1)):
                    seen = watched.number  # the first look, or too slow for what is kept
                    await queue.put(_message("run", _whole(run_id, watched, watched.sent)))
                    continue
                for number, message in waiting:
                    await queue.put(message)
                    seen = number
                if watched.ended and seen >= watched.number:
                    return
                if seen >= watched.number or not waiting:
                    await more.wait()
        finally:
            watched.viewers -= 1
            if watched.viewers == 0:
                self._watched.pop(run_id, None)
                if watched.task is not None:
                    watched.task.cancel()

    async def _read(self, run_id: str, watched: _Watched) -> None:
        """Read the events of a run until it ends, and make messages of them."""
        folder = self._runs_dir()
        process: ProcessIdentity | None = None
        if folder is None:
            return
        with suppress(OrchestratorError), EventFollower(folder / run_id / EVENTS) as events:
            while not watched.ended:
                gone = process is not None and process.is_gone() is True
                found = events.new_events()
                for event in found:
                    watched.progress.take(event)
                    if isinstance(event, RunStarted):
                        process = ProcessIdentity(event.pid, event.host, event.process_started)
                    watched.ended = watched.ended or isinstance(event, RunFinished)
                if not found and gone:
                    watched.progress.status, watched.ended = CRASHED, True
                if found or watched.ended:
                    self._tell(run_id, watched, found)
                    continue
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        watched.ended = True
        _wake(watched)

    def _tell(self, run_id: str, watched: _Watched, events: Sequence[Event]) -> None:
        grid = watched.progress.grid()
        lines = [(e.at.isoformat(), text, is_trouble(e)) for e in events if (text := told(e)) is not None]
        watched.lines.extend(lines)
        before, watched.sent = watched.sent, grid
        document = _whole(run_id, watched, grid) if before is None else _changes(run_id, watched, before, grid, lines)
        watched.number += 1
        watched.messages.append((watched.number, _message("run", document)))
        _wake(watched)

    def _listen(self, queue: asyncio.Queue[bytes]) -> None:
        self._listeners.add(queue)
        if self._listing is None or self._listing.done():
            self._listing = asyncio.create_task(self._tell_of_runs())

    async def _tell_of_runs(self) -> None:
        """Tell everybody who lists runs whenever the newest of them are others, or have another status."""
        before = await asyncio.to_thread(self._newest)
        while self._listeners:
            await asyncio.sleep(SECONDS_BETWEEN_LISTS)
            now = await asyncio.to_thread(self._newest)
            if now != before:
                before = now
                for queue in self._listeners:
                    if not queue.full():
                        queue.put_nowait(_message("runs", {}))


def _wake(watched: _Watched) -> None:
    """Let everybody who waits go on, and wait anew."""
    watched.more.set()
    watched.more = asyncio.Event()


def _whole(run_id: str, watched: _Watched, grid: Grid) -> dict[str, object]:
    """Return all that is known of a run, in place of what a page shows."""
    cells = [[*place, cell.status, cell.words] for place, cell in _cells(grid).items()]
    return {"run": run_id, "whole": True, "cells": cells, "lines": list(watched.lines), **_short(watched, grid)}


def _changes(run_id: str, watched: _Watched, before: Grid, grid: Grid, lines: list[Line]) -> dict[str, object]:
    """Return the cells that are not what they were, what happened since, and the state of the run."""
    old = _cells(before)
    cells = [[*place, cell.status, cell.words] for place, cell in _cells(grid).items() if old.get(place) != cell]
    return {"run": run_id, "whole": False, "cells": cells, "lines": lines[-LINES_KEPT:], **_short(watched, grid)}


def _cells(grid: Grid) -> dict[tuple[int, str], Cell]:
    return {(year, stage): c for year, row in grid.rows for stage, c in zip(grid.stages, row, strict=True)}


def _short(watched: _Watched, grid: Grid) -> dict[str, object]:
    return {
        "status": grid.status,
        "now": grid.now,
        "done": grid.done,
        "total": grid.total,
        "ended": watched.ended,
    }


def _message(kind: str, document: dict[str, object]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(document)}\n\n".encode()
