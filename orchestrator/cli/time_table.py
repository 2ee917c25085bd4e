"""The closing table of where the time of a run went: what it was spent on, in all and by year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from orchestrator.cli.output import Output
from orchestrator.cli.summary import plain_table
from orchestrator.reports.time_spent import RunTime, Seconds

HEADING = "Where the time went"
LABELS = (
    "start-up",
    "parse",
    "healing",
    "SQL",
    "dbt itself",
    "hooks",
    "waiting",
    "purge",
    "closing",
    "ledger and other",
)
GAP = 2


@dataclass(frozen=True)
class _Column:
    """A heading, one cell for each of LABELS, and the sum below them."""

    heading: str
    cells: tuple[str, ...]
    foot: str

    @property
    def width(self) -> int:
        return GAP + max(map(len, (self.heading, *self.cells, self.foot)))


def show_time_spent(output: Output, spent: RunTime) -> None:
    """Write the table; what took no time is left out, and so are the middle years where room ends."""
    years = [_of_seconds(str(year.year), year.seconds) for year in spent.years]
    whole = _of_seconds("seconds", spent.seconds)
    shares = rounded(astuple(spent.seconds), 100)
    share = _Column("share", tuple(f"{number}%" for number in shares), "100%")
    room = output.people.width - len(HEADING) - whole.width - share.width
    columns = [whole, share, *_fitting(years, room)]
    table = plain_table()
    table.add_column(HEADING)
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for place, label in enumerate(LABELS):
        if whole.cells[place] or any(year.cells[place] for year in years):
            table.add_row(label, *(column.cells[place] for column in columns))
    table.add_row("total", *(column.foot for column in columns), style="bold")
    output.say()
    output.show(table)


def _of_seconds(heading: str, seconds: Seconds) -> _Column:
    tenths = rounded(astuple(seconds), round(seconds.total * 10))
    cells = tuple(f"{number / 10:,.1f}" if number else "" for number in tenths)
    return _Column(heading, cells, f"{sum(tenths) / 10:,.1f}")


def _fitting(columns: Sequence[_Column], room: int) -> list[_Column]:
    """Return the columns that fit side by side: all, or the first and the last with a gap between."""
    if sum(column.width for column in columns) <= room:
        return list(columns)
    left_out = _Column("…", ("",) * len(LABELS), "")
    count = (room - left_out.width) // max(column.width for column in columns)
    if count < 2:
        return []
    last = count // 2
    return [*columns[: count - last], left_out, *columns[-last:]]


def rounded(parts: Sequence[float], whole: int) -> list[int]:
    """Divide a whole number in the proportion of ``parts`` into whole numbers that add up to it.

    >>> rounded([1.0, 1.0, 1.0, 0.0], 100)
    [34, 33, 33, 0]
    >>> rounded([0.0, 0.0], 0)
    [0, 0]
    """
    total = sum(parts) or 1.0
    exact = [part / total * whole for part in parts]
    found = [int(number) for number in exact]
    by_loss = sorted(range(len(parts)), key=lambda place: found[place] - exact[place])
    for place in by_loss[: whole - sum(found)]:
        found[place] += 1
    return found
