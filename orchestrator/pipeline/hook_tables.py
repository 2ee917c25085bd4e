"""The functions that build required tables, called with what any hook is called with."""

from __future__ import annotations

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.run_scope import RunScope
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.pipeline.before_years import context_before_years
from orchestrator.pipeline.hook_loading import hook_of
from orchestrator.pipeline.hooks import HookCallback, HookType


def hook_table_functions(config: SimulationConfig) -> dict[str, HookCallback]:
    """Import the functions of the required tables of tier hook, by the name of the table.

    Raises:
        ConfigurationError: a module or function is not there, or cannot be called with a context.
    """
    if config.required_tables == "auto":
        return {}
    found = {}
    for index, table in enumerate(config.required_tables):
        if table.call is not None:
            place = config.origin_of("required_tables", index, "call")
            where = f"{place}: required_tables[{index}].call {table.call!r}"
            found[table.name] = hook_of(config, table.call, where, HookType.PRE_SIMULATION).callback
    return found


class HookTables:
    """Builds the tables of one configuration that functions build; these are imported at once."""

    def __init__(self, config: SimulationConfig, runner: DbtRunner, scope: RunScope) -> None:
        self._config = config
        self._runner = runner
        self._scope = scope
        self._functions = hook_table_functions(config)

    def build(self, name: str) -> None:
        """Call the function of a table; whatever it raises goes on.

        The database is closed before: a function may open its file itself, or use the connection of its context.
        """
        self._runner.release()
        self._functions[name](context_before_years(self._config, self._runner, self._scope.run_id))
