"""What moves a result most."""

from __future__ import annotations

import pytest

from orchestrator.reports.html.sensitivity import Sensitivity, sensitivities_of
from orchestrator.reports.sides.comparing import compare_sides
from orchestrator.reports.sides.side import Side
from tests.support.reports import scenario_side, sweep_sides


def of_level(sides: list[Side]) -> Sensitivity:
    """Return the sensitivity of the level."""
    return next(one for one in sensitivities_of(compare_sides(sides)) if one.metric.name == "level")


def test_the_widest_swing_comes_first() -> None:
    """A factor from 1 to 4 moves the level by 300, the wind by 10; each is averaged over all values of the other."""
    found = of_level(sweep_sides())
    assert [(swing.key, swing.low, swing.high, swing.pairs) for swing in found.swings] == [
        ("vars.factor", "1", "4", 2),
        ("vars.wind", "calm", "wild", 3),
    ]
    assert [swing.width for swing in found.swings] == [pytest.approx(300), pytest.approx(10)]
    assert found.year == 2004


def test_only_combinations_that_both_ends_have_are_averaged() -> None:
    """Where a group is gone, its counterpart does not count either: the wind is not taken for the factor."""
    sides = [side for side in sweep_sides() if side.group != {**side.group, "vars.factor": 4, "vars.wind": "calm"}]
    found = {swing.key: swing for swing in of_level(sides).swings}
    assert found["vars.factor"].pairs == 1 and found["vars.factor"].width == pytest.approx(300)
    assert found["vars.wind"].pairs == 2 and found["vars.wind"].width == pytest.approx(10)


def test_nothing_moves_what_is_not_varied() -> None:
    """One group, or scenarios, have no swings; neither has a key whose ends share no combination."""
    assert list(sensitivities_of(compare_sides([scenario_side()]))) == []
    assert list(sensitivities_of(compare_sides(sweep_sides([1], ["calm"])))) == []
    crossed = [side for side in sweep_sides([1, 4]) if list(side.group.values())[1:] in ([1, "calm"], [4, "wild"])]
    assert list(sensitivities_of(compare_sides(crossed))) == []


def test_numbers_are_ordered_as_numbers() -> None:
    """10 is more than 9, and truth is no number: its ends are where the means are least and greatest."""
    swing = of_level(sweep_sides([9, 10], ["calm"])).swings[0]
    assert (swing.low, swing.high) == ("9", "10")
