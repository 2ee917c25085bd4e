"""The steps of a run as bars on a line of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.formats import shown_seconds
from orchestrator.cli.output import Output

if TYPE_CHECKING:
    from orchestrator.storage.models import WorkflowStep

STYLES = {"completed": "green", "failed": "red", "running": "yellow"}
FULL, THIN = "█", "▏"
LEAST, MOST = 10, 60


def show_timeline(output: Output, steps: Sequence[WorkflowStep], until: datetime, *, running: bool) -> None:
    """Write a line for each step: its name, a bar from its start to its end, its seconds.

    ``until`` ends open ones, which go on where the run is ``running`` and were cut off where it is not.
    """
    if not steps:
        return
    steps = list(_merged(steps))
    labels = [_label(step) for step in steps]
    lengths = [_length(step, until, running=running) for step in steps]
    begin = min(step.started_at for step in steps)
    whole = max((max(step.completed_at or until, step.started_at) for step in steps), default=until)
    span = max((whole - begin).total_seconds(), 0.001)
    label_width, length_width = max(map(len, labels)), max(map(len, lengths))
    room = min(MOST, max(LEAST, output.people.width - label_width - length_width - 4))
    output.say()
    for step, label, length in zip(steps, labels, lengths, strict=True):
        first = (step.started_at - begin).total_seconds() / span
        last = ((step.completed_at or until) - begin).total_seconds() / span
        bar = bar_of(first, max(first, last), room)
        style = STYLES.get(step.status, "")
        line = Text.assemble((f"{label:<{label_width}}  ", "" if step.status == "completed" else style), (bar, style))
        line.append(f"  {length:>{length_width}}", "" if step.status == "completed" else style)
        output.say(line)


def bar_of(first: float, last: float, room: int) -> str:
    """Draw a part of a line of ``room`` characters; what is shorter than half a character is a thin stroke.

    >>> bar_of(0.0, 0.5, 8), bar_of(0.5, 1.0, 8), bar_of(1.0, 1.0, 8)
    ('████    ', '    ████', '       ▏')
    """
    start = min(round(first * room), room - 1)
    drawn = FULL * min(round((last - first) * room), room - start)
    return (" " * start + (drawn or THIN)).ljust(room)


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
