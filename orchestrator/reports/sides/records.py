"""Comparisons as JSON documents, lines of CSV and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from orchestrator.core.text import escaped
from orchestrator.reports.row_text import Columns, csv_lines
from orchestrator.reports.sides.cell_text import (
    change_text,
    interval_text,
    percent_text,
    setting_text,
    side_text,
    value_text,
)
from orchestrator.reports.sides.comparing import ROW_COLUMNS, Cell, MetricTable, SidesComparison
from orchestrator.reports.sides.intervals import LEVEL
from orchestrator.reports.sides.rows import KINDS, RowComparison
from orchestrator.reports.sides.side import Side


def comparison_record(comparison: SidesComparison) -> dict[str, object]:
    """Return a comparison for JSON; the sides of each year are in the order of ``sides``."""
    return {
        "level": LEVEL,
        "sides": [_side_record(side) for side in comparison.sides],
        "parameters": [{"name": one.name, "values": list(one.values)} for one in comparison.parameters],
        "metrics": [_metric_record(metric) for metric in comparison.metrics],
        "notes": list(all_notes(comparison)),
    }


def all_notes(comparison: SidesComparison) -> tuple[str, ...]:
    """Return what a reader has to know: of each side, and of them together."""
    return (*(note for side in comparison.sides for note in side.notes), *comparison.notes)


def comparison_csv(comparison: SidesComparison) -> Iterator[str]:
    """Yield a comparison as lines of CSV, one for each metric, year and side."""
    return csv_lines(ROW_COLUMNS, [list(comparison.rows())])


def comparison_markdown(comparison: SidesComparison) -> Iterator[str]:
    """Yield a comparison as lines of Markdown."""
    names = [side.name for side in comparison.sides]
    yield from _table(["Side", "is"], [[side.name, side_text(side)] for side in comparison.sides])
    if comparison.parameters:
        yield ""
        rows = [[one.name, *map(setting_text, one.values)] for one in comparison.parameters]
        yield from _table(["Parameter", *names], rows)
    for metric in comparison.metrics:
        yield from ("", f"### {_plain(metric.label)}", "")
        yield from _table(metric_heads(names), [list(row) for row in metric_rows(metric)], numbers=True)
    for note in (*all_notes(comparison), interval_text(comparison)):
        if note:
            yield from ("", _plain(note))


def metric_heads(names: Sequence[str]) -> list[str]:
    """Return the heads of a table by year: the values first, then the differences to the first side."""
    more = [head for name in names[1:] for head in (f"{name} − {names[0]}", "in %")]
    return ["Year", *names, *more]


def metric_rows(metric: MetricTable) -> Iterator[list[str]]:
    """Yield the rows of a table by year, as :func:`metric_heads` names them."""
    for year, cells in metric.rows:
        values = [value_text(cell, metric.format) for cell in cells]
        more = [text for cell in cells[1:] for text in (change_text(cell, metric.format), percent_text(cell))]
        yield [str(year), *values, *more]


def rows_record(found: RowComparison, first: int) -> dict[str, object]:
    """Return a comparison of rows for JSON, with the ``first`` changes of each kind."""
    return {
        "counts": asdict(found.counts),
        "columns": asdict(found.columns),
        "changed_values": found.changed_values,
        "changes": [change for kind in KINDS for change in found.first(first, kind)],
        "notes": found.notes,
    }


def rows_csv(found: RowComparison) -> Iterator[str]:
    """Yield all changes as lines of CSV: kind, key, column, old and new value."""
    names: Columns = tuple((name, "") for name in ("kind", *found.columns.key, "column", "old", "new"))
    rows = ((one.kind, *one.key, one.column, one.old, one.new) for one in found.changes())
    return csv_lines(names, ([row] for row in rows))


def rows_markdown(found: RowComparison, first: int) -> Iterator[str]:
    """Yield counts and the ``first`` changes of each kind as lines of Markdown."""
    yield from _table(list(asdict(found.counts)), [[f"{count:,}" for count in asdict(found.counts).values()]])
    yield ""
    for note in found.notes:
        yield from (_plain(note), "")
    changes = [one for kind in KINDS for one in found.first(first, kind)]
    values = [("", "", "") if one.column is None else (one.column, _value(one.old), _value(one.new)) for one in changes]
    rows = [[one.kind, *map(_value, one.key), *texts] for one, texts in zip(changes, values, strict=True)]
    yield from _table(["change", *found.columns.key, "column", "old", "new"], rows)


def _value(value: str | None) -> str:
    return "NULL" if value is None else value


def _side_record(side: Side) -> dict[str, object]:
    return {
        "name": side.name,
        "kind": side.kind,
        "sweep": side.sweep,
        "group": dict(side.group),
        "repetitions": len(side.repetitions),
        "seeds": side.seeds,
        "run_ids": [one.run_id for one in side.repetitions],
        "notes": side.notes,
    }


def _metric_record(metric: MetricTable) -> dict[str, object]:
    rows = [{"year": year, "sides": [_cell_record(cell) for cell in cells]} for year, cells in metric.rows]
    return {"name": metric.name, "label": metric.label, "format": metric.format, "years": rows}


def _cell_record(cell: Cell) -> dict[str, object]:
    value, change = cell.value, cell.change
    lacks = {"missing": cell.missing, "null": cell.null, "not_finite": cell.not_finite}
    return {
        "mean": None if value is None else value.mean,
        "low": None if value is None else value.low,
        "high": None if value is None else value.high,
        "count": 0 if value is None else value.count,
        "text": cell.text,
        **lacks,
        "change": None
        if change is None
        else {
            "difference": change.mean,
            "percent": change.percent,
            "low": change.low,
            "high": change.high,
            "count": change.count,
            "paired": change.paired,
        },
    }


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = False) -> Iterator[str]:
    yield f"| {' | '.join(map(_plain, heads))} |"
    yield "|" + "|".join("---:" if numbers and place else "---" for place in range(len(heads))) + "|"
    for row in rows:
        yield f"| {' | '.join(map(_plain, row))} |"


def _plain(text: str) -> str:
    r"""Write a text so that Markdown takes none of it for a mark.

    >>> print(_plain("a|b*c*<d>"))
    a\|b\*c\*&lt;d&gt;
    """
    marked = "".join(f"\\{letter}" if letter in "\\`*_[]|#" else letter for letter in escaped(text))
    return " ".join(marked.replace("<", "&lt;").replace(">", "&gt;").split())
