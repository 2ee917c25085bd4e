"""Runs that another thread cancels: at every moment they stop, leave nothing behind, and can be gone on with."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator import Hook, HookContext, HookType, PipelineOrchestrator, RunCancelledError, create_orchestrator
from orchestrator.core.events import (
    DbtStarted,
    Event,
    HookFinished,
    HookStarted,
    LockWaited,
    NodeFinished,
    NodeStarted,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepStarted,
    YearFinished,
    YearsPurged,
)
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.dbt_runner.process.process import DbtProcess
from orchestrator.storage.factory import create_storage_backend
from tests.integration.test_dbt_runner import SLOW
from tests.support.processes import dbt_processes, wait_until
from tests.support.workspaces import PreparedProjects, WarmWorkspace

pytestmark = pytest.mark.slow

Fits = Callable[[Event], bool]
SHORE = "dbt/models/foundation/lake_shore.sql"
NESTED = "{% for other in range(99999) %}{% endfor %}"
INFLOW = "dbt/models/yearly/inflow.sql"


class Watched(WarmWorkspace):
    """A warm workspace whose runs are cancelled by another thread at the first event that fits ``moment``.

    The run goes on when :meth:`PipelineOrchestrator.cancel` has returned, so it is known how far it was.
    """

    def __init__(self, root: Path) -> None:
        self.moment: Fits | None = None
        super().__init__(root)

    def orchestrator(self, **options: object) -> PipelineOrchestrator:
        """Make an orchestrator that is watched."""
        listeners = [self.events.append, self._listen]
        return create_orchestrator(self.config, listeners=listeners, **options)  # type: ignore[arg-type]

    def cancel(self) -> None:
        """Cancel what runs, from another thread."""
        thread = threading.Thread(target=self.warm.cancel)
        thread.start()
        thread.join()

    def _listen(self, event: Event) -> None:
        if self.moment is not None and self.moment(event):
            self.moment = None
            self.cancel()

    def came(self) -> bool:
        """Tell whether the moment has come."""
        return self.moment is None

    def run_cancelled(self) -> RunCancelledError:
        """Run all years, which must end as cancelled; return the error."""
        with pytest.raises(RunCancelledError) as caught:
            self.warm.execute_multi_year_simulation()
        return caught.value

    def statuses(self) -> list[str]:
        """Return how the runs so far have ended."""
        return [event.status for event in self.events if isinstance(event, RunFinished)]

    def assert_nothing_left(self) -> None:
        """Nobody holds the mutex or the file, and nothing temporary lies in the database."""
        assert DatabaseMutex(self.database, run_id="probe").holder() is None
        assert not self.warm.runner.database_open
        assert [name for name in self.tables() if "__dbt_" in name] == []

    def assert_goes_on(self, point: tuple[int, str] | None) -> None:
        """The same orchestrator runs to the end from a stage of a year on, None: from the beginning."""
        resumed = self.warm.execute_multi_year_simulation().resumed_from
        assert (resumed and (resumed.year, resumed.stage)) == point


@pytest.fixture(scope="module")
def watched_workspace(prepared: PreparedProjects, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A simulated reservoir with a warm orchestrator, for the tests of this module."""
    root = tmp_path_factory.mktemp("watched") / "reservoir"
    shutil.copytree(prepared.lay("reservoir", simulated=True).root, root)
    workspace = Watched(root)
    yield workspace
    workspace.warm.close()


@pytest.fixture
def watched(watched_workspace: Watched) -> Iterator[Watched]:
    """The watched workspace as it was in the beginning; afterwards nothing of it may be left."""
    watched_workspace.restore()
    watched_workspace.moment = None
    yield watched_workspace
    watched_workspace.assert_nothing_left()
    alive = {watched_workspace.warm.runner.pid} - {None}
    assert set(dbt_processes(watched_workspace.root)) <= alive


def at(kind: type[Event], **fields: object) -> Fits:
    """Return what fits an event of a kind with these fields."""
    return lambda event: type(event) is kind and fields.items() <= vars(event).items()


@pytest.mark.parametrize(
    ("moment", "point"),
    [
        pytest.param(at(RunStarted), None, id="before anything"),
        pytest.param(at(StepStarted, step="check_tables"), None, id="in the check of the database"),
        pytest.param(at(YearsPurged), None, id="after the purge"),
        pytest.param(at(NodeStarted, name="inflow"), None, id="in the first node"),
        pytest.param(at(StageFinished, year=2000, stage="flows"), (2000, "balance"), id="between stages"),
        pytest.param(at(YearFinished, year=2000), (2001, "flows"), id="between years"),
        pytest.param(at(StageStarted, year=2001, stage="checks"), (2001, "checks"), id="before a command"),
        pytest.param(at(NodeFinished, name="lake_level"), (2000, "balance"), id="before dbt has answered"),
    ],
)
def test_a_run_is_cancelled_at_any_moment(watched: Watched, moment: Fits, point: tuple[int, str] | None) -> None:
    """It raises RunCancelledError, ends as cancelled, and the next one goes on where it stopped, with the same rows."""
    before = watched.digests()
    watched.moment = moment
    error = watched.run_cancelled()
    assert watched.came(), "the moment did not come"
    watched.assert_nothing_left()
    (finished,) = (event for event in watched.events if isinstance(event, RunFinished))
    assert (finished.status, finished.run_id) == ("cancelled", error.run_id)
    assert watched.events[-1] == finished
    watched.assert_goes_on(point)
    assert watched.digests() == before


@pytest.mark.parametrize("step", ["load_seeds", "build_foundation", "create_state", "verify"])
def test_healing_is_cancelled_at_any_step(watched: Watched, step: str) -> None:
    """What was built before is kept, the rest is healed by the next run."""
    before = watched.digests()
    watched.sql("drop table rain", "drop table lake_shore", "drop table lake_level")
    watched.moment = at(StepStarted, step=step)
    error = watched.run_cancelled()
    assert type(error) is RunCancelledError
    watched.assert_nothing_left()
    assert ("rain" in watched.tables()) == (step != "load_seeds")
    watched.assert_goes_on(None)
    assert watched.digests() == before


def test_a_waiter_for_the_mutex_is_cancelled(watched: Watched) -> None:
    """It stops waiting; the holder is not disturbed, and the next run begins when he is done."""
    before = watched.digests()
    watched.moment = at(LockWaited)
    holding, done = threading.Event(), threading.Event()
    disturbed: list[bool] = []

    def hold() -> None:
        with DatabaseMutex(watched.database, run_id="another").held(0) as mutex:
            holding.set()
            assert done.wait(60)
            disturbed.append(not mutex.held_here)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert holding.wait(60)
        watched.run_cancelled()
        assert DatabaseMutex(watched.database, run_id="probe").holder() is not None
    finally:
        done.set()
        holder.join()
    assert disturbed == [False]
    assert watched.digests() == before
    watched.assert_goes_on(None)


def waits_for_dbt(thread: int) -> bool:
    """Tell whether a thread of this process waits for an answer of dbt."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code is DbtProcess.answer.__code__:
            return True
        frame = frame.f_back
    return False


def test_a_parse_that_is_waited_for_is_cancelled(watched: Watched) -> None:
    """Where the run waits for dbt to read a changed project, dbt is stopped, and started again by the next run."""
    watched.warm.close()
    endless = watched.root / "dbt" / "models" / "endless.sql"
    endless.write_text(f"{{% for one in range(99999) %}}{NESTED}{{% endfor %}} select 1 as one")
    threads: list[threading.Thread] = []

    def cancel() -> None:
        wait_until(lambda: bool(dbt_processes(watched.root)), "dbt has been told for which project it works", 60)
        wait_until(lambda: waits_for_dbt(running), "the run waits for the parse", 60)
        watched.warm.cancel()

    running = threading.get_ident()

    def start_thread(event: Event) -> bool:
        if isinstance(event, DbtStarted):
            threads.append(threading.Thread(target=cancel))
            threads[0].start()
        return False

    watched.moment = start_thread
    try:
        watched.run_cancelled()
        watched.moment = None
        threads[0].join()
        assert watched.warm.runner.pid is None
        assert dbt_processes(watched.root) == []
    finally:
        endless.unlink()
    watched.assert_goes_on(None)


@pytest.mark.parametrize("place", ["healing", "stage"])
def test_a_long_statement_of_dbt_is_cancelled(watched: Watched, place: str) -> None:
    """In the middle of a statement that takes hours, dbt takes it back and ends; no partial table is left."""
    model = watched.root / (SHORE if place == "healing" else INFLOW)
    table, original = model.stem, model.read_text()
    begun = watched.root / "begun.csv"
    before = watched.digests()
    kept = original.partition("}}")[0].rstrip().removesuffix(")")
    model.write_text(f"{kept}, pre_hook=\"copy (select 1 as one) to '{begun}'\") }}}}\n{SLOW}")
    watched.sql(f"drop table {table}")
    threads: list[threading.Thread] = []

    def cancel() -> None:
        wait_until(begun.exists, "the statement before the long one is done", 60)
        watched.warm.cancel()

    def start_thread(event: Event) -> bool:
        if isinstance(event, NodeStarted) and event.name == table:
            threads.append(threading.Thread(target=cancel))
            threads[0].start()
        return False

    watched.moment = start_thread
    try:
        watched.run_cancelled()
        watched.moment = None
        threads[0].join()
        assert watched.warm.runner.pid is None
        assert dbt_processes(watched.root) == []
        watched.assert_nothing_left()
        assert table not in watched.tables()
    finally:
        model.write_text(original)
        begun.unlink(missing_ok=True)
    watched.assert_goes_on(None)
    assert watched.digests() == before


def with_hooks(watched: Watched, *hooks: Hook) -> RunCancelledError:
    """Run with these hooks, which must end as cancelled; return the error."""
    for hook in hooks:
        watched.warm.hooks.register_hook(hook)
    try:
        return watched.run_cancelled()
    finally:
        for hook in hooks:
            watched.warm.hooks.unregister_hook(hook.name)


@pytest.mark.parametrize("on_error", ["abort", "warn"])
def test_a_hook_is_waited_for(watched: Watched, on_error: str) -> None:
    """A hook that is called when the run is cancelled ends as it would; the next one is not called any more."""
    called: list[str] = []

    def one(context: HookContext) -> None:
        watched.cancel()
        called.append("the end of the first")

    def other(context: HookContext) -> None:
        called.append("the second")

    hooks = [Hook(HookType.PRE_YEAR, hook, name=hook.__name__, on_error=on_error) for hook in (one, other)]
    with_hooks(watched, *hooks)
    assert called == ["the end of the first"]
    assert [event.success for event in watched.events if isinstance(event, HookFinished)][-1] is True
    assert watched.statuses() == ["cancelled"]


@pytest.mark.parametrize("on_error", ["abort", "warn"])
def test_a_statement_of_a_hook_is_cancelled(watched: Watched, on_error: str) -> None:
    """A query that a hook asks by the run's connection stops at once; the error passes through it as it is."""
    asking = threading.Event()

    def ask(context: HookContext) -> None:
        asking.set()
        context.query(SLOW)

    def cancel() -> None:
        assert asking.wait(60)
        watched.warm.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    error = with_hooks(watched, Hook(HookType.POST_STAGE, ask, name="ask", on_error=on_error))
    thread.join()
    assert type(error) is RunCancelledError
    assert "in the post_stage hook 'ask'" in error.__notes__
    watched.assert_goes_on((2000, "balance"))


def test_hooks_for_a_failure_see_why_and_have_the_database(watched: Watched) -> None:
    """ON_FAILURE hooks run after a cancelled run as after Ctrl-C; cancelling once more does not disturb them."""
    seen: list[tuple[object, object]] = []

    def clean_up(context: HookContext) -> None:
        watched.cancel()
        seen.append((context.error, context.query("select count(*) from lakes")))

    watched.moment = at(YearFinished, year=2000)
    error = with_hooks(watched, Hook(HookType.ON_FAILURE, clean_up, name="clean up"))
    assert seen == [(error, [(2,)])]


def test_cancelling_when_nothing_runs_does_nothing(watched: Watched) -> None:
    """Neither the next run nor what is done outside of runs is cancelled by it, also after a cancelled run."""
    watched.cancel()
    watched.warm.initializer.ensure_initialized()
    watched.assert_goes_on(None)
    watched.moment = at(HookStarted)
    with pytest.raises(RunCancelledError):
        watched.warm.execute_multi_year_simulation(fresh=True)
    watched.cancel()
    watched.assert_goes_on(None)
    assert watched.statuses() == ["completed", "cancelled", "completed"]


def test_cancelling_twice_is_harmless(watched: Watched) -> None:
    """The second request changes nothing, and the next run is whole."""

    def twice(event: Event) -> bool:
        if isinstance(event, YearFinished):
            watched.cancel()
            watched.cancel()
        return False

    watched.moment = twice
    watched.run_cancelled()
    watched.moment = None
    watched.assert_goes_on((2001, "flows"))
    assert watched.statuses() == ["cancelled", "completed"]


def test_the_history_tells_what_was_cancelled(watched: Watched) -> None:
    """A cancelled run has a status of its own there, and keeps the stages that it finished."""
    watched.moment = at(YearFinished, year=2000)
    error = watched.run_cancelled()
    assert error.run_id is not None
    with create_storage_backend(watched.warm.config) as history:
        (run,) = (run for run in history.runs.list_runs(statuses=["cancelled"]) if run.id == error.run_id)
        steps = history.steps.list_by_run(run.id)
    assert run.completed_at is not None
    assert run.error_message == error.message
    assert [step.status for step in steps if step.kind == "stage"] == ["completed"] * 3
