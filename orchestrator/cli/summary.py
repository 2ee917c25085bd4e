"""The closing tables of a run."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from rich.table import Table

from orchestrator.cli.output import Output

if TYPE_CHECKING:
    from orchestrator.pipeline.workflow import Summary

NOTHING = "–"


def show_summary(output: Output, summary: Summary | None) -> None:
    """Write the table by year; nothing where the project names no summary."""
    if summary is None or not summary.rows:
        return
    table = plain_table()
    for column in summary.columns:
        table.add_column(column.label, justify="left" if column.format == "text" else "right", vertical="bottom")
    for row in summary.rows:
        table.add_row(*(shown(value, column.format) for value, column in zip(row, summary.columns, strict=True)))
    output.say()
    output.show(table)


def plain_table() -> Table:
    """Return an empty table without lines."""
    return Table(box=None, pad_edge=False, padding=(0, 0, 0, 2), header_style="bold")


def shown(value: object, kind: str) -> str:
    """Write one value of the summary for people.

    >>> shown(84_712_345, "money"), shown(0.0312, "percent"), shown(1234, "integer"), shown(None, "money")
    ('84.7M', '3.1%', '1,234', '–')
    """
    if value is None:
        return NOTHING
    if kind == "text" or not isinstance(value, (int, float, Decimal)):
        return str(value)
    number = float(value)
    if number != number:
        return NOTHING
    if kind == "money":
        return _compact(number)
    return f"{number:.1%}" if kind == "percent" else f"{number:,.0f}"


def _compact(number: float) -> str:
    """Write an amount with three digits or so and its unit.

    >>> [_compact(n) for n in (0, 950, 12_340, 999_960, 84_712_345, -2.5e9)]
    ['0', '950', '12.3K', '1.0M', '84.7M', '-2.5B']
    """
    for unit, size in (("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if abs(number) >= size * 0.99995:
            return f"{number / size:,.1f}{unit}"
    return f"{number:,.0f}"
