"""`orchestrator ui`: the first page, the size of pages, how soon an event is seen, what viewers cost, and memory.

`first page` is the time from the start of the process to the whole answer of `GET /runs`, in a workspace that has run.
Pages have their size as sent, without stylesheet and script. `event seen` is the time from an event's own moment to
its arrival at a viewer of the live page, the median and the 95th percentile over all events of a run of three years.
A run without a server is compared with one that 20 viewers watch. The memory of the server is that after 100 pages,
and after 10,000 pages and 20 runs that were watched. The chat has been loaded before.
"""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from benchmarks.bench import Bench, Contender
from benchmarks.march import ORCHESTRATOR
from benchmarks.measure import BenchmarkError, Command, environment
from benchmarks.results import Series, Table
from benchmarks.sampling import resident
from benchmarks.shipped import lay

PAGES = ("/runs", "/results", "/health", "/project", "/parameters")
VIEWERS = 20
YEARS = "2025-2027"
SECONDS_TO_ANSWER = 60.0


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure all of it."""
    folder = bench.folder("workspace")
    lay(folder)
    simulate = Command([*ORCHESTRATOR, "simulate", YEARS, "--fresh", "--yes"], cwd=folder)
    bench.quietly(simulate)
    first = [_first_page(folder) for _ in range(bench.rounds or (1 if bench.quick else 5))]
    tables = [Table("first page", (Series("orchestrator ui", tuple({"answered_seconds": one} for one in first)),))]
    with _served(folder) as (port, pid):
        tables.append(Table("pages", tuple(Series(path, (_page(port, path),)) for path in PAGES)))
        tables += _viewers(bench, simulate, folder, port)
        tables.append(_memory(bench, simulate, folder, port, pid))
    return tables, []


def _first_page(folder: Path) -> float:
    begun = time.perf_counter()
    with _served(folder):
        return time.perf_counter() - begun


@contextmanager
def _served(folder: Path) -> Iterator[tuple[int, int]]:
    """Start the server and wait for its first page; yield its port and its pid."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [*ORCHESTRATOR, "ui", "--port", str(port), "--no-browser"]
    process = subprocess.Popen(command, cwd=folder, env=environment({}), stderr=subprocess.DEVNULL)
    try:
        until = time.perf_counter() + SECONDS_TO_ANSWER
        while True:
            try:
                _get(port, "/runs")
                break
            except OSError as error:
                if process.poll() is not None or time.perf_counter() > until:
                    raise BenchmarkError(f"`orchestrator ui` does not answer: {error}") from error
                time.sleep(0.01)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_TO_ANSWER)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise BenchmarkError(f"{path} answers {answer.status}: {content[:200]!r}")
        return content
    finally:
        connection.close()


def _page(port: int, path: str) -> dict[str, float]:
    _get(port, path)
    begun = time.perf_counter()
    content = _get(port, path)
    return {"answer_ms": (time.perf_counter() - begun) * 1000, "page_bytes": float(len(content))}


class _Viewer:
    """Somebody who looks at a run while it happens, and notes when each message arrives."""

    def __init__(self, port: int, run_id: str) -> None:
        self.messages: list[tuple[float, bytes]] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_TO_ANSWER)
        self._connection.request("GET", f"/live?run={run_id}")
        self._answer = self._connection.getresponse()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        with suppress(OSError, ValueError):
            while line := self._answer.readline():
                if line.startswith(b"data: "):
                    self.messages.append((time.time(), line))

    def leave(self) -> None:
        """Stop looking."""
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()

    def delays(self) -> list[float]:
        """Return the seconds from each event to its arrival, of those that happened after the first look."""
        found = []
        for arrived, message in self.messages[1:]:
            lines = json.loads(message.removeprefix(b"data: ")).get("lines", ())
            found += [arrived - datetime.fromisoformat(moment).timestamp() for moment, *_ in lines]
        return found


class _Audience:
    """Viewers who come when the next run of a workspace begins."""

    def __init__(self, folder: Path, port: int) -> None:
        self._runs = folder / "var" / "runs"
        self._port = port
        self._before: set[str] = set()
        self.viewers: list[_Viewer] = []
        self.delays: list[float] = []
        self._thread: threading.Thread | None = None

    def wait(self) -> None:
        """Wait for the next run, in a thread."""
        self._before = {path.name for path in self._runs.iterdir()}
        self._thread = threading.Thread(target=self._come, daemon=True)
        self._thread.start()

    def _come(self) -> None:
        until = time.perf_counter() + SECONDS_TO_ANSWER
        while time.perf_counter() < until:
            if new := [path for path in self._runs.iterdir() if path.name not in self._before]:
                self.viewers = [_Viewer(self._port, new[0].name) for _ in range(VIEWERS)]
                return
            time.sleep(0.01)

    def leave(self) -> None:
        """Let all go, and keep how long events took to reach them."""
        assert self._thread is not None
        self._thread.join()
        if len(self.viewers) < VIEWERS:
            raise BenchmarkError("no run began that could be watched")
        for viewer in self.viewers:
            viewer.leave()
            self.delays += viewer.delays()
        self.viewers = []


def _viewers(bench: Bench, simulate: Command, folder: Path, port: int) -> list[Table]:
    audience = _Audience(folder, port)
    alone = Contender("no viewers", [simulate])
    watched = Contender(f"{VIEWERS} viewers", [simulate], before=audience.wait, after=audience.leave)
    run = Table("three years", bench.compete([alone, watched]))
    delays = sorted(audience.delays)
    figures = {
        "median_ms": statistics.median(delays) * 1000,
        "percentile_95_ms": delays[int(len(delays) * 0.95)] * 1000,
        "most_ms": delays[-1] * 1000,
    }
    return [run, Table("from event to viewer", (Series(f"{VIEWERS} viewers", (figures,)),))]


def _memory(bench: Bench, simulate: Command, folder: Path, port: int, pid: int) -> Table:
    pages, runs = (500, 1) if bench.quick else (10_000, 20)
    _wait_for_the_chat(port)
    for number in range(100):
        _get(port, PAGES[number % len(PAGES)])
    rounds = {"100 pages": resident(pid)}
    audience = _Audience(folder, port)
    for number in range(runs):
        bench.say(f"    run {number + 1} of {runs}")
        audience.wait()
        bench.quietly(simulate)
        audience.leave()
    for number in range(pages):
        _get(port, PAGES[number % len(PAGES)])
    rounds[f"{pages:,} pages, {runs} runs"] = resident(pid)
    return Table("memory of the server", tuple(Series(n, ({"resident_bytes": float(b)},)) for n, b in rounds.items()))


def _wait_for_the_chat(port: int) -> None:
    """Let the chat be loaded, which the server does behind the first page."""
    until = time.perf_counter() + SECONDS_TO_ANSWER
    while b"gradio" not in _get(port, "/chat/") and time.perf_counter() < until:
        time.sleep(0.1)
