"""Means over repetitions with their 95 % intervals, and differences of means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

LEVEL = 0.95
_SMALLEST, _ENOUGH, _MOST_TERMS = 1e-300, 1e-15, 2000


@dataclass(frozen=True)
class Interval:
    """A mean of ``count`` values, and between which limits the true one lies; they are None for a single value."""

    mean: float
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class MeanDifference(Interval):
    """How much one mean is more than another, which is ``base``; ``paired`` tells whether that is by seed.

    ``count`` is the number of pairs, or that of the smaller sample.
    """

    base: float
    paired: bool

    @property
    def percent(self) -> float | None:
        """The difference in percent of ``base``, None where that is 0."""
        return None if self.base == 0 else self.mean / abs(self.base) * 100


def mean_of(values: Sequence[float]) -> Interval:
    """Return the mean of one or more independent values and its 95 % interval by Student's t.

    The interval is mean ± t(0.975; n − 1) · s / √n, where s is the standard deviation of the sample (NIST/SEMATECH
    e-Handbook of Statistical Methods, section 1.3.5.2).

    >>> mean_of([5.0])
    Interval(mean=5.0, low=None, high=None, count=1)
    >>> found = mean_of([1.0, 2.0, 3.0])
    >>> round(found.low, 3), round(found.high, 3)
    (-0.484, 4.484)
    """
    count = len(values)
    mean = _mean(values)
    if count < 2:
        return Interval(mean, None, None, count)
    half = t_quantile(count - 1) * math.sqrt(_variance(values, mean) / count)
    return Interval(mean, mean - half, mean + half, count)


def difference_of(values: Mapping[object, float], base: Mapping[object, float]) -> MeanDifference:
    """Return how much the mean of ``values`` is more than that of ``base``; both are by seed, and hold one or more.

    What has no known seed stands under a key that is no number.

    Where seeds are in both, the differences of equal seeds are one sample, and their mean and interval are those of
    :func:`mean_of`: what the draws have in common cancels out (paired t, NIST/SEMATECH e-Handbook, section 7.3.1).
    Seeds that only one has are left out then. Else the interval is Welch's for samples of unequal variance,
    with the degrees of freedom of Welch and Satterthwaite (ibid., section 7.3.1; Welch, Biometrika 34, 1947). There is
    none where a sample has a single value.
    """
    shared = [seed for seed in values if isinstance(seed, int) and seed in base]
    if shared:
        own = mean_of([values[seed] - base[seed] for seed in shared])
        below = _mean([base[seed] for seed in shared])
        return MeanDifference(own.mean, own.low, own.high, own.count, below, paired=True)
    one, other = list(values.values()), list(base.values())
    mean, below = _mean(one), _mean(other)
    difference, count = mean - below, min(len(one), len(other))
    if count < 2:
        return MeanDifference(difference, None, None, count, below, paired=False)
    parts = _variance(one, mean) / len(one), _variance(other, below) / len(other)
    whole = sum(parts)
    if whole == 0:
        return MeanDifference(difference, difference, difference, count, below, paired=False)
    freedom = whole**2 / (parts[0] ** 2 / (len(one) - 1) + parts[1] ** 2 / (len(other) - 1))
    half = t_quantile(freedom) * math.sqrt(whole)
    return MeanDifference(difference, difference - half, difference + half, count, below, paired=False)


@lru_cache(maxsize=4096)
def t_quantile(freedom: float, level: float = LEVEL) -> float:
    """Return t with P(|T| ≤ t) = ``level`` for Student's T of so many degrees of freedom, which may be a fraction.

    P(|T| > t) is the regularized incomplete beta function of ν/2 and 1/2 at ν / (ν + t²) (Abramowitz and Stegun,
    Handbook of Mathematical Functions, 26.7.1 and 26.5.27), which is solved for t by bisection.

    >>> [round(t_quantile(freedom), 3) for freedom in (1, 2, 9, 99)]
    [12.706, 4.303, 2.262, 1.984]
    """
    outside = 1 - level
    low, high = 0.0, 1.0
    while _two_tailed(high, freedom) > outside:
        low, high = high, high * 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _two_tailed(middle, freedom) > outside else (low, middle)
    return (low + high) / 2


def _two_tailed(t: float, freedom: float) -> float:
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularized incomplete beta function, by the continued fraction of Abramowitz and Stegun, 26.5.8."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Evaluate that fraction from its beginning (Lentz's method)."""
    c, d = 1.0, _safe(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, _MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = _safe(1 + term * d)
            c = 1 + term / c
            c = c if abs(c) > _SMALLEST else _SMALLEST
            change = c * d
            found *= change
        if abs(change - 1) < _ENOUGH:
            break
    return found


def _safe(number: float) -> float:
    return 1 / (number if abs(number) > _SMALLEST else _SMALLEST)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float], mean: float) -> float:
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
