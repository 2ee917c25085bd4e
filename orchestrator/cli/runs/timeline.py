"""The steps of a run as bars on a line of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.output import Output
from orchestrator.reports.timeline import timeline

if TYPE_CHECKING:
    from orchestrator.storage.models import WorkflowStep

STYLES = {"completed": "green", "failed": "red", "running": "yellow"}
FULL, THIN = "█", "▏"
LEAST, MOST = 10, 60


def show_timeline(output: Output, steps: Sequence[WorkflowStep], until: datetime, *, running: bool) -> None:
    """Write a line for each step: its name, a bar from its start to its end, its seconds.

    ``until`` ends open ones, which go on where the run is ``running`` and were cut off where it is not.
    """
    bars = timeline(steps, until, running=running)
    if not bars:
        return
    label_width, length_width = (
        max(len(text) for text in texts) for texts in zip(*((b.label, b.length) for b in bars), strict=True)
    )
    room = min(MOST, max(LEAST, output.people.width - label_width - length_width - 4))
    output.say()
    for bar in bars:
        style = STYLES.get(bar.status, "")
        own = "" if bar.status == "completed" else style
        line = Text.assemble((f"{bar.label:<{label_width}}  ", own), (bar_of(bar.first, bar.last, room), style))
        line.append(f"  {bar.length:>{length_width}}", own)
        output.say(line)


def bar_of(first: float, last: float, room: int) -> str:
    """Draw a part of a line of ``room`` characters; what is shorter than half a character is a thin stroke.

    >>> bar_of(0.0, 0.5, 8), bar_of(0.5, 1.0, 8), bar_of(1.0, 1.0, 8)
    ('████    ', '    ████', '       ▏')
    """
    start = min(round(first * room), room - 1)
    drawn = FULL * min(round((last - first) * room), room - start)
    return (" " * start + (drawn or THIN)).ljust(room)
