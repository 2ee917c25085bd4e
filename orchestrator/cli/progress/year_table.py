"""Years as rows and stages as columns, written row by row while they are finished."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

NARROWEST = 8
TOTAL = "total"
NOT_DONE = "not done"
GAP = 2


class YearTable:
    """Lays out one row a year in the width of a console; ``stages`` and ``years`` are those of the run."""

    def __init__(self, stages: tuple[str, ...], years: tuple[int, ...], console: Console) -> None:
        self._stages = stages
        self._years = years
        self._widths = _widths(stages, console.width - 6 if console.is_terminal else None)
        self._head_written = False
        self._year: int | None = None
        self._done: dict[str, str] = {}

    def expect(self, years: tuple[int, ...]) -> None:
        """Take other years for those of the run."""
        self._years = years

    def begin(self, year: int) -> Text | None:
        """Begin a year; return the heading when it is the first one."""
        self._year, self._done = year, {}
        if self._head_written:
            return None
        self._head_written = True
        return Text(f"{'':<4}{self._cells({name: name for name in self._stages})}{TOTAL:>9}", "dim")

    def place(self, year: int) -> str:
        """Return a year with its place among the years, such as ``2026 (2/5)``."""
        return f"{year} ({self._years.index(year) + 1}/{len(self._years)})"

    def stage_ended(self, stage: str, seconds: float | None) -> None:
        """Note how long a stage took, None for one that did not come to its end."""
        self._done[stage] = NOT_DONE if seconds is None else f"{seconds:.1f} s"

    def row(self, seconds: float) -> Text:
        """Return the row of the year that is finished."""
        year, self._year = self._year, None
        return Text(f"{year:<4}{self._cells(self._done)}{seconds:7.1f} s")

    def unfinished_row(self, word: str) -> Text | None:
        """Return the row of the year that was under way when the run ended, None between years.

        ``word`` stands where the stage was that did not come to its end.
        """
        if self._year is None:
            return None
        texts = {stage: word if text is NOT_DONE else text for stage, text in self._done.items()}
        return Text(f"{self._year:<4}{self._cells(texts)}".rstrip())

    def _cells(self, texts: dict[str, str]) -> str:
        cells = []
        for stage, width in zip(self._stages, self._widths, strict=False):
            text = texts.get(stage, "")
            cells.append(f"{text if len(text) <= width else text[: width - 1] + '…':>{width + GAP}}")
        return "".join(cells)


def _widths(stages: tuple[str, ...], room: int | None) -> list[int]:
    """Return the widths of the columns; names are cut, the longest first, and columns left out where room ends."""
    widths = [max(NARROWEST, len(name)) for name in stages]
    if room is None:
        return widths
    room -= 9
    while widths and sum(widths) + GAP * len(widths) > room:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] == NARROWEST:
            widths.pop()
        else:
            widths[widest] -= 1
    return widths
