"""Read what our runs left in ``var/runs/<run id>/events.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from benchmarks.measure import BenchmarkError

Record = dict[str, object]


def last_run(project: Path) -> list[Record]:
    """Return the events of the newest run below a project.

    Raises:
        BenchmarkError: there is none.
    """
    files = sorted((project / "var" / "runs").glob("*/events.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    if not files:
        raise BenchmarkError(f"{project} has no run.")
    return [json.loads(line) for line in files[-1].read_text(encoding="utf-8").splitlines()]


def named(events: list[Record], name: str) -> Iterator[Record]:
    """Yield the events of one class."""
    return (event for event in events if event["event"] == name)


def unix_time(event: Record) -> float:
    """Return when an event happened, as Unix time."""
    return datetime.fromisoformat(str(event["at"])).timestamp()


def year_seconds(events: list[Record]) -> dict[int, float]:
    """Return what each year of a run took."""
    return {int(str(event["year"])): float(str(event["seconds"])) for event in named(events, "YearFinished")}
