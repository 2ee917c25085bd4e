"""One run while it goes on."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from traceback import format_exception
from uuid import uuid4

from orchestrator.config.schema import HookType
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.annotations import Annotations
from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.errors import (
    ConfigurationError,
    DatabaseLockedError,
    RunCancelledError,
    YearSequenceError,
    YearsWouldBeLostError,
)
from orchestrator.core.events import RunFinished, RunStarted
from orchestrator.core.masking import masked
from orchestrator.core.processes import ProcessIdentity
from orchestrator.core.run_scope import RunScope
from orchestrator.core.versions import installed_versions
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.pipeline.hooks import HookContext, HookManager
from orchestrator.pipeline.workflow import SimulationPlan, SimulationResult, outputs_of

REFUSALS = (ConfigurationError, DatabaseLockedError, YearSequenceError, YearsWouldBeLostError)
"""Errors that, before the first year, say that a run was not begun at all."""


class CurrentRun:
    """One execution: its id, its plan, its clock and its hooks; it holds the database, and tells its start and end.

    ``begun`` tells that its first year has begun, or was about to: rows may have been removed.
    """

    def __init__(
        self,
        config: SimulationConfig,
        plan: SimulationPlan,
        hooks: HookManager,
        runner: DbtRunner,
        *,
        runs_dir: Path,
        scope: RunScope,
    ) -> None:
        self.run_id = str(uuid4())
        self.config = config
        self.plan = plan
        self.hooks = hooks
        self.elapsed = stopwatch()
        self.failures_dir = runs_dir / self.run_id / "failed_tests"
        self.warnings_dir = runs_dir / self.run_id / "warned_tests"
        self._runner = runner
        self._scope = scope
        self._mutex: DatabaseMutex | None = None
        self.begun = False

    @property
    def year_column(self) -> str:
        """Return the column that holds the year in tables of years."""
        assert self.config.simulation is not None
        return self.config.simulation.year_column

    def begin_at_first_year(self) -> SimulationPlan:
        """Run the years before the range as well; return the plan."""
        self.plan = self.plan.from_first_year()
        return self.plan

    def hold(self, mutex: DatabaseMutex) -> None:
        """Take the mutex of the database until :meth:`let_go`.

        Raises:
            DatabaseLockedError: somebody else holds it for longer than ``lock_timeout_seconds``.
        """
        patience = self.config.self_healing.lock_timeout_seconds
        mutex.acquire(deadline=self._scope.deadline(patience), run_id=self.run_id)
        self._mutex = mutex

    def let_go(self) -> None:
        """Close the database and free its mutex, in this order."""
        try:
            self._runner.release()
        finally:
            if self._mutex is not None:
                self._mutex.release()

    def fire(
        self,
        hook_type: HookType,
        *,
        year: int | None = None,
        stage: str | None = None,
        error: BaseException | None = None,
    ) -> bool:
        """Call the hooks of one type and tell whether there were any.

        They may ask and change the database by the run's own connection.
        """
        context = HookContext(
            run_id=self.run_id,
            scenario=self.config.scenario,
            years=self.plan.years,
            year=year,
            stage=stage,
            database=self.config.database_path,
            config=self.config,
            query=self._runner.query,
            execute=self._execute,
            error=error,
        )
        return self.hooks.execute_hooks(hook_type, context)

    def tell_start(self, *, fresh: bool, annotations: Annotations) -> None:
        """Tell that the run begins, what of, in which process, and what people say about it."""
        process = ProcessIdentity.of_this()
        self._scope.emit(
            RunStarted(
                at=utc_now(),
                run_id=self.run_id,
                scenario=self.config.scenario,
                database=str(self.config.database_path or "as the dbt profile says"),
                years=self.plan.years,
                stages=tuple(stage.name for stage in self.plan.stages),
                fresh=fresh,
                command=masked(shlex.join(sys.argv)),
                host=process.host,
                pid=process.pid,
                process_started=process.started,
                config=self.config.snapshot(),
                versions=installed_versions(),
                note=None if annotations.note is None else masked(annotations.note),
                tags=annotations.tags,
            )
        )

    def tell_failure(self, error: BaseException) -> None:
        """Tell that the run ended by an error, by an interruption or because it was cancelled."""
        words = "Interrupted." if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
        status = "failed" if isinstance(error, Exception) else "interrupted"
        if not self.begun and isinstance(error, REFUSALS):
            status = "refused"
        if isinstance(error, RunCancelledError) and error.run_id == self.run_id:
            status = "cancelled"
        self._scope.emit(
            RunFinished(
                at=utc_now(),
                run_id=self.run_id,
                status=status,
                seconds=self.elapsed(),
                error=masked(words),
                traceback=masked("".join(format_exception(error))),
            )
        )

    def tell_result(self, result: SimulationResult) -> None:
        """Tell that the run is complete, and what it has to show."""
        self._scope.emit(
            RunFinished(
                at=utc_now(),
                run_id=self.run_id,
                status="completed",
                seconds=self.elapsed(),
                outputs=outputs_of(result),
            )
        )

    def _execute(self, sql: str) -> None:
        self._runner.execute(sql)
