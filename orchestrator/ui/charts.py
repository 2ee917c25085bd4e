"""Charts as SVG, made on the server: lines by year with the last value written out."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from orchestrator.core.formats import shown
from orchestrator.reports.charts import Chart

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 50, 62, 12, 24
TICKS = 4
MOST_LABELS = 6
CLASSES = ("a", "b")
LEAST_STEP = {"percent": 0.001}  # else 1: their numbers are written without decimals


def chart_svg(chart: Chart) -> Markup:
    """Draw a chart; its numbers also stand in the table beneath it."""
    years = sorted({year for series in chart.series for year, _ in series.points})
    values = [value for series in chart.series for _, value in series.points]
    low, high, step = scale(min(values), max(values), LEAST_STEP.get(chart.format, 1.0))
    plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(year: int) -> float:
        span = years[-1] - years[0]
        return LEFT + (plot_width * (year - years[0]) / span if span else plot_width / 2)

    def y(value: float) -> float:
        return TOP + plot_height * (1 - (value - low) / (high - low))

    parts = [Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, _told(chart))]
    for number in range(round((high - low) / step) + 1):
        tick = low + number * step
        parts.append(axis_line(LEFT, y(tick), WIDTH - RIGHT, y(tick)))
        parts.append(text_at(LEFT - 6, y(tick) + 4, shown(tick, chart.format), "end"))
    parts += [text_at(x(year), HEIGHT - 6, str(year), "middle") for year in labelled(years)]
    ends: list[float] = []
    for series, name in zip(chart.series, CLASSES, strict=False):
        path = " ".join(f"{'L' if n else 'M'}{x(year):.1f} {y(v):.1f}" for n, (year, v) in enumerate(series.points))
        parts.append(Markup('<path class="{}" d="{}"/>').format(name, path))
        parts += [
            Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(name, x(a), y(v))
            for a, v in series.points
        ]
        year, value = series.points[-1]
        place = _free(y(value) + 4, ends)
        ends.append(place)
        parts.append(text_at(x(year) + 8, place, shown(value, chart.format), "start", "last"))
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _told(chart: Chart) -> str:
    parts = []
    for series in chart.series:
        (first, a), (last, b) = series.points[0], series.points[-1]
        parts.append(f"{series.name}: {shown(a, chart.format)} in {first}, {shown(b, chart.format)} in {last}")
    return f"{chart.label}. {'; '.join(parts)}"


def scale(low: float, high: float, least: float) -> tuple[float, float, float]:
    """Return an axis from one round number to another, and its step, which is ``least`` or more.

    >>> scale(1030, 1160, 1), scale(0.715, 0.82, 0.001), scale(5, 5, 1), scale(0, 0, 1)
    ((1000.0, 1200.0, 50.0), (0.7, 0.85, 0.05), (0.0, 5.0, 1.0), (0.0, 1.0, 1.0))
    """
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or 1.0
    rough = (high - low) / TICKS
    size = 10.0 ** _exponent(rough)
    step = max(least, next(one * size for one in (1, 2, 5, 10) if one * size >= rough * 0.8))
    first = step * (low // step)
    last = step * -(-high // step)
    return float(round(first, 10)), float(round(last, 10)), float(round(step, 10))


def _exponent(number: float) -> int:
    found = 0
    while number >= 10:
        number, found = number / 10, found + 1
    while number < 1:
        number, found = number * 10, found - 1
    return found


def labelled(years: Sequence[int]) -> list[int]:
    """Return the years that are written below: not more than there is room for, the last among them."""
    step = -(-len(years) // MOST_LABELS)
    return [year for number, year in enumerate(reversed(years)) if number % step == 0]


def _free(place: float, taken: Sequence[float]) -> float:
    """Move a text out of the way of one that stands there already."""
    for other in taken:
        if abs(place - other) < 13:
            place = other + 13 if place >= other else other - 13
    return min(max(place, TOP), HEIGHT - BOTTOM)


def axis_line(x1: float, y1: float, x2: float, y2: float) -> Markup:
    """Return a line of a grid."""
    return Markup('<line class="axis" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(x1, y1, x2, y2)


def text_at(x: float, y: float, text: str, anchor: str, name: str = "") -> Markup:
    """Return a text at a place, of a class where it has a ``name``."""
    kind = Markup(' class="{}"').format(name) if name else ""
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}"{}>{}</text>').format(x, y, anchor, kind, escape(text))
