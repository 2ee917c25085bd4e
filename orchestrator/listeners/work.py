"""The events of a run as a tree of what began and ended: the run, its years, their stages, their nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from orchestrator.core.events import (
    Event,
    NodeFinished,
    NodeStarted,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    YearFinished,
    YearStarted,
)

Kind = Literal["run", "year", "stage", "node"]
Status = Literal["completed", "failed", "skipped", "aborted"]
FAILED_NODES = frozenset({"error", "fail", "runtime error", "partial success"})


@dataclass(frozen=True)
class Work:
    """Something that takes time; ``key`` is its own within the run, empty for the run itself.

    A node of healing belongs to no year and no stage, and lies right below the run.
    """

    kind: Kind
    key: str
    name: str
    began_at: datetime
    above: Work | None = None
    year: int | None = None
    stage: str | None = None
    unique_id: str | None = None
    resource_type: str | None = None


@dataclass(frozen=True)
class Begun:
    """Signals that work began."""

    work: Work


@dataclass(frozen=True)
class Ended:
    """Signals that work ended; ``error`` is set where it failed."""

    work: Work
    at: datetime
    status: Status
    error: str | None = None


class WorkTree:
    """Follows one run; what is under way when the run ends, ends with it."""

    def __init__(self) -> None:
        self._run: Work | None = None
        self._open: dict[str, Work] = {}  # by key, the outermost first
        self._turns = 0

    def take(self, event: Event) -> list[Begun | Ended]:
        """Take one event; return what began or ended by it."""
        match event:
            case RunStarted():
                self._run = Work("run", "", event.scenario, event.at)
                return [self._begin(self._run)]
            case RunFinished():
                return list(self._finish(event))
            case YearStarted():
                return [self._begin(Work("year", str(event.year), str(event.year), event.at, self._run, event.year))]
            case YearFinished():
                return self._end(str(event.year), event.at, "completed")
            case StageStarted():
                key, above = f"{event.year}/{event.stage}", self._open.get(str(event.year), self._run)
                return [self._begin(Work("stage", key, event.stage, event.at, above, event.year, event.stage))]
            case StageFinished():
                status: Status = "completed" if event.success else "failed"
                return self._end(f"{event.year}/{event.stage}", event.at, status, event.error)
            case NodeStarted():
                return [self._begin(self._node(event))]
            case NodeFinished():
                return self._end(self._key_of(event.unique_id), event.at, *_outcome(event))
            case _:
                return []

    def _node(self, event: NodeStarted) -> Work:
        above = next((work for work in reversed(self._open.values()) if work.kind == "stage"), self._run)
        self._turns += 1  # healing may build a node twice
        place = above.key if above is not None and above.key else f"healing-{self._turns}"
        year, stage = (None, None) if above is None else (above.year, above.stage)
        return Work(
            "node",
            f"{place}/{event.unique_id}",
            event.name,
            event.at,
            above,
            year,
            stage,
            event.unique_id,
            event.resource_type,
        )

    def _key_of(self, unique_id: str) -> str:
        return next((key for key, work in self._open.items() if work.unique_id == unique_id), "")

    def _begin(self, work: Work) -> Begun:
        self._open[work.key] = work
        return Begun(work)

    def _end(self, key: str, at: datetime, status: Status, error: str | None = None) -> list[Begun | Ended]:
        work = self._open.pop(key, None) if key else None
        return [] if work is None else [Ended(work, at, status, error)]

    def _finish(self, event: RunFinished) -> Iterator[Begun | Ended]:
        status: Status = "aborted"
        if event.status in ("completed", "failed"):
            status = "completed" if event.status == "completed" else "failed"
        for work in reversed(self._open.values()):
            yield Ended(work, event.at, status, event.error)
        self._open.clear()


def _outcome(event: NodeFinished) -> tuple[Status, str | None]:
    if event.status in FAILED_NODES:
        return "failed", event.error or f"dbt says: {event.status}"
    return ("skipped", None) if event.status == "skipped" else ("completed", None)
