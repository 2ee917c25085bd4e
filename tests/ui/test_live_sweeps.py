"""Sweeps as they happen: for many viewers, and read once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from orchestrator.core.clocks import utc_now
from orchestrator.reports.sweep_looks import SweepLooks
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.happenings import MemberReached, WorkersSeen
from orchestrator.scenarios.holding import held
from orchestrator.scenarios.plan import SweepPlan
from orchestrator.scenarios.state import MemberState
from orchestrator.scenarios.told import SweepTeller
from orchestrator.ui.live_sweeps import LiveSweeps
from tests.support.swept_lakes import lay_waiting

PATIENCE = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    """Lay a sweep of twenty members."""
    return lay_waiting(tmp_path, "s", 20)


@pytest.fixture
def live(tmp_path: Path) -> LiveSweeps:
    """Watch the sweeps of a folder."""
    return LiveSweeps(lambda: tmp_path, SweepLooks())


async def messages(stream: AsyncIterator[bytes]) -> AsyncGenerator[dict[str, object], None]:
    """Yield the documents of a stream."""
    async for part in stream:
        for line in part.decode().splitlines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


async def seen(stream: AsyncIterator[dict[str, object]], row: list[object]) -> dict[str, object]:
    """Wait for a message in which a member is as given: place, status, what stands beside it."""
    async for message in stream:
        rows = message["rows"]
        assert isinstance(rows, list)
        if row in rows:
            return message
    raise AssertionError("the stream ended")


def keys(folder: SweepFolder) -> list[str]:
    """Return the keys of the members."""
    return [member.key for member in SweepPlan.read(folder.plan).members]


def test_members_are_shown_as_they_go(folder: SweepFolder, live: LiveSweeps) -> None:
    """Where they are, when they have ended, and the sums with workers and memory; only what has changed is sent."""
    (first, *_) = keys(folder)

    async def look() -> None:
        with held(folder):
            tell = SweepTeller(folder, 0)
            async with aclosing(live.watch("s")) as stream, aclosing(messages(stream)) as told:
                whole = await anext(told)
                assert (whole["status"], whole["total"]) == ("running", 20)
                MemberState("running", started_at=utc_now().isoformat()).write(folder.member(first).state)
                tell(MemberReached(first, 1, 2001, "flows"))
                tell(WorkersSeen(2, 310_000_000))
                tell._write()
                message = await seen(told, [1, "running", "2001, flows"])
                assert message["workers"] == "2 workers, 310.0 MB"
                assert message["now"][0][1:3] == ["rain_factor 0.0, seed 1", "2001, flows"]  # type: ignore[index]
                MemberState("done", seconds=2.0).write(folder.member(first).state)
                message = await seen(told, [1, "done", "2.0 s"])
                assert message["counts"]["done"] == 1  # type: ignore[index]
                assert len(message["rows"]) == 1  # type: ignore[arg-type]
                assert str(message["left"]).startswith("about ")

    asyncio.run(asyncio.wait_for(look(), PATIENCE))


def test_what_failed_before_waits_again(folder: SweepFolder, live: LiveSweeps) -> None:
    """A sweep that goes on has not failed anew, and what stopped before is not stopped."""
    for key in keys(folder):
        state = MemberState("failed", finished_at="2026-01-01T00:00:00+00:00", message="x")
        state.write(folder.member(key).state)

    async def look() -> dict[str, object]:
        with held(folder):
            SweepTeller(folder, 0)
            async with aclosing(live.watch("s")) as stream, aclosing(messages(stream)) as told:
                return await anext(told)

    message = asyncio.run(asyncio.wait_for(look(), PATIENCE))
    assert message["counts"] == {"waiting": 20}


def test_viewers_share_one_reader(folder: SweepFolder, tmp_path: Path) -> None:
    """However many look, the sweep is looked at as often as for one; and no more once they have gone."""

    class Counting(SweepLooks):
        count = 0

        def look(self, root: Path, name: str):  # type: ignore[no-untyped-def]
            self.count += 1
            return super().look(root, name)

    looks = Counting()
    live = LiveSweeps(lambda: tmp_path, looks)

    async def look() -> None:
        with held(folder):
            SweepTeller(folder, 0)
            streams = [live.watch("s") for _ in range(50)]
            told = [messages(stream) for stream in streams]
            assert all(one["total"] == 20 for one in await asyncio.gather(*(anext(one) for one in told)))
            assert looks.count <= 3
            for stream in [*told, *streams]:
                await stream.aclose()
            await asyncio.sleep(0)
            before = looks.count
            await asyncio.sleep(0.6)
            assert looks.count <= before + 1

    asyncio.run(asyncio.wait_for(look(), PATIENCE))


def test_a_slow_viewer_gets_the_state_of_now(folder: SweepFolder, live: LiveSweeps) -> None:
    """Who does not read costs no memory, and is sent each member once, as it is in the end."""
    (first, *_) = keys(folder)

    async def look() -> None:
        with held(folder):
            SweepTeller(folder, 0)
            async with aclosing(live.watch("s")) as slow, aclosing(live.watch("s")) as quick:
                told = messages(quick)
                await anext(told)
                assert await anext(slow) == b"retry: 1000\n\n"
                for number in range(5):
                    MemberState("done", seconds=float(number)).write(folder.member(first).state)
                    await seen(told, [1, "done", f"{number:.1f} s"])
                message = await anext(messages(slow))
                assert [row for row in message["rows"] if row[0] == 1] == [[1, "done", "4.0 s"]]  # type: ignore[attr-defined]

    asyncio.run(asyncio.wait_for(look(), PATIENCE))


def test_the_end_is_told(folder: SweepFolder, live: LiveSweeps) -> None:
    """Also where the process was killed, or the sweep was deleted; then the stream ends."""

    async def look() -> list[dict[str, object]]:
        with held(folder):
            SweepTeller(folder, 0)
            stream = live.watch("s")
            told = messages(stream)
            await anext(told)
        return [message async for message in told]

    *_, last = asyncio.run(asyncio.wait_for(look(), PATIENCE))
    assert (last["ended"], last["status"]) == (True, "stopped")


@pytest.mark.parametrize("name", ["nothing", "..", "a\0b", ""])
def test_no_other_sweep(live: LiveSweeps, folder: SweepFolder, name: str) -> None:
    """A name that is none of a sweep gives an end at once."""

    async def look() -> list[dict[str, object]]:
        return [message async for message in messages(live.watch(name))]

    assert asyncio.run(asyncio.wait_for(look(), PATIENCE)) == [{"sweep": name, "ended": True, "rows": []}]


def test_the_list_is_told_of_changes(folder: SweepFolder, live: LiveSweeps) -> None:
    """Of a sweep that begins, and of members that end."""

    async def look() -> None:
        async with aclosing(live.watch(None)) as stream, aclosing(messages(stream)) as told:
            asking = asyncio.ensure_future(anext(told))
            while not live._watched[None].version if None in live._watched else True:
                await asyncio.sleep(0.01)
            with held(folder):
                assert await asking == {}

    asyncio.run(asyncio.wait_for(look(), PATIENCE))
