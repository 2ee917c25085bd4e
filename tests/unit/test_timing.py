"""Clocks: deadlines, stopwatches and timed steps."""

from __future__ import annotations

from datetime import timezone

import pytest

from orchestrator.core.clocks import Deadline, pause, step, stopwatch, utc_now
from orchestrator.core.events import Event, StepFinished, StepStarted


def test_the_present_is_aware_utc() -> None:
    """Moments carry their zone."""
    assert utc_now().tzinfo == timezone.utc


def test_a_stopwatch_runs_on() -> None:
    """Each look gives the seconds since the start."""
    elapsed = stopwatch()
    first = elapsed()
    pause(0.02)
    assert 0 <= first < 0.02 <= elapsed()


def test_a_deadline_comes() -> None:
    """What remains shrinks to 0 and never below."""
    deadline = Deadline.after(0.02)
    assert not deadline.expired()
    assert 0 < (deadline.remaining() or 0) <= 0.02
    pause(0.03)
    assert deadline.expired()
    assert deadline.remaining() == 0


def test_a_deadline_without_timeout_never_comes() -> None:
    """None is for ever."""
    deadline = Deadline.after(None)
    assert deadline.remaining() is None
    assert not deadline.expired()


def test_the_shorter_of_two_limits_holds() -> None:
    """``within`` keeps the deadline that ends first and remembers the length it was made with."""
    outer = Deadline.after(10)
    assert outer.within(None) is outer
    assert outer.within(20) is outer
    assert outer.within(1).timeout == 1
    assert Deadline.after(None).within(1).timeout == 1


def test_a_step_is_told_from_start_to_end() -> None:
    """A step that succeeds is emitted twice, the second time with its length and what it said of itself."""
    events: list[Event] = []
    with step("load", events.append, nodes=3) as record:
        pause(0.01)
        record.detail = "3 seeds"
    started, finished = events
    assert isinstance(started, StepStarted)
    assert isinstance(finished, StepFinished)
    assert (started.step, started.nodes, finished.success, finished.detail) == (
        "load",
        3,
        True,
        "3 seeds",
    )
    assert finished.seconds >= 0.01
    assert finished.started_at == started.at < finished.completed_at
    assert (record.success, record.seconds) == (True, finished.seconds)


@pytest.mark.parametrize(("error", "told"), [(ValueError("why"), "why"), (KeyboardInterrupt(), "KeyboardInterrupt")])
def test_a_step_that_raises_is_told_too(error: BaseException, told: str) -> None:
    """The end of a failed or interrupted step carries the reason, and the error goes on."""
    events: list[Event] = []
    with pytest.raises(type(error)), step("load", events.append):
        raise error
    finished = events[-1]
    assert isinstance(finished, StepFinished)
    assert (finished.success, finished.error) == (False, told)
