"""What the history and the sweeps know of how sides were made: times, warnings of tests, members that failed."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.core.errors import StorageError
from orchestrator.reports.sides.groups import DONE, OpenSweep, open_sweep
from orchestrator.reports.sides.side import Side
from orchestrator.reports.sides.sources import Sources
from orchestrator.storage.base import StorageBackend


@dataclass(frozen=True)
class RunTimes:
    """Seconds of one run: ``total``, of what belongs to no year by name, and by year and stage."""

    side: str
    run_id: str
    total: float | None
    stages: tuple[str, ...]
    outside: tuple[tuple[str, float], ...]
    years: tuple[tuple[str, tuple[float | None, ...]], ...]


@dataclass(frozen=True)
class SweepTimes:
    """Seconds of the finished members of a sweep."""

    sweep: str
    members: int
    total: float
    median: float
    longest: float
    longest_member: str


@dataclass(frozen=True)
class WarnedTest:
    """A test of severity warn that found rows: in which years, and how many rows in all; over all runs of a side."""

    side: str
    test: str
    years: tuple[int, ...]
    rows: int
    runs: int


@dataclass(frozen=True)
class FailedMember:
    """A member of a sweep that failed, with its message and how often it was tried."""

    sweep: str
    key: str
    message: str
    to_fix: str | None
    attempts: int


@dataclass(frozen=True)
class Past:
    """How the sides were made; ``unknown`` is the number of simulations that the history does not know."""

    runs: tuple[RunTimes, ...]
    sweeps: tuple[SweepTimes, ...]
    warnings: tuple[WarnedTest, ...]
    failures: tuple[FailedMember, ...]
    known: int
    unknown: int


def past_of(sources: Sources, sides: Sequence[Side]) -> Past:
    """Return what is known of how sides were made."""
    names = dict.fromkeys(side.sweep for side in sides if side.sweep is not None)
    sweeps = [open_sweep(folder) for name in names if (folder := sources.sweep(name)) is not None]
    single = [side for side in sides if side.sweep is None]
    history = sources.history
    recorded = {
        one.run_id
        for side in sides
        for one in side.repetitions
        if history is not None and one.run_id is not None and history.runs.get(one.run_id) is not None
    }
    simulations = sum(len(side.repetitions) for side in sides)
    known = sum(one.run_id in recorded for side in sides for one in side.repetitions)
    return Past(
        runs=() if history is None else tuple(_times(history, single)),
        sweeps=tuple(_of_sweep(sweep) for sweep in sweeps if _seconds(sweep)),
        warnings=() if history is None else tuple(_warnings(history, sides)),
        failures=tuple(failed for sweep in sweeps for failed in _failures(sweep)),
        known=known,
        unknown=simulations - known,
    )


def _times(history: StorageBackend, sides: Sequence[Side]) -> Iterator[RunTimes]:
    for side in sides:
        run_id = side.repetitions[0].run_id
        run = None if run_id is None else history.runs.get(run_id)
        if run is None:
            continue
        seconds: dict[tuple[int | None, str], float] = {}
        for step in history.steps.list_by_run(run.id):
            if step.seconds is not None:
                key = step.year, (step.stage or step.name) if step.year is not None else step.name
                seconds[key] = seconds.get(key, 0.0) + step.seconds
        stages = tuple(dict.fromkeys(name for year, name in seconds if year is not None))
        outside = {name: spent for (year, name), spent in seconds.items() if year is None}
        years = sorted({year for year, _ in seconds if year is not None})
        by_year = tuple((str(year), tuple(seconds.get((year, stage)) for stage in stages)) for year in years)
        yield RunTimes(side.name, run.id, run.duration_seconds, stages, tuple(outside.items()), by_year)


def _seconds(sweep: OpenSweep) -> dict[str, float]:
    return {
        key: state.seconds for key, state in sweep.states.items() if state.status == DONE and state.seconds is not None
    }


def _of_sweep(sweep: OpenSweep) -> SweepTimes:
    seconds = _seconds(sweep)
    longest = max(seconds, key=lambda key: seconds[key])
    total, median = sum(seconds.values()), statistics.median(seconds.values())
    return SweepTimes(sweep.name, len(seconds), total, median, seconds[longest], longest)


def _failures(sweep: OpenSweep) -> Iterator[FailedMember]:
    for member in sweep.plan.members:
        state = sweep.states[member.key]
        if state.status == "failed":
            message = state.message or "It left no message."
            yield FailedMember(sweep.name, member.key, message, state.to_fix, state.attempts)


def _warnings(history: StorageBackend, sides: Sequence[Side]) -> Iterator[WarnedTest]:
    for side in sides:
        found: dict[str, list[tuple[str, int, int]]] = {}
        for one in side.repetitions:
            outputs = [] if one.run_id is None else _outputs(history, one.run_id)
            for warning in outputs:
                if isinstance(warning, dict) and isinstance(warning.get("year"), int):
                    rows = warning.get("rows")
                    entry = (one.name, warning["year"], rows if isinstance(rows, int) else 0)
                    found.setdefault(str(warning.get("test")), []).append(entry)
        for test, entries in found.items():
            years = tuple(sorted({year for _, year, _ in entries}))
            runs = len({name for name, _, _ in entries})
            yield WarnedTest(side.name, test, years, sum(rows for _, _, rows in entries), runs)


def _outputs(history: StorageBackend, run_id: str) -> list[object]:
    with suppress(StorageError):
        for output in history.outputs.list_by_run(run_id):
            if output.key == "test_warnings" and isinstance(output.value, list):
                return output.value
    return []
