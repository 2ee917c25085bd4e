"""What tables say of one cell of a comparison."""

from __future__ import annotations

from orchestrator.core.formats import NOTHING, shown_change, shown_margin, shown_mean, shown_percent
from orchestrator.core.text import plural
from orchestrator.reports.sides.comparing import Cell, SidesComparison
from orchestrator.reports.sides.intervals import Interval
from orchestrator.reports.sides.side import Side


def value_text(cell: Cell, kind: str) -> str:
    """Write a value with its interval, and what is not there in words.

    >>> value_text(Cell(Interval(1030.0, 1010.0, 1050.0, 10), None, missing=1), "integer")
    '1,030 ± 20 (1 missing)'
    """
    if cell.value is None:
        return cell.text or cell.lacks or NOTHING
    text = shown_mean(cell.value.mean, kind) + _margin(cell.value, kind)
    return f"{text} ({cell.lacks})" if cell.lacks else text


def change_text(cell: Cell, kind: str) -> str:
    """Write a difference to the first side with its interval, a dash where there is none."""
    return NOTHING if cell.change is None else shown_change(cell.change.mean, kind) + _margin(cell.change, kind)


def percent_text(cell: Cell) -> str:
    """Write the same in percent of the first side."""
    return NOTHING if cell.change is None else shown_percent(cell.change.percent)


def setting_text(value: object) -> str:
    """Write the value of a setting, a dash where a side has not that setting.

    >>> setting_text(0.03), setting_text(None), setting_text("x"), setting_text(True), setting_text("")
    ('0.03', '–', 'x', 'true', '""')
    """
    if value is None or value == "":
        return NOTHING if value is None else '""'
    return str(value).lower() if isinstance(value, bool) else str(value)


def side_text(side: Side) -> str:
    """Say what a side is: its kind, and how many seeds it has.

    >>> from orchestrator.reports.sides.side import Repetition
    >>> side_text(Side("a", "sweep", (), tuple(Repetition("m", n, {}) for n in (1, 2, 3)), {}))
    'sweep, 3 seeds: 1–3'
    """
    if len(side.repetitions) == 1:
        seed = side.repetitions[0].seed
        return f"{side.kind}, one seed" if seed is None else f"{side.kind}, one seed: {seed}"
    return f"{side.kind}, {plural(len(side.repetitions), 'seed')}: {_seeds(side.seeds)}".removesuffix(": ")


def interval_text(comparison: SidesComparison) -> str:
    """Say how the intervals are made, and where there are none."""
    several = [side for side in comparison.sides if len(side.repetitions) > 1]
    if not several:
        return "" if all(side.kind != "sweep" for side in comparison.sides) else "One seed each, so no intervals."
    cells = [cell for metric in comparison.metrics for _, row in metric.rows for cell in row]
    paired = {cell.change.paired for cell in cells if cell.change is not None}
    text = "± is half of the 95 % interval of the mean, by Student's t over the seeds"
    where = "" if paired == {True} else " where seeds are shared"
    text += f"; differences are paired by seed{where}." if True in paired else "."
    alone = [side.name for side in comparison.sides if len(side.repetitions) == 1]
    return f"{text} {', '.join(alone)}: one seed, no interval." if alone else text


def _margin(interval: Interval, kind: str) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f" ± {shown_margin((interval.high - interval.low) / 2, kind, interval.mean)}"


def _seeds(seeds: tuple[int, ...]) -> str:
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{seeds[0]}–{seeds[-1]}"
    return ", ".join(map(str, seeds[:8])) + (f" and {len(seeds) - 8} more" if len(seeds) > 8 else "")
