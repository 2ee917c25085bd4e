"""The table of how long the stages of a plan are expected to take, like the one that closes a run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from orchestrator.cli.output import Output
from orchestrator.cli.summary import plain_table
from orchestrator.core.formats import NOTHING
from orchestrator.core.text import shown_years

if TYPE_CHECKING:
    from orchestrator.reports.preview import YearPreview

HEADING = "Expected seconds"


def show_expected(output: Output, years: Sequence[YearPreview]) -> None:
    """Write the seconds of each stage; years that are expected to be alike share a column."""
    from orchestrator.pipeline.stage_history import all_known  # the rooms below are slow to import

    expected = [stage.expected_seconds for year in years for stage in year.stages]
    if not expected:
        return
    output.say()
    if all(seconds is None for seconds in expected):
        output.say(f"{HEADING}: no history yet.")
        return
    names = _names(years)
    columns = [(_heading(group), dict(_seconds(group[0]))) for group in _alike(years)]
    if len(years) > 1:
        every = [pair for year in years for pair in _seconds(year)]
        sums = {name: all_known(seconds for stage, seconds in every if stage == name) for name in names}
        columns.append(("in all", sums))
    table = plain_table()
    table.add_column(HEADING)
    for heading, _ in columns:
        table.add_column(heading, justify="right")
    for name in names:
        table.add_row(name, *(_shown(column[name]) if name in column else "" for _, column in columns))
    table.add_row("total", *(_shown(all_known(column.values())) for _, column in columns), style="bold")
    output.show(table)
    output.say()
    unknown = f" ({NOTHING}: no history yet)" if None in expected else ""
    output.say(f"Medians of past runs{unknown}. Start-up, healing and hooks are not included.")


def _names(years: Sequence[YearPreview]) -> list[str]:
    """Return the names of all stages, in the order of the fullest year."""
    fullest_first = sorted(years, key=lambda year: -len(year.stages))
    return list(dict.fromkeys(stage.name for year in fullest_first for stage in year.stages))


def _seconds(year: YearPreview) -> tuple[tuple[str, float | None], ...]:
    return tuple((stage.name, stage.expected_seconds) for stage in year.stages)


def _alike(years: Sequence[YearPreview]) -> list[list[YearPreview]]:
    return [list(group) for _, group in groupby(years, _seconds)]


def _heading(years: Sequence[YearPreview]) -> str:
    span = shown_years(tuple(year.year for year in years))
    return f"each of {span}" if len(years) > 1 else span


def _shown(seconds: float | None) -> str:
    return NOTHING if seconds is None else f"{seconds:,.1f}"
