"""A report as one page of HTML that needs nothing else: no script, no request, drawings and style in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from orchestrator.core.formats import shown_time
from orchestrator.core.masking import masked
from orchestrator.core.text import escaped, shown_years
from orchestrator.reports.html.charts import Chart, charts_by_year, sensitivity_chart
from orchestrator.reports.html.colours import dark_rules, look
from orchestrator.reports.html.content import Headline, Report
from orchestrator.reports.html.page_parts import (
    assumed_parts,
    card,
    failure_record,
    sensitivity_rows,
    time_parts,
    unknown_inputs,
    warnings_part,
    warnings_text,
)
from orchestrator.reports.html.pictures import inline_svg
from orchestrator.reports.marked_code import with_code
from orchestrator.reports.sides.cell_text import change_text, interval_text, percent_text, side_text, value_text
from orchestrator.reports.sides.comparing import MetricTable
from orchestrator.reports.sides.letters import letter
from orchestrator.reports.sides.records import all_notes, metric_heads, metric_rows
from orchestrator.reports.sides.side import Side

LONGEST_HEAD = 20
MOST_BESIDE = 4  # sides whose headline figures stand beside each other
GENERATOR = "orchestrator report"
HERE = Path(__file__).parent


def charts_of_report(report: Report) -> tuple[list[Chart], list[Chart]]:
    """Return the charts by year, and those of what moves the results."""
    by_year = list(charts_by_year(report.comparison, _letters(report)))
    return by_year, [sensitivity_chart(one) for one in report.sensitivities]


def report_page(report: Report, charts: tuple[Sequence[Chart], Sequence[Chart]]) -> str:
    """Return the page of a report, with these charts in it."""
    comparison, letters = report.comparison, _letters(report)
    by_year, of_sensitivity = charts
    metrics = {metric.name: metric for metric in comparison.metrics}
    several = len(comparison.sides) > 1
    heads = metric_heads(letters) if several else ["Year", comparison.sides[0].name]
    drawn = [
        _drawn(chart, number, heads, _rows(metrics[chart.name], several=several))
        for number, chart in enumerate(by_year)
    ]
    below = [
        _drawn(chart, len(by_year) + number, ["Key", "from", "mean", "to", "mean", "change"], sensitivity_rows(one))
        for number, (chart, one) in enumerate(zip(of_sensitivity, report.sensitivities, strict=True))
    ]
    headline_heads, headline_rows = _headlines(report, letters)
    headline_years = sorted({one.year for one in report.headlines})
    return _template().render(
        generator=GENERATOR,
        style=_style(),
        report=report,
        years=shown_years(comparison.years),
        sides=[_side(place, side, letters[place]) for place, side in enumerate(comparison.sides)],
        notes=all_notes(comparison),
        headline_year=shown_years(tuple(headline_years)),
        cards=[] if several else [card(one) for one in report.headlines],
        headline_heads=headline_heads,
        headline_rows=headline_rows if several else [],
        headline_caption=_headline_caption(headline_years, comparison.years, letters[0]) if several else "",
        interval_text=interval_text(comparison),
        charts=drawn,
        sensitivities=below,
        assumed=assumed_parts(report, letters),
        unknown_inputs=unknown_inputs(report),
        times=time_parts(report),
        warnings=warnings_part(report),
        warnings_text=warnings_text(report),
        failures=[failure_record(one) for one in report.past.failures],
    )


def is_report(file: Path) -> bool:
    """Tell whether a file begins as our reports do, so that a new one may take its place."""
    with file.open("rb") as content:
        return f'content="{GENERATOR}"'.encode() in content.read(400)


def _letters(report: Report) -> list[str]:
    return [letter(place) for place in range(len(report.comparison.sides))]


@cache
def _template() -> Template:
    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    made.filters["moment"] = shown_time
    made.filters["code"] = lambda text: with_code(escaped(masked(text)))
    return made.get_template("report.html.j2")


def _clean(value: object) -> object:
    """Write out control characters of names and messages, and mask secrets; what is HTML already is left alone."""
    return escaped(masked(value)) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _style() -> Markup:
    text = (HERE / "report.css").read_text(encoding="utf-8")
    return Markup(text.replace("DARK_RULES", dark_rules(".drawn")))  # noqa: S704  # a file of ours


def _side(place: int, side: Side, own: str) -> Mapping[str, object]:
    colour, dash = look(place)
    swatch = Markup(
        '<svg class="drawn" viewBox="0 0 36 12" aria-hidden="true"><path d="M0 6h36" stroke="{}" stroke-width="3" '
        'stroke-dasharray="{}"/></svg>'
    ).format(colour, "none" if dash == (1, 0) else f"{dash[0]} {dash[1]}")
    return {"letter": own, "name": side.name, "about": side_text(side), "swatch": swatch}


def _drawn(chart: Chart, number: int, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Mapping[str, object]:
    return {"title": chart.title, "svg": inline_svg(chart, number), "heads": heads, "rows": rows}


def _rows(metric: MetricTable, *, several: bool) -> list[list[str]]:
    if several:
        return list(metric_rows(metric))
    return [[str(year), value_text(cells[0], metric.format)] for year, cells in metric.rows]


def _headlines(report: Report, letters: Sequence[str]) -> tuple[list[str], list[Mapping[str, object]]]:
    """Return heads and rows of the headline figures: a row for each metric, or for each side where there are many."""
    named = [f"{own} {side.name}" for own, side in zip(letters, report.comparison.sides, strict=True)]
    few = len(named) <= MOST_BESIDE
    heads = named if max(len(side.name) for side in report.comparison.sides) <= LONGEST_HEAD else list(letters)
    cells = [[_headline_cell(one, place, brief=not few) for place in range(len(named))] for one in report.headlines]
    labels = [one.metric.label for one in report.headlines]
    if few:
        return heads, [{"name": label, "cells": row} for label, row in zip(labels, cells, strict=True)]
    turned = [[row[place] for row in cells] for place in range(len(named))]
    return labels, [{"name": own, "cells": row} for own, row in zip(letters, turned, strict=True)]


def _headline_caption(shown: Sequence[int], years: Sequence[int], first: str) -> str:
    """Say what the figures are, and why they are not those of the last year of all."""
    text = f"Below each value its difference to {first}."
    return f"{text} Later years are not in all of them." if shown and shown[-1] < years[-1] else text


def _headline_cell(headline: Headline, place: int, *, brief: bool) -> Mapping[str, str]:
    cell, kind = headline.cells[place], headline.metric.format
    if cell.change is None:
        change = ""
    else:
        change = percent_text(cell) if brief else f"{change_text(cell, kind)}, {percent_text(cell)}"
    return {"value": value_text(cell, kind), "change": change}
