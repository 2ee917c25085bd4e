"""Means and differences over seeds, against values from tables and worked by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.reports.sides.intervals import difference_of, mean_of, t_quantile

# NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2, column 0.975; the last by t = z for n → ∞.
TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 19: 2.093, 29: 2.045, 60: 2.000, 100: 1.984}
numbers = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(("freedom", "expected"), [*TABLE.items(), (10_000_000, 1.960)])
def test_quantiles_of_students_t(freedom: int, expected: float) -> None:
    """They are those of printed tables."""
    assert round(t_quantile(freedom), 3) == expected


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_closed_forms_for_one_and_two_degrees_of_freedom(level: float) -> None:
    """One degree is Cauchy's tangent; two have a closed form too; 5/2 lies between 2 and 3."""
    assert t_quantile(1, level) == pytest.approx(math.tan(math.pi * level / 2), rel=1e-10)
    alpha = 1 - level
    assert t_quantile(2, level) == pytest.approx(math.sqrt(2 / (alpha * (2 - alpha)) - 2), rel=1e-10)
    assert t_quantile(3, level) < t_quantile(2.5, level) < t_quantile(2, level)


def test_an_interval_worked_by_hand() -> None:
    """Values 2 4 4 4 5 5 7 9: mean 5, sum of squares 32, s² = 32/7, half = 2.36462 · √(32/7/8)."""
    found = mean_of([2, 4, 4, 4, 5, 5, 7, 9])
    assert found.mean == 5
    assert found.low is not None and found.high is not None
    assert found.high - 5 == pytest.approx(2.364624 * math.sqrt(32 / 7 / 8), rel=1e-6)
    assert 5 - found.low == pytest.approx(found.high - 5)


def test_one_value_has_no_interval() -> None:
    """Neither a mean of one, nor a difference to one."""
    assert (mean_of([3.0]).low, mean_of([3.0]).high) == (None, None)
    change = difference_of({1: 3.0, 2: 5.0}, {7: 1.0})
    assert (change.mean, change.low, change.paired) == (3.0, None, False)


def test_pairs_by_seed() -> None:
    """Differences 1, 2, 3: mean 2, s = 1, half = 4.30265 / √3; what the seeds have in common cancels out."""
    change = difference_of({1: 101.0, 2: 52.0, 3: 13.0}, {3: 10.0, 1: 100.0, 2: 50.0})
    assert change.paired and change.count == 3
    assert change.mean == pytest.approx(2)
    assert change.high == pytest.approx(2 + 4.302653 / math.sqrt(3), rel=1e-6)
    assert change.percent == pytest.approx(2 / (160 / 3) * 100)


def test_only_shared_seeds_are_paired() -> None:
    """A seed that one side alone has is left out of the difference, and of its base."""
    change = difference_of({1: 11.0, 2: 22.0, 9: 1e9}, {1: 10.0, 2: 20.0, 8: -1e9})
    assert (change.mean, change.base, change.count, change.paired) == (1.5, 15.0, 2, True)


def test_without_shared_seeds_welch() -> None:
    """Variances 1 and 4 over 3 each: se² = 5/3, ν = (5/3)² / ((1/3)²/2 + (4/3)²/2) = 50/17; t(50/17) = 3.219."""
    change = difference_of({1: 9.0, 2: 10.0, 3: 11.0}, {4: 18.0, 5: 20.0, 6: 22.0})
    assert not change.paired
    assert change.mean == -10 and change.percent == -50
    assert change.high is not None
    assert change.high + 10 == pytest.approx(t_quantile(50 / 17) * math.sqrt(5 / 3))
    assert t_quantile(3) < t_quantile(50 / 17) < t_quantile(2.9)


def test_seeds_that_are_not_known_are_no_pairs() -> None:
    """Two members without a seed have nothing in common."""
    unknown: dict[object, float] = {("without seed", 0): 1.0, ("without seed", 1): 2.0}
    assert not difference_of(unknown, unknown).paired


def test_no_percent_of_nothing() -> None:
    """A base of 0 has none; a negative one counts by its size; equal values have an interval of no width."""
    assert difference_of({1: 1.0}, {1: 0.0}).percent is None
    assert difference_of({1: 1.0}, {1: -2.0}).percent == 150
    change = difference_of({1: 2.0, 2: 2.0}, {3: 1.0, 4: 1.0})
    assert (change.low, change.mean, change.high) == (1, 1, 1)


@given(st.lists(numbers, min_size=2, max_size=30))
def test_the_mean_lies_in_its_interval(values: list[float]) -> None:
    """Whatever the values, and the interval is symmetric."""
    found = mean_of(values)
    assert found.low is not None and found.high is not None
    assert found.low <= found.mean <= found.high
