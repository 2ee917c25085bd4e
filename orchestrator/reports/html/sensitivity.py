"""Which of the varied keys of a sweep move a result most."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.reports.sides.comparing import MetricTable, SidesComparison
from orchestrator.reports.sides.groups import shown_value
from orchestrator.reports.sides.side import Side


@dataclass(frozen=True)
class Swing:
    """What one varied key does to a metric: its ``low`` and ``high`` values, in words, and the means there.

    ``pairs`` is over how many combinations of the other keys they are averaged, each of which has both values.
    """

    key: str
    low: str
    high: str
    at_low: float
    at_high: float
    pairs: int

    @property
    def width(self) -> float:
        """How far the two means are apart."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True)
class Sensitivity:
    """The swings of one metric in a year, the widest first; ``middle`` is the mean over all groups."""

    sweep: str
    metric: MetricTable
    year: int
    middle: float
    swings: tuple[Swing, ...]


def sensitivities_of(comparison: SidesComparison) -> Iterator[Sensitivity]:
    """Yield one for each sweep and metric of the last year in which any group of the sweep has values.

    A number is at its least and its greatest value; of other keys, those two values count at which the means are least
    and greatest. Both means are over the same combinations of all other keys, each with equal weight.
    """
    for sweep in dict.fromkeys(side.sweep for side in comparison.sides if side.sweep is not None):
        places = [place for place, side in enumerate(comparison.sides) if side.sweep == sweep]
        groups = [comparison.sides[place] for place in places]
        for metric in comparison.metrics:
            found = _last_means(metric, places)
            if found is None:
                continue
            year, means = found
            pairs = [(side, mean) for side, mean in zip(groups, means, strict=True) if mean is not None]
            keys = dict.fromkeys(key for side in groups for key in side.group)
            swings = [swing for key in keys if (swing := _swing(key, pairs)) is not None]
            if swings:
                middle = sum(mean for _, mean in pairs) / len(pairs)
                ordered = tuple(sorted(swings, key=lambda one: -one.width))
                yield Sensitivity(sweep, metric, year, middle, ordered)


def _last_means(metric: MetricTable, places: Sequence[int]) -> tuple[int, list[float | None]] | None:
    for year, cells in reversed(metric.rows):
        means = [None if (value := cells[place].value) is None else value.mean for place in places]
        if any(mean is not None for mean in means):
            return year, means
    return None


def _swing(key: str, groups: Sequence[tuple[Side, float]]) -> Swing | None:
    """Return what a key does, None where it has one value or nothing to compare it by."""
    by_value: dict[str, dict[str, float]] = {}
    values: dict[str, object] = {}
    for side, mean in groups:
        own = json.dumps(side.group.get(key), sort_keys=True)
        others = json.dumps({name: value for name, value in side.group.items() if name != key}, sort_keys=True)
        values[own] = side.group.get(key)
        by_value.setdefault(own, {})[others] = mean
    if len(by_value) < 2:
        return None
    low, high = _ends(values, by_value)
    shared = [others for others in by_value[low] if others in by_value[high]]
    if not shared:
        return None
    at_low, at_high = (sum(by_value[end][others] for others in shared) / len(shared) for end in (low, high))
    return Swing(key, shown_value(values[low]), shown_value(values[high]), at_low, at_high, len(shared))


def _ends(values: dict[str, object], by_value: dict[str, dict[str, float]]) -> tuple[str, str]:
    numbers = {
        own: float(value)
        for own, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    means = {own: sum(of.values()) / len(of) for own, of in by_value.items()}
    places = numbers if len(numbers) == len(values) else means
    first, *_, last = sorted(places, key=lambda own: places[own])
    return first, last
