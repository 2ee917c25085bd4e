"""``orchestrator runs show --follow``: a run of another terminal, line by line until it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from rich.text import Text

from orchestrator.cli.output import Output
from orchestrator.cli.progress.progress import DONE, FAILED, Progress
from orchestrator.core.clocks import pause, utc_now
from orchestrator.core.events import (
    Event,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    YearFinished,
    YearStarted,
)
from orchestrator.core.formats import shown_seconds
from orchestrator.core.processes import ProcessIdentity
from orchestrator.core.text import plural
from orchestrator.reports.remaining import RemainingTime
from orchestrator.storage.base import CRASHED
from orchestrator.storage.following import EventFollower

SECONDS_BETWEEN_LOOKS = 0.2
WORTH_TELLING = 1.0  # seconds left


def follow_run(output: Output, file: Path, remaining: RemainingTime, *, alive: Callable[[], bool]) -> str:
    """Show what a run does and did, from its JSON lines, until it ends; return its status.

    ``alive`` tells whether a process that said nothing of itself may still run.

    Raises:
        StorageError: the file cannot be read.
    """
    shown = _Shown(output, remaining)
    with EventFollower(file) as events, shown.progress:
        for event in _until_end(events, shown.caught_up, alive):
            shown.take(event)
            if isinstance(event, RunFinished):
                return event.status
    return CRASHED


def _until_end(events: EventFollower, caught_up: Callable[[], None], alive: Callable[[], bool]) -> Iterator[Event]:
    """Yield events as they are written; ends when the process that writes them has ended."""
    process: ProcessIdentity | None = None
    while True:
        running = alive() if process is None else not process.is_gone()
        found = events.new_events()  # looked for after the process: what it wrote last is among them
        for event in found:
            if isinstance(event, RunStarted):
                process = ProcessIdentity(event.pid, event.host, event.process_started)
            yield event
        if found:
            continue
        if not running:
            return
        caught_up()
        pause(SECONDS_BETWEEN_LOOKS)


class _Shown:
    """The lines of a run: those of its own terminal, and each stage with what is left after it."""

    def __init__(self, output: Output, remaining: RemainingTime) -> None:
        self._output = output
        self._remaining = remaining
        self._at = utc_now()
        self._live = False
        self.progress = Progress(output.people, detail=output.verbosity > 0, clock=self._clock)

    def take(self, event: Event) -> None:
        """Show one event."""
        self._at = event.at
        self._remaining.take(event)
        if not isinstance(event, (YearStarted, YearFinished)):  # each stage gets a line, not each year
            self.progress(event)
        if isinstance(event, StageFinished):
            self._stage(event)
        elif isinstance(event, StageStarted):
            self.progress.foresee(self._left_now)

    def caught_up(self) -> None:
        """Say once, when all that was written so far is shown, how long it takes from here."""
        if self._live:
            return
        self._live = True
        if left := self._left(utc_now()):
            self._line(Text(f"  {left}", "dim"))

    def _stage(self, event: StageFinished) -> None:
        mark, style = DONE if event.success else FAILED
        how = "replayed" if event.replayed else plural(event.nodes, "node")
        line = Text.assemble((mark, style), f" {event.year} {event.stage:<25} {event.seconds:6.2f} s   {how}")
        left = self._left(event.at) if self._live and event.success else ""
        if left:
            line.append(f", {left}", "dim")
        self._line(line)

    def _left(self, moment: datetime) -> str:
        seconds = self._remaining.seconds(moment)
        return "" if seconds is None or seconds < WORTH_TELLING else f"about {shown_seconds(seconds)} left"

    def _left_now(self) -> str:
        return self._left(utc_now())

    def _line(self, text: Text) -> None:
        people = self._output.people
        people.print(text, soft_wrap=not people.is_terminal)

    def _clock(self) -> Callable[[], float]:
        """Return the seconds since the event that is shown: it may have been written long before."""
        began: datetime = self._at
        return lambda: (utc_now() - began).total_seconds()
