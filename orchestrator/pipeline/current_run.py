"""One run while it goes on."""

from __future__ import annotations

from uuid import uuid4

from orchestrator.config.schema import HookType
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import stopwatch
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.pipeline.hooks import HookContext, HookManager
from orchestrator.pipeline.workflow import SimulationPlan


class CurrentRun:
    """One execution: its id, its plan, its clock, its hooks, and the mutex once it is held."""

    def __init__(self, config: SimulationConfig, plan: SimulationPlan, hooks: HookManager, runner: DbtRunner) -> None:
        self.run_id = str(uuid4())
        self.config = config
        self.plan = plan
        self.hooks = hooks
        self.elapsed = stopwatch()
        self.mutex: DatabaseMutex | None = None
        self._runner = runner

    def fire(
        self,
        hook_type: HookType,
        *,
        year: int | None = None,
        stage: str | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Call the hooks of one type; they may ask and change the database by the run's own connection."""
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
        self.hooks.execute_hooks(hook_type, context)

    def _execute(self, sql: str) -> None:
        self._runner.execute(sql)
