"""Results by year as what charts show: a series for each column of the closing table, of one or two sources."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from orchestrator.pipeline.workflow import Summary
from orchestrator.reports.comparison import change_of


@dataclass(frozen=True)
class Series:
    """The values of one source by year, in order; years without a number are left out."""

    name: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Chart:
    """One column of the closing table, by its name, label and format: integer, money or percent."""

    name: str
    label: str
    format: str
    series: tuple[Series, ...]


@dataclass(frozen=True)
class YearDifference:
    """One column in one year of two sources; ``difference`` is a − b, ``percent`` the same in percent of b."""

    label: str
    format: str
    a: object
    b: object
    difference: float | None
    percent: float | None


def charts_of(sources: Sequence[tuple[str, Summary]]) -> tuple[Chart, ...]:
    """Return a chart for each column of the first source that holds numbers."""
    if not sources:
        return ()
    found = []
    for column in sources[0][1].columns[1:]:
        if column.format == "text":
            continue
        series = tuple(Series(name, points) for name, one in sources if (points := _points(one, column.name)))
        if series:
            found.append(Chart(column.name, column.label, column.format, series))
    return tuple(found)


def last_common_year(a: Summary, b: Summary) -> int | None:
    """Return the last year that both have, None where there is none."""
    years = {row[0] for row in a.rows} & {row[0] for row in b.rows}
    return max((year for year in years if isinstance(year, int)), default=None)


def differences_in(year: int, a: Summary, b: Summary) -> tuple[YearDifference, ...]:
    """Return what two sources have in a year, column by column of the first; ``difference`` is the first's more."""
    of_a, of_b = _row(a, year), _row(b, year)
    found = []
    for column in a.columns[1:]:
        one, other = of_a.get(column.name), of_b.get(column.name)
        difference, percent = change_of(_number(one), _number(other))
        found.append(YearDifference(column.label, column.format, one, other, difference, percent))
    return tuple(found)


def _points(summary: Summary, name: str) -> tuple[tuple[int, float], ...]:
    place = next((number for number, column in enumerate(summary.columns) if column.name == name), None)
    if place is None:
        return ()
    pairs = ((row[0], _number(row[place])) for row in summary.rows)
    return tuple((year, value) for year, value in pairs if isinstance(year, int) and value is not None)


def _row(summary: Summary, year: int) -> dict[str, object]:
    names = [column.name for column in summary.columns]
    return next((dict(zip(names, row, strict=True)) for row in summary.rows if row[0] == year), {})


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    number = float(value)
    return number if math.isfinite(number) else None
