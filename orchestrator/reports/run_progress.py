"""Years × stages of a run as a grid, by its steps in the history or live by its events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.core.events import (
    CommandStarted,
    DbtStarted,
    Event,
    HookFinished,
    HookStarted,
    LockWaited,
    NodeFinished,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepFinished,
    StepStarted,
    YearsPurged,
)
from orchestrator.core.formats import shown_seconds
from orchestrator.reports.run_history import years_of
from orchestrator.storage.base import COMPLETED, CRASHED, FAILED, RUNNING, RunRecord

if TYPE_CHECKING:
    from orchestrator.storage.models import WorkflowStep

WAITING, NOT_RUN, KEPT, LEFT_OUT, CUT_OFF = "waiting", "not run", "kept", "left out", "cut off"
Place = tuple[int, str]


@dataclass(frozen=True)
class Cell:
    """One stage of one year; ``status`` is waiting, running, completed, failed, cut off, kept, left out or not run.

    ``kept`` was finished by an earlier run, ``left out`` does not belong to this year.
    """

    status: str
    seconds: float | None = None
    replayed: bool = False

    @property
    def words(self) -> str:
        """Say what became of it, as short as a cell is."""
        if self.status == COMPLETED:
            return f"{shown_seconds(self.seconds)}{' replayed' if self.replayed else ''}"
        return self.status


@dataclass(frozen=True)
class Grid:
    """A run: ``cells`` by year, each in the order of ``stages``; ``now`` says what is being done, empty at the end."""

    status: str
    years: tuple[int, ...]
    stages: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    now: str = ""

    @property
    def rows(self) -> list[tuple[int, tuple[Cell, ...]]]:
        """Return each year with its cells."""
        return list(zip(self.years, self.cells, strict=True))

    @property
    def done(self) -> int:
        """Count the stages that need no more work."""
        return sum(cell.status in (COMPLETED, KEPT, LEFT_OUT) for cells in self.cells for cell in cells)

    @property
    def total(self) -> int:
        """Count all stages."""
        return len(self.years) * len(self.stages)


def grid_of(record: RunRecord, status: str) -> Grid:
    """Return the grid of a run in the history, which has this status now."""
    progress = RunProgress(years_of(record.run), stages_of(record))
    for step in record.steps:
        progress.take_step(step)
    return progress.grid(status)


def stages_of(record: RunRecord) -> tuple[str, ...]:
    """Return the names of the stages of a run, in order."""
    found = record.run.inputs.get("stages")
    named = [str(name) for name in found] if isinstance(found, list) else []
    return tuple(dict.fromkeys([*named, *(step.stage for step in record.steps if step.stage and step.year)]))


class RunProgress:
    """Learns what a run does, step by step or event by event."""

    def __init__(self, years: Sequence[int] = (), stages: Sequence[str] = ()) -> None:
        self._years = tuple(years)
        self._stages = tuple(stages)
        self._cells: dict[Place, Cell] = {}
        self._now = ""
        self._nodes = (0, 0)
        self.status = RUNNING
        self.error: str | None = None

    def take_step(self, step: WorkflowStep) -> None:
        """Take a step of the history."""
        if step.kind == "stage" and step.year is not None and step.stage is not None:
            replayed = (step.detail or "").endswith("replayed")
            self._put((step.year, step.stage), Cell(step.status, step.seconds, replayed))

    def take(self, event: Event) -> None:
        """Take one event."""
        match event:
            case RunStarted():
                self._years, self._stages = event.years, event.stages
            case RunFinished():
                self.status, self.error, self._now = event.status, event.error, ""
            case StageStarted():
                self._put((event.year, event.stage), Cell(RUNNING))
                self._begin(f"{event.year} {event.stage}")
            case StageFinished():
                status = COMPLETED if event.success else FAILED
                self._put((event.year, event.stage), Cell(status, event.seconds, event.replayed))
                self._begin("")
            case _:
                self._other(event)

    def _other(self, event: Event) -> None:
        match event:
            case DbtStarted():
                self._begin("start dbt")
            case StepStarted():
                self._begin(event.step)
                self._nodes = (0, event.nodes)
            case HookStarted():
                self._begin(f"hook {event.name}")
            case LockWaited():
                self._begin("wait for the database")
            case StepFinished() | HookFinished() | YearsPurged():
                self._begin("")
            case CommandStarted():
                self._nodes = (0, event.nodes)
            case NodeFinished():
                self._nodes = (self._nodes[0] + 1, self._nodes[1])
            case _:
                pass

    def grid(self, status: str | None = None) -> Grid:
        """Return what is known now; ``status`` is that of the run where it is known better."""
        status = self.status if status is None else status
        places = [(year, stage) for year in self._years for stage in self._stages]
        begun = [number for number, place in enumerate(places) if place in self._cells]
        first, last = (begun[0], begun[-1]) if begun else (0, -1)
        cells = []
        for number, place in enumerate(places):
            cell = self._cells.get(place)
            if cell is None:
                after = WAITING if status == RUNNING else NOT_RUN
                cell = Cell(KEPT if number < first else LEFT_OUT if number < last else after)
            elif cell.status == RUNNING and status != RUNNING:
                cell = replace(cell, status=FAILED if status == FAILED else CUT_OFF)
            cells.append(cell)
        width = len(self._stages)
        rows = tuple(tuple(cells[start : start + width]) for start in range(0, len(cells), width)) if width else ()
        years = self._years if width else ()
        return Grid(status, years, self._stages, rows, self._told() if status == RUNNING else "")

    def _told(self) -> str:
        done, total = self._nodes
        return f"{self._now}, node {min(done + 1, total)} of {total}" if self._now and total > 1 else self._now

    def _put(self, place: Place, cell: Cell) -> None:
        self._cells[place] = cell
        if place[1] not in self._stages:
            self._stages = (*self._stages, place[1])
        if place[0] not in self._years:
            self._years = tuple(sorted((*self._years, place[0])))

    def _begin(self, what: str) -> None:
        self._now, self._nodes = what, (0, 0)


def ended_badly(status: str) -> bool:
    """Tell whether a run with this status has ended before its end.

    >>> ended_badly("failed"), ended_badly("completed"), ended_badly("running")
    (True, False, False)
    """
    return status not in (COMPLETED, RUNNING, "pending") or status == CRASHED
