"""Run members one after the other in one process."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.errors import OrchestratorError, RunCancelledError
from orchestrator.core.events import Event, RunStarted
from orchestrator.dbt_runner.process.warm_process import WarmProcess
from orchestrator.factory import create_orchestrator
from orchestrator.pipeline.orchestrator import PipelineOrchestrator
from orchestrator.scenarios.keeping import write_inputs
from orchestrator.scenarios.shared_start import SharedStart
from orchestrator.scenarios.state import MemberState, Status
from orchestrator.scenarios.tables import tables_to_keep, write_tables
from orchestrator.scenarios.task import MemberTask

SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_IDLE = 10.0


class MemberRunner:
    """Runs members; one lives in each worker process, as long as that does.

    Its dbt process serves member after member. It ends when a member was cancelled, and when no other member has come
    for ``seconds_idle``: a worker of a scheduler that goes on after the sweep, or lost it, must not keep it for ever.
    Not thread-safe: a worker runs one member at a time.
    """

    def __init__(self, *, seconds_idle: float = SECONDS_IDLE) -> None:
        self._warm = WarmProcess()
        self._seconds_idle = seconds_idle
        self._idle: threading.Timer | None = None
        self._is_frozen = False

    def run(self, task: MemberTask, *, emit: Callable[[Event], None], cancelled: Callable[[], bool]) -> MemberState:
        """Run a member, or go on with it, and write what is kept of it; return what became of it.

        ``emit`` is told what happens. Soon after ``cancelled`` says so, dbt is stopped, and the member ends as
        cancelled; the next call goes on with it. Whatever a user may have caused is in the state that is returned.
        """
        if self._idle is not None:
            self._idle.cancel()
        state = self._state_of(task, emit, cancelled)
        self._collect()
        if state.status == "cancelled":
            self._warm.end_idle()
        else:
            self._idle = threading.Timer(self._seconds_idle, self._warm.end_idle)
            self._idle.daemon = True
            self._idle.start()
        return state

    def _collect(self) -> None:
        """Free what a member has left in circles, which Python would look for only after many members.

        What the first one has imported stays, and is left out: later collections take milliseconds.
        """
        gc.collect()
        if not self._is_frozen:
            gc.freeze()
            self._is_frozen = True

    def _state_of(self, task: MemberTask, emit: Callable[[Event], None], cancelled: Callable[[], bool]) -> MemberState:
        run_ids: list[str] = []

        def told(event: Event) -> None:
            if isinstance(event, RunStarted):
                run_ids.append(event.run_id)
            emit(event)

        started, seconds = utc_now(), stopwatch()
        status: Status = "done"
        error: OrchestratorError | None = None
        tables: tuple[str, ...] = ()
        not_compared: tuple[str, ...] = ()
        try:
            tables, not_compared = self._run(task, told, cancelled)
        except OrchestratorError as found:
            status, error = "cancelled" if isinstance(found, RunCancelledError) else "failed", found
        except OSError as found:
            status = "failed"
            error = OrchestratorError(
                f"A file of the member cannot be written: {found}.", to_fix="make room, and run the same command again"
            )
        return MemberState(
            status=status,
            run_id=run_ids[0] if run_ids else None,
            started_at=started.isoformat(),
            finished_at=utc_now().isoformat(),
            seconds=seconds(),
            message=None if error is None else error.message,
            to_fix=None if error is None else error.to_fix,
            attempts=task.attempt,
            tables=tables,
            not_compared=not_compared,
        )

    def _run(
        self, task: MemberTask, emit: Callable[[Event], None], cancelled: Callable[[], bool]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Run a member; return the names of the tables that are kept of it, and what is not compared."""
        config = task.project.member(task.member, task.database)
        with (
            create_orchestrator(config, listeners=[emit], warm=self._warm) as orchestrator,
            _cancelled_when(cancelled, orchestrator),
        ):
            if task.share and config.self_healing.auto_initialize:
                SharedStart(task.folder.shared, task.varied).prepare(orchestrator, task.database)
            fresh = task.database.exists() and (task.fresh or _has_later_years(orchestrator, task.last_year))
            result = orchestrator.execute_multi_year_simulation(
                task.first_year, task.last_year, forgo_years=True, fresh=fresh
            )
            inputs = orchestrator.runner.parse_inputs()  # what is asked next reads the project anew where it changed
            if result.changed_files:
                raise OrchestratorError(
                    f"{', '.join(result.changed_files)} changed while the member was simulated: rows of it may be of "
                    "either state.",
                    to_fix="run `orchestrator sweep resume`, and change nothing of the project until it ends",
                )
            tables = tables_to_keep(orchestrator, task.keep)
            write_tables(orchestrator, task, tables)
            if inputs is None:
                orchestrator.runner.parsed()  # where nothing was to be done, nobody may have waited for it yet
                inputs = orchestrator.runner.parse_inputs()
            if inputs is not None:
                write_inputs(task.folder, task.member, inputs)
            return tuple(table.name for table in tables), result.not_compared


def _has_later_years(orchestrator: PipelineOrchestrator, last_year: int) -> bool:
    """Tell whether a member was simulated further than is asked for now: its tables hold years that are not wanted."""
    return any(stage.year > last_year for stage in orchestrator.stage_history().stages)


@contextmanager
def _cancelled_when(cancelled: Callable[[], bool], orchestrator: PipelineOrchestrator) -> Iterator[None]:
    """Cancel the run of an orchestrator once ``cancelled`` says so."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            if cancelled():
                orchestrator.cancel()  # again and again: a run that has not begun yet cannot be cancelled

    watcher = threading.Thread(target=watch, name="cancel", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
