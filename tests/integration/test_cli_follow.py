"""``orchestrator runs show --follow``, and runs that are in progress."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.core.clocks import utc_now
from tests.support.told_runs import ToldRuns, ended, somebody_gone, stage_events, started

BEFORE = "11111111-0000-0000-0000-000000000000"
NOW = "22222222-0000-0000-0000-000000000000"


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[ToldRuns]:
    """Give a project with a run that has completed; each of its stages took 10 seconds."""
    with ToldRuns(tmp_path / "lakes") as made:
        made.run(BEFORE)
        yield made


def test_a_run_is_followed_to_its_end(runs: ToldRuns) -> None:
    """What was before, what comes, what is left; ends with 0 when the run completed."""
    runs.tell(started(NOW), *stage_events(NOW, 2000, "flows", 9.0, at=utc_now()))
    process = runs.start("runs", "show", "--follow")
    assert process.stdout is not None
    assert process.stdout.readline().startswith(f"Run {NOW} · baseline, 2000–2001 · started ")
    assert process.stdout.readline() == "✓ 2000 flows                       9.00 s   3 nodes\n"
    words = process.stdout.readline().split()
    assert (words[0], words[2:]) == ("about", ["s", "left"])
    assert 25 < float(words[1]) <= 40
    begun, finished = stage_events(NOW, 2000, "balance", 4.0)
    runs.tell(begun)
    runs.tell(finished)
    assert process.stdout.readline() == "✓ 2000 balance                     4.00 s   3 nodes, about 20.0 s left\n"
    assert process.poll() is None
    runs.tell(ended(NOW))
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "completed, 40.0 s\n", "")


@pytest.mark.parametrize("status", ["failed", "interrupted", "cancelled"])
def test_a_run_that_does_not_complete_ends_with_1(runs: ToldRuns, status: str) -> None:
    """Its error is shown; also a run that ended long ago can be followed."""
    runs.tell(started(NOW), ended(NOW, status, "model lake_level failed"))
    told = runs("runs", "show", "2222", "--follow")
    assert told.exit_code == 1
    assert told.out.endswith(f"\n{status}, 40.0 s\nError: model lake_level failed\n")
    told = runs("runs", "show", "2222", "--follow", "--json")
    assert told.exit_code == 1
    assert told.document()["status"] == status
    assert runs("runs", "show", "1111", "--follow").exit_code == 0


def test_a_run_whose_process_is_gone_ends_the_following(runs: ToldRuns) -> None:
    """With 1, whatever it was at."""
    runs.tell(started(NOW, process=somebody_gone()), stage_events(NOW, 2000, "flows", 1.0)[0])
    told = runs("runs", "show", "2222", "--follow")
    assert told.exit_code == 1
    assert told.out.endswith("\nIts process has ended without reporting a result.\n")
    told = runs("runs", "show", "--follow")
    assert told.exit_code == 2
    assert told.err.startswith("Error: No run is in progress.\nTo fix: ")
    assert "cut off" in runs("runs", "show", "2222").out


def test_a_step_that_is_going_on_is_not_cut_off(runs: ToldRuns) -> None:
    """It is shown with the seconds so far."""
    runs.tell(started(NOW), stage_events(NOW, 2000, "flows", 1.0, at=utc_now())[0])
    told = runs("runs", "show", "2222")
    line = next(line for line in told.out.splitlines() if line.startswith("… "))
    assert "2000 flows" in line and line.endswith(" s so far")
    assert "cut off" not in told.out


def test_odd_lines_and_no_lines(runs: ToldRuns) -> None:
    """What is no event is passed over, and control characters are written out; without a file there is no following."""
    runs.tell(started(NOW))
    file = runs.root / "var" / "runs" / NOW / "events.jsonl"
    with file.open("a") as lines:
        lines.write('no json\n[]\n{"event": "StageFinished"}\n{"event": "Unknown"}\n\n')
    runs.tell(ended(NOW, "failed", "a\x1b[2Jb"))
    told = runs("runs", "show", "2222", "--follow")
    assert told.exit_code == 1
    assert told.out.endswith("\nError: a\\x1b[2Jb\n")
    file.unlink()
    told = runs("runs", "show", "2222", "--follow")
    assert told.exit_code == 1
    assert f"{file}: No such file or directory" in told.err
    file.mkdir()
    assert "is not a regular file" in runs("runs", "show", "2222", "--follow").err


def test_ctrl_c_ends_the_following_alone(runs: ToldRuns) -> None:
    """With 130."""
    runs.tell(started(NOW))
    process = runs.start("runs", "show", "--follow")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
