"""The time that a run is expected to take from where it is."""

from __future__ import annotations

from datetime import timedelta

from orchestrator.pipeline.stage_history import StageHistory, StageTime
from orchestrator.reports.remaining import RemainingTime
from tests.support.told_runs import START, stage_events, started

TIMES = tuple(StageTime(year, stage, 4.0) for year in (2000, 2001) for stage in ("flows", "balance"))


def test_the_time_left_shrinks_with_time_and_stages() -> None:
    """Nothing is said before the first stage; then the current one counts by what it has taken so far."""
    remaining = RemainingTime(StageHistory(TIMES, 2000))
    remaining.take(started("r"))
    assert remaining.seconds(START) is None
    begun, finished = stage_events("r", 2000, "flows", 6.0)
    remaining.take(begun)
    assert remaining.seconds(START) == 16.0
    assert remaining.seconds(START + timedelta(seconds=3)) == 13.0
    remaining.take(finished)
    assert remaining.seconds(finished.at) == 12.0
    remaining.take(stage_events("r", 2001, "balance", 1.0)[0])  # it resumed there
    assert remaining.seconds(START) == 4.0
    assert remaining.seconds(START + timedelta(seconds=60)) == 0.0


def test_without_history_nothing_is_said() -> None:
    """Nor of a stage that nobody knows, unless others are known."""
    remaining = RemainingTime(StageHistory((), 2000))
    remaining.take(started("r"))
    remaining.take(stage_events("r", 2000, "flows", 1.0)[0])
    assert remaining.seconds(START) is None
    partly = RemainingTime(StageHistory(TIMES[:1], 2000))
    partly.take(started("r"))
    partly.take(stage_events("r", 2000, "flows", 1.0)[0])
    assert partly.seconds(START) == 4.0
