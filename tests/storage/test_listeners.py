"""Listeners that watch several runs at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from orchestrator.core.events import Event, RunFinished, RunStarted, StageFinished, StageStarted, StepStarted
from orchestrator.storage.factory import create_storage_backend
from orchestrator.storage.json_lines import JsonLinesListener
from orchestrator.storage.listener import RunHistoryListener

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def story(run_id: str, year: int) -> list[Event]:
    """Make the events of a run of one stage."""
    at, later = START, START + timedelta(seconds=2)
    return [
        RunStarted(
            at=at, run_id=run_id, scenario=run_id, database="d", years=(year,), stages=("flows",), command="c", pid=1
        ),
        StageStarted(at=at, run_id=run_id, year=year, stage="flows", command="run"),
        StageFinished(
            at=later,
            run_id=run_id,
            year=year,
            stage="flows",
            started_at=at,
            seconds=2.0,
            dbt_seconds=1.0,
            nodes=3,
            replayed=False,
            success=True,
        ),
        RunFinished(at=later, run_id=run_id, status="completed", seconds=2.0),
    ]


def test_two_runs_of_one_listener_are_kept_apart(tmp_path: Path) -> None:
    """Events of two runs that alternate go each to the lines and the history of its own run; others to none."""
    url = f"sqlite:///{tmp_path / 'history.db'}"
    listeners: list[Callable[[Event], None]] = [
        JsonLinesListener(tmp_path / "runs"),
        RunHistoryListener(url, tmp_path / "runs"),
    ]
    for pair in zip(story("a", 2000), story("b", 2001), strict=True):
        for event in (*pair, StepStarted(at=START, step="check_tables")):
            for listener in listeners:
                listener(event)
    with create_storage_backend(url) as history:
        for run_id, year in (("a", 2000), ("b", 2001)):
            lines = (tmp_path / "runs" / run_id / "events.jsonl").read_text().splitlines()
            told = [(record["event"], record["run_id"]) for record in map(json.loads, lines)]
            assert told == [(type(event).__name__, run_id) for event in story(run_id, year)]
            run = history.runs.get(run_id)
            assert run is not None and run.status == "completed"
            assert [(s.name, s.year, s.status) for s in history.steps.list_by_run(run_id)] == [
                ("flows", year, "completed")
            ]


@pytest.mark.parametrize("late", [False, True])
def test_events_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture, *, late: bool) -> None:
    """Place and reason are said once, in words, with what the run is without; the next run tries again."""
    runs = tmp_path / "runs"
    write = JsonLinesListener(runs)
    started, *_, finished = story("a", 2000)
    if late:
        write(started)
        os.dup2(os.open("/dev/full", os.O_WRONLY), write._files["a"].fileno())
    else:
        runs.write_text("not a folder")
        write(started)
    write(finished)
    write(finished)
    (said,) = [record.getMessage() for record in caplog.records]
    assert str(runs / "a" / "events.jsonl") in said and "Error" not in said
    reason, without = ("No space left", "its later events") if late else ("Not a directory", "it has no events")
    assert reason in said and without in said
    if not late:
        runs.unlink()
    write(started)
    write(finished)
    assert (runs / "a" / "events.jsonl").is_file()
