"""The seconds that a run is still expected to take, by its events and what stages took before."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from orchestrator.core.events import Event, RunStarted, StageFinished, StageStarted
from orchestrator.pipeline.stage_history import StageHistory, StageTime
from orchestrator.storage.base import RUNS_TO_LEARN_FROM, StorageBackend

if TYPE_CHECKING:
    from orchestrator.storage.models import WorkflowRun


class RemainingTime:
    """Learns from the events of one run where it is; ``history`` is what stages took in earlier runs.

    The start of a run (dbt, healing, purge) and its hooks are not foreseen.
    """

    def __init__(self, history: StageHistory) -> None:
        self._history = history
        self._left: list[tuple[int, str]] = []
        self._since: datetime | None = None

    def take(self, event: Event) -> None:
        """Take one event."""
        match event:
            case RunStarted():
                self._left = [(year, stage) for year in event.years for stage in event.stages]
            case StageStarted():
                self._begin((event.year, event.stage))
                self._since = event.at
            case StageFinished() if self._left:
                del self._left[0]
                self._since = event.at
            case _:
                pass

    def seconds(self, now: datetime) -> float | None:
        """Return how long it is expected to take from ``now``, None before the first stage and without history.

        A stage that no earlier run had in such a year is not run in it, so far as is known.
        """
        if self._since is None:
            return None
        expected = [self._history.expected_seconds(year, stage) for year, stage in self._left]
        known = [seconds for seconds in expected if seconds is not None]
        if expected and not known:
            return None
        return max(0.0, sum(known) - (now - self._since).total_seconds())

    def _begin(self, place: tuple[int, str]) -> None:
        """Pass over what is not run: years and stages that are finished already."""
        if place in self._left:
            del self._left[: self._left.index(place)]
        else:
            self._left.insert(0, place)


def remaining_time(backend: StorageBackend, run: WorkflowRun) -> RemainingTime:
    """Return what tells the remaining time of a run, by the stages of earlier runs of its project and scenario."""
    rows = backend.steps.stage_seconds(run.workflow_name, run.scenario or "", RUNS_TO_LEARN_FROM)
    years = run.config_snapshot.get("simulation")
    first = years.get("start_year") if isinstance(years, dict) else None
    return RemainingTime(StageHistory(tuple(StageTime(*row) for row in rows), first if isinstance(first, int) else 0))
