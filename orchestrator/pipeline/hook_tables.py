"""The functions that build required tables, called with what any hook is called with."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.run_scope import RunScope
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.pipeline.before_years import context_before_years
from orchestrator.pipeline.hook_loading import hook_of
from orchestrator.pipeline.hooks import HookCallback, HookType

_texts: dict[str, tuple[str, bytes]] = {}


def hook_table_functions(config: SimulationConfig) -> dict[str, HookCallback]:
    """Import the functions of the required tables of tier hook, by the name of the table.

    A module whose file has changed since it was imported here is imported again: a table is compared with the file.

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
            module = table.call.partition(":")[0]
            _forget_changed(module)
            found[table.name] = hook_of(config, table.call, where, HookType.PRE_SIMULATION).callback
            _note_text(module)
    return found


def _note_text(name: str) -> None:
    """Note the text of the file that a module was imported from."""
    file = sys.modules[name].__file__
    if file is not None and Path(file).is_file() and _texts.get(name, ("", b""))[0] != file:
        _texts[name] = file, Path(file).read_bytes()


def _forget_changed(name: str) -> None:
    """Forget a module that was imported here and whose file has another text by now."""
    file, text = _texts.get(name, ("", b""))
    if file and (not Path(file).is_file() or Path(file).read_bytes() != text):
        del _texts[name]
        sys.modules.pop(name, None)


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
