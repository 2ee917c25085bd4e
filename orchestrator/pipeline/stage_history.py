"""Durations of stages, and so how long they are expected to take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class StageTime:
    """Duration of a finished stage of a year."""

    year: int
    stage: str
    seconds: float


@dataclass(frozen=True)
class StageHistory:
    """Finished ``stages``; ``first_year`` is the first of the simulation that is asked about."""

    stages: tuple[StageTime, ...]
    first_year: int

    def expected_seconds(self, year: int, stage: str) -> float | None:
        """Return the median of what a stage took in years of its kind, None where there is no history yet.

        The first year is a kind of its own: it makes the tables that later years add to.
        """
        began = min((finished.year for finished in self.stages), default=None)
        taken = [
            finished.seconds
            for finished in self.stages
            if finished.stage == stage and (finished.year == began) == (year == self.first_year)
        ]
        return median(taken) if taken else None


def all_known(seconds: Iterable[float | None]) -> float | None:
    """Return the sum, None where one of them is not known.

    >>> all_known([1.5, 2.0]), all_known([1.5, None]), all_known([])
    (3.5, None, 0.0)
    """
    total = 0.0
    for one in seconds:
        if one is None:
            return None
        total += one
    return total
