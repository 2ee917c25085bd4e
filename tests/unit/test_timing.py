"""Clocks: deadlines, stopwatches and timed steps."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timezone
from functools import partial

import pytest

from orchestrator.core.cancel_token import CancelToken
from orchestrator.core.clocks import Deadline, pause, step, stopwatch, utc_now
from orchestrator.core.errors import RunCancelledError
from orchestrator.core.events import Event, StepFinished, StepStarted, ignore
from orchestrator.core.run_scope import RunScope


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


def test_a_deadline_of_a_cancelled_run_raises() -> None:
    """Whatever asks it, and any shorter one made of it, is told that the run was cancelled; before, it is as others."""
    token = CancelToken("r")
    deadline = Deadline.after(60, token)
    shorter = deadline.within(1)
    assert not deadline.expired()
    assert shorter.remaining() is not None
    deadline.check()
    token.cancel()
    token.cancel()
    asked: list[Callable[[], object]] = [deadline.check, deadline.expired, shorter.remaining]
    asked.append(partial(deadline.within, 9))
    for ask in asked:
        with pytest.raises(RunCancelledError, match="goes on where it stopped") as caught:
            ask()
        assert caught.value.run_id == "r"


def test_a_scope_cancels_its_own_run_alone() -> None:
    """No run, the next run, another thread and the end of the run know of no request to cancel."""
    scope = RunScope(ignore)
    scope.cancel()
    with scope.run("first"):
        scope.check()
        scope.cancel()
        with pytest.raises(RunCancelledError):
            scope.check()
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(scope.check).result()
        scope.end_cancelling()
        scope.check()
        scope.cancel()
    with scope.run("second"):
        scope.check()
        assert scope.in_run
    assert not scope.in_run


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
