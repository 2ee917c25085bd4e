"""The live line: what goes on now, how far it is, and for how long."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import RenderableType
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from orchestrator.core.clocks import stopwatch

MakeClock = Callable[[], Callable[[], float]]
"""Starts a clock; what it returns gives the seconds since then."""


def _nothing() -> str:
    return ""


class StatusLine:
    """One line that renders itself anew whenever it is drawn; empty while nothing goes on."""

    def __init__(self, *, plain: bool, clock: MakeClock = stopwatch) -> None:
        self._clock = clock
        self._foreseen: Callable[[], str] = _nothing
        self._spinner = Spinner("line" if plain else "dots", style="cyan")
        self._label = ""
        self._total = 0
        self._done = 0
        self._counting_on = False
        self._under_way: dict[str, str] = {}
        self._elapsed = clock()

    def show(
        self,
        label: str,
        *,
        nodes: int = 0,
        counting_on: bool = False,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        """Begin with something new; ``counting_on`` keeps ``nodes`` as the total over several commands.

        ``elapsed`` gives the seconds to show, by default those from now on.
        """
        self._label = label
        self._foreseen = _nothing
        self._total, self._done, self._counting_on = nodes, 0, counting_on and nodes > 0
        self._under_way = {}
        self._elapsed = elapsed or self._clock()

    def foresee(self, words: Callable[[], str]) -> None:
        """Add words to the end of the line until something new begins; they are asked for whenever it is drawn."""
        self._foreseen = words

    def clear(self) -> None:
        """Show nothing until something new begins."""
        self.show("")

    def expect(self, nodes: int) -> None:
        """Take the number of nodes that a command is going to work on."""
        if not self._counting_on:
            self._total, self._done = nodes, 0

    def node_started(self, unique_id: str, name: str) -> None:
        """Name a node as under way."""
        self._under_way[unique_id] = name

    def node_finished(self, unique_id: str) -> None:
        """Count a node."""
        self._done += 1
        self._under_way.pop(unique_id, None)

    def __rich__(self) -> RenderableType:
        if not self._label:
            return Text("")
        self._spinner.update()
        line = Table.grid(padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True, overflow="ellipsis")
        line.add_row(self._spinner, self._text())
        return line

    def _text(self) -> Text:
        parts = [self._label, f"{self._elapsed():.1f} s"]
        if self._total:
            parts.insert(1, f"{self._done}/{self._total}")
        text = Text("  ".join(parts))
        under_way = list(self._under_way.values())
        if under_way:
            text.append(f"  {under_way[-1]}", "dim")
        if foreseen := self._foreseen():
            text.append(f"  {foreseen}", "dim")
        return text
