"""The charts of a report as specifications of Vega-Lite, made by Altair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.core.formats import shown_mean
from orchestrator.core.text import escaped
from orchestrator.reports.html.colours import GRID, INK, SIDES, SOFT, look
from orchestrator.reports.html.sensitivity import Sensitivity, Swing
from orchestrator.reports.sides.cell_text import value_text
from orchestrator.reports.sides.comparing import MetricTable, SidesComparison
from orchestrator.reports.sides.groups import short_key

if TYPE_CHECKING:
    import altair as alt

ROWS, LABELS = "rows", "labels"
WIDTH, HEIGHT = 380, 220
ROOM_FOR_LABELS = 58  # points to the right of the lines
TORNADO_WIDTH, ROW_HEIGHT = 230, 26
LABEL_HEIGHT = 14  # points between two labels at the ends of lines
MOST_VALUES, MOST_LETTERS = 6, 16  # sides whose lines end with their values, and those that end with a letter
LONGEST_KEY = 28  # characters
AXES = {
    "money": "replace(replace(format(datum.value, '~s'), 'G', 'B'), 'k', 'K')",
    "percent": "format(datum.value, '~%')",
    "integer": "format(datum.value, ',')",
}


@dataclass(frozen=True)
class Chart:
    """A drawing: ``name`` for its file, and ``title`` and ``description`` for who does not see it."""

    name: str
    title: str
    description: str
    specification: dict[str, object]


def charts_by_year(comparison: SidesComparison, letters: Sequence[str]) -> Iterator[Chart]:
    """Yield a chart for each metric of numbers: a line for each side, a band where it has intervals."""
    for metric in comparison.metrics:
        if any(cell.value is not None for _, cells in metric.rows for cell in cells):
            title = f"{metric.label} by year"
            yield Chart(metric.name, title, _told(metric, comparison), _by_year(metric, letters))


def sensitivity_chart(found: Sensitivity) -> Chart:
    """Return the chart of what moves a metric most."""
    metric, keys = found.metric, [swing.key for swing in found.swings]
    told = "; ".join(
        f"{swing.key}: {shown_mean(swing.at_low, metric.format)} at {swing.low}, "
        f"{shown_mean(swing.at_high, metric.format)} at {swing.high}"
        for swing in found.swings
    )
    title = f"{metric.label} in {found.year}: what moves it"
    rows = [_tornado_row(swing, place, short_key(swing.key, keys)) for place, swing in enumerate(found.swings)]
    drawn = _tornado(rows, found.middle, metric.format)
    return Chart(f"sensitivity-{found.sweep}-{metric.name}", title, told, drawn)


def _by_year(metric: MetricTable, letters: Sequence[str]) -> dict[str, object]:
    import altair as alt  # an extra, and slow to import

    rows = [
        {
            "year": year,
            "side": place,
            "mean": cell.value.mean if cell.value is not None else None,
            "low": cell.value.low if cell.value is not None else None,
            "high": cell.value.high if cell.value is not None else None,
        }
        for year, cells in metric.rows
        for place, cell in enumerate(cells)
    ]
    numbers = [float(str(row[name])) for row in rows for name in ("mean", "low", "high") if row[name] is not None]
    low, high = _domain(numbers)
    places = list(range(len(letters)))
    looks = [look(place) for place in places]
    years = [year for year, _ in metric.rows]
    scale_y = alt.Scale(domain=[low, high], nice=True, zero=False)
    axis_y = alt.Axis(labelExpr=AXES.get(metric.format, AXES["integer"]), tickCount=4, title=None)
    axis_x = alt.Axis(format="d", values=_labelled(years), title=None)
    padding = 10 if len(years) > 1 else WIDTH // 2
    base = alt.Chart().encode(
        x=alt.X("year:Q", axis=axis_x, scale=alt.Scale(domain=[min(years), max(years)], nice=False, padding=padding)),
        color=alt.Color("side:N", scale=alt.Scale(domain=places, range=[one for one, _ in looks]), legend=None),
        strokeDash=alt.StrokeDash(
            "side:N", scale=alt.Scale(domain=places, range=[list(dash) for _, dash in looks]), legend=None
        ),
        detail="side:N",
    )
    y = alt.Y("mean:Q", scale=scale_y, axis=axis_y)
    layers = [
        base.mark_line(strokeWidth=2).encode(y=y),
        base.mark_point(filled=True, size=30, opacity=1).encode(y=y),
    ]
    if any(row["low"] is not None for row in rows):
        ends = {"y": alt.Y("low:Q", scale=scale_y, axis=axis_y), "y2": "high:Q"}
        layers.insert(0, base.mark_area(opacity=0.16).encode(**ends))
        if len(years) == 1:
            layers.insert(1, base.mark_rule(strokeWidth=2).encode(**ends))
    right = ROOM_FOR_LABELS if len(letters) <= MOST_VALUES else 18
    labels = _ends(metric, letters, (high - low) * LABEL_HEIGHT / HEIGHT)
    if len(letters) <= MOST_LETTERS:
        text = alt.Chart(alt.NamedData(LABELS)).encode(
            x="year:Q",
            y=alt.Y("place:Q", scale=scale_y),
            text="text:N",
            color=alt.Color("side:N", scale=alt.Scale(domain=places, range=[one for one, _ in looks]), legend=None),
        )
        layers.append(text.mark_text(align="left", dx=7, fontSize=11, fontWeight="bold"))
    drawn = alt.layer(*layers, data=alt.NamedData(ROWS)).properties(width=WIDTH, height=HEIGHT)
    return _specification(drawn, {ROWS: rows, LABELS: labels}, right)


def _tornado_row(swing: Swing, place: int, key: str) -> dict[str, object]:
    """Return a bar from the lesser mean to the greater, with the setting at each end."""
    ends = sorted([(swing.at_low, 0, swing.low), (swing.at_high, 1, swing.high)])
    (left, of_left, text_left), (right, of_right, text_right) = ends
    return {
        "key": _short(key),
        "place": place,
        "left": left,
        "right": right,
        "of_left": of_left,
        "of_right": of_right,
        "left_text": _short(text_left, 12),
        "right_text": _short(text_right, 12),
    }


def _tornado(rows: Sequence[dict[str, object]], middle: float, kind: str) -> dict[str, object]:
    import altair as alt  # as above

    low, high = _domain([*(float(str(row[end])) for row in rows for end in ("left", "right")), middle], 0.2)
    axis = alt.Axis(labelExpr=AXES.get(kind, AXES["integer"]), tickCount=4, title=None)
    scale = alt.Scale(domain=[low, high], zero=False, nice=False)
    names = alt.Axis(title=None, labelLimit=200, grid=False)
    base = alt.Chart().encode(y=alt.Y("key:N", sort=alt.EncodingSortField("place"), axis=names))
    layers: list[alt.Chart] = [
        alt.Chart(alt.NamedData(LABELS))
        .mark_rule(color=SOFT, strokeDash=[3, 3])
        .encode(x=alt.X("middle:Q", scale=scale)),
        base.mark_bar(height=10, color=SIDES[0], opacity=0.3).encode(
            x=alt.X("left:Q", scale=scale, axis=axis), x2="right:Q"
        ),
    ]
    for end, align, shift in (("left", "right", -8), ("right", "left", 8)):
        x = alt.X(f"{end}:Q", scale=scale, axis=axis)
        colours = alt.Scale(domain=[0, 1], range=[SIDES[1], SIDES[0]])
        colour = alt.Color(f"of_{end}:N", scale=colours, legend=None)
        layers.append(base.mark_point(filled=True, size=60, opacity=1).encode(x=x, color=colour))
        text = base.mark_text(align=align, dx=shift, fontSize=11, fontWeight="bold")
        layers.append(text.encode(x=x, text=f"{end}_text:N", color=colour))
    drawn = alt.layer(*layers, data=alt.NamedData(ROWS)).properties(width=TORNADO_WIDTH, height=ROW_HEIGHT * len(rows))
    return _specification(drawn, {ROWS: rows, LABELS: [{"middle": middle}]}, 14, fit=False)


def _specification(
    chart: alt.LayerChart, rows: Mapping[str, Sequence[Mapping[str, object]]], right: int, *, fit: bool = True
) -> dict[str, object]:
    """Return what Vega-Lite draws of these ``rows`` by name, with room to the ``right``.

    It has no ground, and no words for programs. The rows are added last: Altair would copy them again and again.
    """
    import altair as alt  # as above

    axis = {
        "labelLimit": 200,
        "labelColor": SOFT,
        "gridColor": GRID,
        "domainColor": SOFT,
        "tickColor": SOFT,
        "labelFontSize": 11,
        "labelFont": "sans-serif",
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
        "labelAngle": 0,
    }
    configured = chart.configure(
        background="transparent",
        autosize=alt.AutoSizeParams(type="fit" if fit else "pad", contains="padding"),
        padding={"left": 4, "top": 8, "bottom": 4, "right": right},
        aria=False,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(**axis),
        axisX=alt.AxisConfig(grid=False),
        text=alt.MarkConfig(font="sans-serif", color=INK),
    )
    found: dict[str, object] = configured.to_dict(validate=False)  # a third of a report's time
    return {**found, "datasets": dict(rows)}


def _domain(numbers: Sequence[float], margin: float = 0.04) -> tuple[float, float]:
    """Return limits of an axis around numbers.

    >>> _domain([5.0, 5.0]), _domain([0.0, 100.0]), _domain([0.0])
    ((4.75, 5.25), (-4.0, 104.0), (-1.0, 1.0))
    """
    low, high = min(numbers), max(numbers)
    room = (high - low) * margin if high > low else abs(high) * 0.05 or 1.0
    return low - room, high + room


def _labelled(years: Sequence[int]) -> list[int]:
    """Return the years that are written below, the last among them, not more than there is room for."""
    step = -(-len(years) // 6)
    return [year for number, year in enumerate(reversed(years)) if number % step == 0][::-1]


def _ends(metric: MetricTable, letters: Sequence[str], least: float) -> list[dict[str, object]]:
    """Return a label for the end of each line, moved apart where they would lie upon each other."""
    found: list[tuple[float, int, int, str]] = []
    for place, letter in enumerate(letters):
        last = next(((year, cells[place].value) for year, cells in reversed(metric.rows) if cells[place].value), None)
        if last is not None and last[1] is not None:
            value = shown_mean(last[1].mean, metric.format)
            text = f"{letter} {value}" if len(letters) <= MOST_VALUES else letter
            found.append((last[1].mean, last[0], place, value if len(letters) == 1 else text))
    rows: list[dict[str, object]] = []
    below: float | None = None
    for mean, year, place, text in sorted(found):
        below = mean if below is None else max(mean, below + least)
        rows.append({"year": year, "place": below, "side": place, "text": text})
    return rows


def _told(metric: MetricTable, comparison: SidesComparison) -> str:
    """Say what a chart shows, for who does not see it: each side in the first and the last year."""
    parts = []
    for place, side in enumerate(comparison.sides):
        there = [(year, cells[place]) for year, cells in metric.rows if cells[place].value is not None]
        if there:
            (first, a), (last, b) = there[0], there[-1]
            end = f" to {value_text(b, metric.format)} in {last}" if last != first else ""
            parts.append(f"{side.name}: {value_text(a, metric.format)} in {first}{end}")
    return "; ".join(parts)


def _short(text: str, most: int = LONGEST_KEY) -> str:
    """Return a text of one line that is not too long for a drawing; the table beside it has all of it."""
    line = " ".join(escaped(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
