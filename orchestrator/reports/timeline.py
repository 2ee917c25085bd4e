"""The steps of a run on a line of time, as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from orchestrator.core.formats import shown_seconds

if TYPE_CHECKING:
    from orchestrator.storage.models import WorkflowStep


@dataclass(frozen=True)
class Bar:
    """One step: its ``label``, its ``status``, how long it took in words, and where it lies, from 0 to 1."""

    label: str
    status: str
    length: str
    first: float
    last: float


def timeline(steps: Sequence[WorkflowStep], until: datetime, *, running: bool) -> tuple[Bar, ...]:
    """Return a bar for each step, in order.

    ``until`` ends open ones, which go on where the run is ``running`` and were cut off where it is not.
    """
    if not steps:
        return ()
    merged = list(_merged(steps))
    begin = min(step.started_at for step in merged)
    whole = max((max(step.completed_at or until, step.started_at) for step in merged), default=until)
    span = max((whole - begin).total_seconds(), 0.001)
    bars = []
    for step in merged:
        first = (step.started_at - begin).total_seconds() / span
        last = ((step.completed_at or until) - begin).total_seconds() / span
        length = _length(step, until, running=running)
        bars.append(Bar(_label(step), step.status, length, first, max(first, last)))
    return tuple(bars)


def _merged(steps: Sequence[WorkflowStep]) -> Iterator[WorkflowStep]:
    """Yield the steps; one that was done twice in a row, such as a look at the tables, becomes one."""
    last: WorkflowStep | None = None
    for step in steps:
        if last is not None and _key(last) == _key(step) and last.status == "completed":
            seconds = None if None in (last.seconds, step.seconds) else (last.seconds or 0) + (step.seconds or 0)
            last = replace(step, started_at=last.started_at, seconds=seconds)
            continue
        if last is not None:
            yield last
        last = step
    if last is not None:
        yield last


def _key(step: WorkflowStep) -> tuple[object, ...]:
    return step.kind, step.year, step.stage, step.name


def _length(step: WorkflowStep, until: datetime, *, running: bool) -> str:
    if step.seconds is not None:
        return shown_seconds(step.seconds)
    return f"{shown_seconds((until - step.started_at).total_seconds())} so far" if running else "cut off"


def _label(step: WorkflowStep) -> str:
    mark = {"failed": "✗ ", "running": "… "}.get(step.status, "")
    year = f"{step.year} " if step.year is not None else ""
    kind = "hook " if step.kind == "hook" else ""
    replayed = " (replayed)" if (step.detail or "").endswith(", replayed") else ""
    return f"{mark}{year}{kind}{step.name}{replayed}"
