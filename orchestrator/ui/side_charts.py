"""Charts of any number of sides by year, as SVG: a line for each, a band where it has intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from orchestrator.core.formats import shown, shown_mean
from orchestrator.reports.html.colours import DASHES, SIDES
from orchestrator.reports.html.sensitivity import Sensitivity, Swing
from orchestrator.reports.sides.cell_text import value_text
from orchestrator.reports.sides.comparing import MetricTable, SidesComparison
from orchestrator.reports.sides.intervals import Interval
from orchestrator.ui.charts import BOTTOM, HEIGHT, LEAST_STEP, LEFT, TOP, WIDTH, axis_line, labelled, scale, text_at

MOST_VALUES, MOST_LETTERS = 6, 16  # sides whose lines end with their values, and those that end with a letter
ROOM_FOR_VALUES, ROOM_FOR_LETTERS = 74, 24
LABEL_HEIGHT = 13
LONGEST_BAR = 1000


def side_class(place: int) -> str:
    """Return the classes of a side: its colour and its dashes; no two of the first 24 are alike.

    >>> side_class(0), side_class(9)
    ('s0', 's1 d1')
    """
    turn, colour = divmod(place, len(SIDES))
    dash = turn % len(DASHES)
    return f"s{colour} d{dash}" if dash else f"s{colour}"


Points = list[tuple[int, Interval]]


@dataclass(frozen=True)
class _Plane:
    """Where years and values are in a drawing; ``right`` is the end of the lines."""

    first: int
    last: int
    low: float
    high: float
    right: int

    def x(self, year: int) -> float:
        span, width = self.last - self.first, self.right - LEFT
        return LEFT + (width * (year - self.first) / span if span else width / 2)

    def y(self, value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - self.low) / (self.high - self.low))


def side_chart(metric: MetricTable, comparison: SidesComparison, letters: Sequence[str]) -> Markup | None:
    """Draw a metric by year; None where no side has a number. The numbers also stand in the table beneath."""
    series = [_points(metric, place) for place in range(len(letters))]
    found = [value for points in series for _, value in points]
    if not found:
        return None
    ends = [end for value in found for end in (value.mean, value.low, value.high) if end is not None]
    low, high, step = scale(min(ends), max(ends), LEAST_STEP.get(metric.format, 1.0))
    years = [year for year, _ in metric.rows]
    right = WIDTH - (ROOM_FOR_VALUES if len(letters) <= MOST_VALUES else ROOM_FOR_LETTERS)
    plane = _Plane(years[0], years[-1], low, high, right)
    label = _told(metric, comparison)
    parts = [Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, label)]
    for number in range(round((high - low) / step) + 1):
        tick = low + number * step
        parts.append(axis_line(LEFT, plane.y(tick), right, plane.y(tick)))
        parts.append(text_at(LEFT - 6, plane.y(tick) + 4, shown(tick, metric.format), "end"))
    parts += [text_at(plane.x(year), HEIGHT - 6, str(year), "middle") for year in labelled(years)]
    parts += [_band(plane, place, points) for place, points in enumerate(series)]
    parts += [_line(plane, place, points, few=len(letters) <= MOST_VALUES) for place, points in enumerate(series)]
    parts += _labels(plane, metric, series, letters)
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _band(plane: _Plane, place: int, points: Points) -> Markup:
    """Draw the intervals of a side: an area, or an upright line where there is one year."""
    band = [
        (plane.x(year), plane.y(value.low), plane.y(value.high))
        for year, value in points
        if value.low is not None and value.high is not None
    ]
    if len(band) == 1:
        a, b, c = band[0]
        line = Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
        return line.format(side_class(place), a, b, a, c)
    corners = [*((a, b) for a, b, _ in band), *((a, c) for a, _, c in reversed(band))]
    text = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    return Markup('<polygon class="{}" points="{}"/>').format(side_class(place), text) if band else Markup("")


def _line(plane: _Plane, place: int, points: Points, *, few: bool) -> Markup:
    path = " ".join(f"{'L' if n else 'M'}{plane.x(a):.1f} {plane.y(v.mean):.1f}" for n, (a, v) in enumerate(points))
    name = side_class(place)
    dot = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>')
    dots = [dot.format(name, plane.x(year), plane.y(value.mean), 3 if few else 2) for year, value in points]
    return Markup("").join([Markup('<path class="{}" d="{}"/>').format(name, path), *dots]) if points else Markup("")


def _labels(plane: _Plane, metric: MetricTable, series: Sequence[Points], letters: Sequence[str]) -> list[Markup]:
    """Write at the end of each line its value, its letter, or both, as there is room."""
    if len(letters) > MOST_LETTERS:
        return []
    found = []
    ends = [(plane.y(points[-1][1].mean) + 4, place) for place, points in enumerate(series) if points]
    for where, place in _apart(ends):
        year, value = series[place][-1]
        text = shown_mean(value.mean, metric.format)
        if len(letters) > 1:
            text = f"{letters[place]} {text}" if len(letters) <= MOST_VALUES else letters[place]
        found.append(text_at(plane.x(year) + 8, where, text, "start", "last"))
    return found


@dataclass(frozen=True)
class SwingBar:
    """What a key does, with its bar of 1000: where that begins, how long it is, and where the mean of all stands."""

    swing: Swing
    begin: float
    length: float
    middle: float


def swing_bars(found: Sensitivity) -> list[SwingBar]:
    """Return a bar for each key, on one scale."""
    ends = [end for swing in found.swings for end in (swing.at_low, swing.at_high)]
    low, high = min([*ends, found.middle]), max([*ends, found.middle])
    size = (high - low) or 1.0
    bars = []
    for swing in found.swings:
        begin, end = sorted(((swing.at_low - low) / size, (swing.at_high - low) / size))
        length = max(4.0, (end - begin) * LONGEST_BAR)
        bars.append(
            SwingBar(swing, round(begin * LONGEST_BAR, 1), round(length, 1), (found.middle - low) / size * LONGEST_BAR)
        )
    return bars


def _points(metric: MetricTable, place: int) -> Points:
    found = ((year, cells[place].value) for year, cells in metric.rows)
    return [(year, value) for year, value in found if value is not None]


def _told(metric: MetricTable, comparison: SidesComparison) -> str:
    """Say what a chart shows, for who does not see it: each side in the first and the last year."""
    parts = []
    for place, side in enumerate(comparison.sides):
        there = [(year, cells[place]) for year, cells in metric.rows if cells[place].value is not None]
        if there:
            (first, a), (last, b) = there[0], there[-1]
            end = f", {value_text(b, metric.format)} in {last}" if last != first else ""
            parts.append(f"{side.name}: {value_text(a, metric.format)} in {first}{end}")
    return f"{metric.label}. {'; '.join(parts)}"


def _apart(labels: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """Move labels apart that would lie upon each other, within the drawing.

    >>> _apart([(50.0, 0), (52.0, 1), (180.0, 2)])
    [(50.0, 0), (63.0, 1), (166.0, 2)]
    """
    lowest = float(HEIGHT - BOTTOM)
    ordered = sorted(labels)
    places: list[float] = []
    for where, _ in ordered:
        places.append(max(where, places[-1] + LABEL_HEIGHT if places else TOP))
    for number in range(len(places) - 1, -1, -1):
        below = places[number + 1] - LABEL_HEIGHT if number + 1 < len(places) else lowest
        places[number] = min(places[number], below)
    return [(place, side) for place, (_, side) in zip(places, ordered, strict=True)]
