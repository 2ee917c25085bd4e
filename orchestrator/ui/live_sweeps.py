"""Sweeps as they happen, for any number of viewers: each sweep is read by one task, while somebody looks.

A viewer is sent the members that changed since its last message, and the sums of now; whoever is slow misses nothing
but what has changed again meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.core.errors import OrchestratorError
from orchestrator.core.formats import shown_seconds, shown_size
from orchestrator.core.text import escaped, plural
from orchestrator.reports.sweep_looks import MemberLook, SweepLook, SweepLooks, member_label

SECONDS_BETWEEN_LOOKS = 0.25
SECONDS_BETWEEN_TICKS = 1.0  # of clocks, where nothing else changes
SECONDS_BETWEEN_SIGNS = 15.0  # of life, so that a viewer who has gone is noticed
RUNNING_SHOWN = 24
MOST_VIEWERS = 200

Row = tuple[int, str, str]
"""A member: its place, its status, and what stands beside it."""


@dataclass
class _Watched:
    """A sweep that somebody watches; ``changed`` is the version in which each row became what it is."""

    sums: dict[str, object] | None = None
    rows: dict[int, Row] = field(default_factory=dict)
    changed: dict[int, int] = field(default_factory=dict)
    version: int = 0
    ended: bool = False
    viewers: int = 0
    more: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class LiveSweeps:
    """The sweeps that are watched, by name, and their list; used in one event loop."""

    def __init__(self, root: Callable[[], Path | None], looks: SweepLooks) -> None:
        self._root = root
        self._looks = looks
        self._watched: dict[str | None, _Watched] = {}
        self._viewers = 0
        self.closing = asyncio.Event()

    def is_full(self) -> bool:
        """Tell whether there are as many viewers as there may be."""
        return self._viewers >= MOST_VIEWERS

    async def watch(self, name: str | None) -> AsyncGenerator[bytes, None]:
        """Yield what happens in a sweep as server-sent events, or in all of them for None; what is so far first."""
        watched = self._watched.get(name)
        if watched is None:
            watched = self._watched[name] = _Watched()
            watched.task = asyncio.create_task(self._read(name, watched))
        watched.viewers += 1
        self._viewers += 1
        seen = 0
        try:
            yield b"retry: 1000\n\n"
            while not self.closing.is_set():
                more = watched.more
                if watched.version > seen:
                    message = _message(name, watched, seen)
                    seen = watched.version
                    yield message
                elif watched.ended:
                    return
                else:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(more.wait(), SECONDS_BETWEEN_SIGNS)
                        continue
                    yield b": still here\n\n"
        finally:
            self._viewers -= 1
            watched.viewers -= 1
            if watched.viewers == 0:
                if self._watched.get(name) is watched:
                    del self._watched[name]
                if watched.task is not None:
                    watched.task.cancel()

    async def close(self) -> None:
        """End all streams."""
        self.closing.set()
        for watched in list(self._watched.values()):
            if watched.task is not None:
                watched.task.cancel()
            _wake(watched)

    async def _read(self, name: str | None, watched: _Watched) -> None:
        """Look at a sweep again and again until it has ended; the list has no end."""
        root = self._root()
        since, pause = SECONDS_BETWEEN_TICKS, SECONDS_BETWEEN_LOOKS if name is not None else SECONDS_BETWEEN_TICKS
        while root is not None and not watched.ended:
            try:
                if name is None:
                    sums: dict[str, object] = {"sweeps": await asyncio.to_thread(_listed, self._looks, root)}
                    rows: dict[int, Row] = {}
                else:
                    sums, rows = await asyncio.to_thread(_looked, self._looks, root, name)
            except OrchestratorError:  # it was deleted
                break
            watched.ended = name is not None and not sums["running"]
            changed = {place for place, row in rows.items() if watched.rows.get(place) != row}
            ticks = since >= SECONDS_BETWEEN_TICKS and watched.sums != sums
            if changed or ticks or watched.ended:
                since = 0.0
                watched.version += 1
                watched.sums, watched.rows = sums, rows
                watched.changed |= dict.fromkeys(changed, watched.version)
                _wake(watched)
            await asyncio.sleep(pause)
            since += pause
        if not watched.ended:
            watched.ended = True
            watched.version += 1
        _wake(watched)


def sums_of(look: SweepLook) -> dict[str, object]:
    """Return what stands above the members of a sweep, as it is shown."""
    told = look.told
    workers = ""
    if look.running and told is not None and told.workers:
        memory = "" if told.memory is None else f", {shown_size(told.memory)}"
        workers = f"{plural(told.workers, 'worker')}{memory}"
    return {
        "status": look.word,
        "running": look.running,
        "total": look.total,
        "counts": look.counts,
        "took": shown_seconds(look.seconds),
        "left": "" if look.left is None else f"about {shown_seconds(look.left)}",
        "workers": workers,
    }


def beside(one: MemberLook) -> str:
    """Return what stands beside the status of a member: where it is, or how long it took."""
    return one.where if one.word == "running" else shown_seconds(one.seconds) if one.seconds is not None else ""


def running_rows(look: SweepLook) -> list[tuple[int, str, str, str]]:
    """Return the members that run: place, name, where each is, and since when; the first ones of many."""
    plan = look.status.plan
    if plan is None or not look.running:
        return []
    running = [one for one in look.members() if one.word == "running"][:RUNNING_SHOWN]
    return [
        (one.place, escaped(member_label(plan, one.member)), escaped(one.where), shown_seconds(one.seconds))
        for one in running
    ]


def _looked(looks: SweepLooks, root: Path, name: str) -> tuple[dict[str, object], dict[int, Row]]:
    look = looks.look(root, name)
    members = () if look.status.plan is None else look.members()
    rows = {one.place: (one.place, one.word, beside(one)) for one in members}
    return {**sums_of(look), "now": running_rows(look)}, rows


def _listed(looks: SweepLooks, root: Path) -> list[tuple[str, str, dict[str, int]]]:
    return [(look.name, look.word, look.counts) for look in looks.looks(root)]


def _message(name: str | None, watched: _Watched, seen: int) -> bytes:
    if name is None:
        return b"event: sweeps\ndata: {}\n\n" if seen else b": the list is as it is shown\n\n"
    rows = [watched.rows[place] for place, version in watched.changed.items() if version > seen]
    if not seen:
        rows = [row for row in rows if row[1] != "waiting"]
    document = {"sweep": name, "ended": watched.ended, "rows": rows, **(watched.sums or {})}
    return f"event: sweep\ndata: {json.dumps(document)}\n\n".encode()


def _wake(watched: _Watched) -> None:
    """Let everybody who waits go on, and wait anew."""
    watched.more.set()
    watched.more = asyncio.Event()
