"""What a sweep tells others of itself, and how one goes on by its plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.core.errors import SweepError
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.happenings import MemberEnded, MemberReached, WorkersSeen
from orchestrator.scenarios.plan import Member, SweepPlan, Variation
from orchestrator.scenarios.resuming import kept_plan, request_again
from orchestrator.scenarios.state import MemberState
from orchestrator.scenarios.told import Reached, SweepTeller, SweepTold


def lay(root: Path, **more: object) -> SweepPlan:
    """Write the plan of a sweep of two values and two seeds."""
    values = (1, 2)
    members = tuple(Member.of("baseline", seed, {"vars.rain": value}) for value in values for seed in (1, 2))
    when = "2026-11-29T20:00:00+00:00"
    varied = (Variation("vars.rain", values),)
    plan = SweepPlan("s", when, 2000, 2001, varied, ("baseline",), (1, 2), members, **more)  # type: ignore[arg-type]
    folder = SweepFolder.of(root, "s")
    folder.path.mkdir(parents=True)
    plan.write(folder.plan)
    return plan


def test_what_is_told_is_read(tmp_path: Path) -> None:
    """Where members are, workers and memory, and in the end when that was."""
    folder = SweepFolder(tmp_path)
    tell = SweepTeller(folder, 3)
    began = SweepTold.read(folder)
    assert began is not None and (began.kept, began.workers, began.ended_at) == (3, 0, None)
    tell(MemberReached("a", 1, 2000, "flows", "run-1"))
    tell(MemberReached("b", 1))
    tell(WorkersSeen(2, 1000))
    tell(MemberEnded("b", MemberState("done")))
    tell._write()
    now = SweepTold.read(folder)
    assert now is not None and (now.workers, now.memory) == (2, 1000)
    assert now.reached == {"a": Reached(2000, "flows", "run-1")}
    tell.end()
    ended = SweepTold.read(folder)
    assert ended is not None and ended.ended_at is not None and not ended.reached


def test_a_sweep_that_has_nothing_to_run_tells_nothing_new(tmp_path: Path) -> None:
    """The time that it took stays the time in which something was run."""
    folder = SweepFolder(tmp_path)
    first = SweepTeller(folder, 0, idle=True)
    assert SweepTold.read(folder) is not None  # there was nothing to be kept
    first.end()
    before = SweepTold.read(folder)
    SweepTeller(folder, 4, idle=True).end()
    assert SweepTold.read(folder) == before
    SweepTeller(folder, 3).end()
    after = SweepTold.read(folder)
    assert after is not None and after.kept == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"began_at": "x"}', '{"began_at": "2026-11-29T20:00:00"}'])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str) -> None:
    """A file that somebody has broken breaks no page."""
    folder = SweepFolder(tmp_path)
    assert SweepTold.read(folder) is None
    folder.progress.write_text(text)
    assert SweepTold.read(folder) is None


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once."""
    tell = SweepTeller(SweepFolder(tmp_path / "gone"), 0)
    tell.end()
    assert len(caplog.records) == 1 and "nobody sees how far it is" in caplog.text


def test_a_plan_is_asked_for_again(tmp_path: Path) -> None:
    """All that makes its members, with what the command line had set."""
    plan = lay(tmp_path, overrides=("dbt.threads=2",), keep=("water",), databases="none")
    found = kept_plan(tmp_path, "s")
    assert found == plan
    again = request_again(found)
    assert (again.name, again.seeds, again.keep, again.databases) == ("s", (1, 2), ("water",), "none")
    assert again.variations == plan.variations and again.most_members == 4


def test_a_secret_is_not_made_up(tmp_path: Path) -> None:
    """A sweep that was begun with one does not go on without it."""
    lay(tmp_path, overrides=("vars.api_key=***",))
    with pytest.raises(SweepError, match="secret value"):
        kept_plan(tmp_path, "s")


def test_a_plan_of_before_has_no_overrides(tmp_path: Path) -> None:
    """It is read as it is."""
    lay(tmp_path)
    file = SweepFolder.of(tmp_path, "s").plan
    document = json.loads(file.read_text())
    del document["overrides"]
    file.write_text(json.dumps(document))
    assert kept_plan(tmp_path, "s").overrides == ()
