"""Sides and rows compared, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from orchestrator.cli.output import Output
from orchestrator.cli.summary import plain_table
from orchestrator.core.text import plural
from orchestrator.reports.row_text import one_line
from orchestrator.reports.sides.cell_text import (
    change_text,
    interval_text,
    percent_text,
    setting_text,
    side_text,
    value_text,
)
from orchestrator.reports.sides.comparing import MetricTable, SidesComparison
from orchestrator.reports.sides.letters import letter
from orchestrator.reports.sides.records import all_notes, metric_heads, metric_rows
from orchestrator.reports.sides.rows import CHANGED, KINDS, MatchedColumns, RowComparison

LONGEST_HEAD = 16
MOST_BESIDE = 4  # sides that stand beside each other where nothing else limits the width
HEADS = {"added": "Only in {b}", "removed": "Only in {a}", "changed": "Changed from {a} to {b}"}


def show_sides(output: Output, found: SidesComparison) -> None:
    """Write the sides, the settings that differ, and a table for each metric."""
    names = [side.name for side in found.sides]
    short = all(len(name) <= LONGEST_HEAD for name in names)
    heads = names if short else [letter(number) for number in range(len(names))]
    legend = Table.grid(padding=(0, 2, 0, 0))
    for head, side in zip(heads, found.sides, strict=True):
        legend.add_row(Text(head, "bold"), *(() if short else (Text(side.name),)), side_text(side))
    output.show(legend)
    if found.parameters:
        output.say()
        output.show(_settings(found, heads))
    for metric in found.metrics:
        output.say()
        output.say(Text(metric.label, "bold"))
        output.show(_metric(output, metric, heads))
    notes = [note for note in (*all_notes(found), interval_text(found)) if note]
    if notes:
        output.say()
    for note in notes:
        output.say(note)


def show_row_changes(output: Output, found: RowComparison, sides: tuple[str, str], table: str, limit: int) -> None:
    """Write how many rows differ, in which columns, and the first of each kind."""
    a, b = sides
    counts, columns = found.counts, found.columns
    output.say(
        f"{table}: {plural(counts.first, 'row')} in {a}, {plural(counts.second, 'row')} in {b}; {counts.same:,} alike, "
        f"{counts.added:,} only in {b}, {counts.removed:,} only in {a}, {counts.changed:,} changed"
    )
    for note in (*_column_notes(columns, a, b), *found.notes):
        output.say(note)
    if found.changed_values:
        values = ", ".join(f"{name} {count:,}" for name, count in found.changed_values.items())
        output.say(f"Changed values: {values}")
    for kind in KINDS:
        changes = found.first(limit, kind)
        if not changes:
            continue
        output.say()
        output.say(Text(HEADS[kind].format(a=a, b=b), "bold"))
        listed = plain_table()
        for head in (*columns.key, *(("column", a, b) if kind == CHANGED else ())):
            listed.add_column(Text(one_line(head)), overflow="fold")
        for change in changes:
            values_of = (change.column, change.old, change.new) if kind == CHANGED else ()
            listed.add_row(*(_value(value) for value in (*change.key, *values_of)))
        output.show(listed)
        total = sum(found.changed_values.values()) if kind == CHANGED else getattr(counts, kind)
        if total > len(changes):
            what = "value" if kind == CHANGED else "row"
            output.say(Text(f"the first {len(changes):,} of {plural(total, what)}; --limit shows more", "dim"))


def _column_notes(columns: MatchedColumns, a: str, b: str) -> Iterator[str]:
    """Yield what is to be known of columns that only one side has, or in another type."""
    for side, names in ((a, columns.only_first), (b, columns.only_second)):
        if names:
            yield f"Only {side} has the column{'' if len(names) == 1 else 's'} {', '.join(names)}."
    for name, one, other in columns.other_types:
        how = "text" if columns.as_text(name) else "numbers"
        yield f"{name} is {one} in {a} and {other} in {b}; it is compared as {how}."


def _settings(found: SidesComparison, heads: Sequence[str]) -> Table:
    table = plain_table()
    for head in ("Parameter", *heads):
        table.add_column(Text(one_line(head)), overflow="fold")
    for one in found.parameters:
        table.add_row(one.name, *(Text(setting_text(value)) for value in one.values))
    return table


def _metric(output: Output, metric: MetricTable, heads: Sequence[str]) -> Table:
    """Return a table with a column for each side, or a line for each where they do not fit beside each other."""
    wide = plain_table()
    for place, head in enumerate(metric_heads(heads)):
        wide.add_column(Text(one_line(head)), justify="right" if place else "left", no_wrap=True)
    for row in metric_rows(metric):
        wide.add_row(*map(Text, row))
    people = output.people
    unlimited = people.options.update(width=10_000)
    if people.is_terminal:
        fits = Measurement.get(people, unlimited, wide).maximum <= people.width
    else:
        fits = len(heads) <= MOST_BESIDE
    if fits:
        return wide
    long = plain_table()
    first = heads[0]
    for place, head in enumerate(("Year", "Side", metric.label, f"more than {first}", "in %")):
        long.add_column(Text(one_line(head)), justify="right" if place > 1 else "left", overflow="fold")
    for year, cells in metric.rows:
        for place, (head, cell) in enumerate(zip(heads, cells, strict=True)):
            change = ("", "") if place == 0 else (change_text(cell, metric.format), percent_text(cell))
            texts = (str(year) if place == 0 else "", one_line(head), value_text(cell, metric.format), *change)
            long.add_row(*map(Text, texts))
    return long


def _value(value: str | None) -> Text:
    return Text("NULL", "dim") if value is None else Text(one_line(value))
