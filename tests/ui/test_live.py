"""Runs as they happen: soon, for many viewers, and read once."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.events import (
    Event,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    as_record,
)
from orchestrator.core.processes import ProcessIdentity
from orchestrator.ui.live import MESSAGES_KEPT, LiveRuns
from orchestrator.ui.workspace import Workspace

RUN = "0a9d3a0e-0000-4000-8000-000000000001"
SOON = 0.3  # seconds


class WrittenRun:
    """The events of a run, as another process writes them."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / RUN / "events.jsonl"
        self.file.parent.mkdir(parents=True)
        own = ProcessIdentity.of_this()
        self.write(
            RunStarted(
                at=utc_now(),
                run_id=RUN,
                scenario="baseline",
                database="x",
                years=tuple(range(2000, 2050)),
                stages=("flows", "balance"),
                command="orchestrator simulate",
                pid=own.pid,
                host=own.host,
                process_started=own.started,
            )
        )

    def write(self, *events: Event) -> None:
        """Append events."""
        with self.file.open("a") as lines:
            lines.writelines(json.dumps(as_record(event)) + "\n" for event in events)

    def stage(self, year: int, stage: str) -> None:
        """Begin and end a stage."""
        now = utc_now()
        self.write(
            StageStarted(at=now, run_id=RUN, year=year, stage=stage, command="run"),
            StageFinished(
                at=now,
                run_id=RUN,
                year=year,
                stage=stage,
                started_at=now,
                seconds=0.1,
                dbt_seconds=0.1,
                nodes=1,
                replayed=False,
                success=True,
            ),
        )

    def end(self) -> None:
        """End the run."""
        self.write(RunFinished(at=utc_now(), run_id=RUN, status="completed", seconds=1.0))


@pytest.fixture
def written(tmp_path: Path) -> WrittenRun:
    """Begin a run."""
    return WrittenRun(tmp_path)


@pytest.fixture
def live(tmp_path: Path) -> LiveRuns:
    """Watch the runs of a folder."""
    return LiveRuns(lambda: tmp_path, lambda: ())


async def messages(stream: AsyncIterator[bytes]) -> AsyncGenerator[dict[str, object], None]:
    """Yield the documents of a stream."""
    async for part in stream:
        for line in part.decode().splitlines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


async def seen(stream: AsyncIterator[dict[str, object]], cell: list[object]) -> dict[str, object]:
    """Wait for a message in which a cell is as given: year, stage, status."""
    async for message in stream:
        cells = message["cells"]
        assert isinstance(cells, list)
        if any(one[:3] == cell for one in cells):
            return message
    raise AssertionError("the stream ended")


def test_an_event_is_shown_soon(written: WrittenRun, live: LiveRuns) -> None:
    """A viewer sees a stage within 0.3 s of its event."""

    async def look() -> float:
        async with aclosing(live.watch([RUN])) as stream, aclosing(messages(stream)) as told:
            assert (await anext(told))["whole"] is True
            slowest = 0.0
            for year in range(2000, 2005):
                elapsed = stopwatch()
                written.stage(year, "flows")
                await seen(told, [year, "flows", "completed"])
                slowest = max(slowest, elapsed())
            return slowest

    assert asyncio.run(look()) < SOON


def test_who_comes_late_sees_all(written: WrittenRun, live: LiveRuns) -> None:
    """What was before is in the first message, for a second viewer as for the first."""

    async def look() -> None:
        written.stage(2000, "flows")
        async with aclosing(live.watch([RUN])) as first, aclosing(messages(first)) as told:
            await seen(told, [2000, "flows", "completed"])
            async with aclosing(live.watch([RUN])) as second, aclosing(messages(second)) as later:
                message = await anext(later)
                assert [2000, "flows", "completed"] in [one[:3] for one in message["cells"]]  # type: ignore[attr-defined]
                written.stage(2000, "balance")
                await seen(later, [2000, "balance", "completed"])

    asyncio.run(look())


def test_viewers_share_one_reader(written: WrittenRun, live: LiveRuns) -> None:
    """However many look at a run, its file is open once, and closed when the last has gone."""

    def open_files() -> int:
        return sum(_leads_to(one, written.file) for one in Path("/proc/self/fd").iterdir())

    async def look() -> None:
        streams = [live.watch([RUN]) for _ in range(20)]
        told = [messages(stream) for stream in streams]
        await asyncio.gather(*(anext(one) for one in told))
        assert open_files() == 1
        written.stage(2000, "flows")
        await asyncio.gather(*(seen(one, [2000, "flows", "completed"]) for one in told))
        for stream in [*told, *streams]:
            await stream.aclose()
        for _ in range(100):
            if not open_files():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the file is still open")

    asyncio.run(look())


def _leads_to(link: Path, file: Path) -> bool:
    try:
        return link.readlink() == file
    except OSError:
        return False


def test_a_slow_viewer_gets_the_whole(written: WrittenRun, live: LiveRuns) -> None:
    """Who does not read is not waited for, costs no memory without bound, and sees the state of now in the end."""

    async def look() -> None:
        async with aclosing(live.watch([RUN])) as slow, aclosing(live.watch([RUN])) as quick:
            told = messages(quick)
            await anext(slow)
            await anext(told)
            for number in range(2 * MESSAGES_KEPT + 50):
                written.stage(2000 + number % 50, "flows" if number % 2 else "balance")
                if number % 10 == 0:
                    await asyncio.sleep(0)
            written.end()
            async for message in told:
                if message["ended"]:
                    break
            last: dict[str, object] = {}
            async for message in messages(slow):
                last = message
                if message["ended"]:
                    break
            assert last["status"] == "completed"

    asyncio.run(asyncio.wait_for(look(), 60))


def test_a_run_whose_process_is_gone_has_crashed(tmp_path: Path, live: LiveRuns) -> None:
    """The viewer is told, and does not wait for ever."""
    written = WrittenRun(tmp_path / "x")
    text = written.file.read_text().replace(f'"pid": {os.getpid()}', '"pid": 4194303')
    (tmp_path / RUN).mkdir()
    (tmp_path / RUN / "events.jsonl").write_text(text)

    async def look() -> object:
        async for message in messages(live.watch([RUN])):
            if message["ended"]:
                return message["status"]
        return None

    assert asyncio.run(asyncio.wait_for(look(), 30)) == "crashed"


@pytest.mark.parametrize("name", ["../x", "", "..", "/etc/passwd", "a\0b", "nothing"])
def test_nothing_but_runs_is_watched(live: LiveRuns, name: str) -> None:
    """A name that is none of a run gives a stream without a message."""

    async def look() -> bytes:
        async with aclosing(live.watch([name])) as stream:
            return await anext(stream)

    assert asyncio.run(look()) == b"retry: 1000\n\n"


def test_newest_runs_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a workspace there are none, and that is no error."""
    from orchestrator.ui.settings import UiSettings

    monkeypatch.chdir(tmp_path)
    assert Workspace(UiSettings(folder=tmp_path)).newest_runs() == ()
