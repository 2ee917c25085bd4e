"""The context of functions that act on a database before, and maybe without, any run of years."""

from __future__ import annotations

from uuid import uuid4

from orchestrator.config.simulation import SimulationConfig
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.pipeline.hooks import HookContext


def context_before_years(config: SimulationConfig, runner: DbtRunner, run_id: str | None) -> HookContext:
    """Return the context of a hook outside of any year; ``run_id`` None makes an id for what is no run."""

    def execute(sql: str) -> None:
        runner.execute(sql)

    return HookContext(
        run_id=run_id or str(uuid4()),
        scenario=config.scenario,
        years=() if config.simulation is None else config.years(),
        config=config,
        query=runner.query,
        execute=execute,
        database=config.database_path,
    )
