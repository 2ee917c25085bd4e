"""The closing tables of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from orchestrator.cli.output import Output
from orchestrator.core.formats import shown

if TYPE_CHECKING:
    from orchestrator.pipeline.workflow import Summary


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
