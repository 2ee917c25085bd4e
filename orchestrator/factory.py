"""The one place that wires a configuration into something that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.paths import backups_dir, restore_begun
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.events import Emit, Event
from orchestrator.core.fan_out import fan_out
from orchestrator.core.run_scope import RunScope
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.datasets import datasets_of
from orchestrator.dbt_runner.project.variables import require_variables_fit
from orchestrator.listeners.configured import configured_listeners
from orchestrator.pipeline.hook_loading import hooks_from_config, hooks_from_entry_points
from orchestrator.pipeline.hook_tables import HookTables
from orchestrator.pipeline.hooks import Hook, HookManager
from orchestrator.pipeline.orchestrator import PipelineOrchestrator
from orchestrator.self_healing.auto_initializer import AutoInitializer
from orchestrator.self_healing.registry import configured_tables
from orchestrator.storage.json_lines import JsonLinesListener
from orchestrator.storage.listener import RunHistoryListener
from orchestrator.wiring import dbt_runner, one_mutex

if TYPE_CHECKING:
    from orchestrator.dbt_runner.process.warm_process import WarmProcess
    from orchestrator.dbt_runner.process.zygote import Zygote

Listener = Callable[[Event], None]


def create_orchestrator(
    config: SimulationConfig | Mapping[str, object] | Path | str | None = None,
    *,
    auto_initialize: bool = True,
    hooks: Sequence[Hook] = (),
    listeners: Iterable[Listener] = (),
    database: Path | str | None = None,
    overrides: Mapping[str, object] | Sequence[str] | None = None,
    zygote: Zygote | Path | None = None,
    warm: WarmProcess | None = None,
) -> PipelineOrchestrator:
    """Make an orchestrator for a configuration.

    ``config`` is a loaded one, a mapping, the path of a YAML file, or None for the one that is found
    (:func:`~orchestrator.config.finding.find_configuration`). ``database`` replaces the configured file, ``overrides``
    single keys, such as ``{"simulation.end_year": 2030}``. ``hooks`` run after those of the configuration and of
    installed packages; ``listeners`` are called with every event. Healing is registered as the first PRE_SIMULATION
    hook when ``auto_initialize`` holds here and in the configuration. ``zygote``, or its address, forks the dbt
    process, so that it is ready at once; by default that which ``ORCHESTRATOR_ZYGOTE`` names, and none where it is not
    set. ``warm`` holds the dbt process between several orchestrators that are used one after the other. Nothing is
    started yet: the dbt process starts with the first call that needs it.

    Raises:
        ConfigurationError: the configuration is wrong, or names a hook that cannot be imported.
        HookDefinitionError: something in ``hooks`` is no hook.
        ConfigurationError: something in ``listeners`` cannot be called.
        MissingExtraError: the library of a listener that the configuration names is not installed.
    """
    watchers = list(listeners)
    for listener in watchers:
        if not callable(listener):
            raise ConfigurationError(
                f"{listener!r} is not a listener.",
                to_fix="give a function that takes one Event (orchestrator.core.events)",
            )
    resolved = _resolve_config(config, database, overrides)
    if backups_dir(resolved.root).is_dir():
        from orchestrator.maintenance.backup.exclusion import recover_configured  # slow to import, and rarely needed

        recover_configured(resolved)
    runs_dir = resolved.root / "var" / "runs"
    history = [RunHistoryListener(resolved.storage_url, runs_dir)] if resolved.storage.enabled else []
    runner: DbtRunner
    others = configured_listeners(resolved, partial(datasets_of, lambda: runner.parsed_facts()))
    scope = RunScope(fan_out([JsonLinesListener(runs_dir), *history, *others, *watchers]))
    emit = scope.emit
    address = zygote if zygote is None or isinstance(zygote, Path) else zygote.address
    runner = dbt_runner(resolved, emit, deadline=scope.deadline, zygote=address, warm=warm)
    mutex = one_mutex(resolved, runner, emit, partial(_finish_restore, resolved))
    copies = _Copies(resolved, runner, emit)
    initializer = AutoInitializer(
        runner,
        mutex,
        configured=configured_tables(resolved),
        require_fit=partial(require_variables_fit, resolved),
        variables=dict(resolved.dbt_vars()),
        timeout_seconds=resolved.self_healing.timeout_seconds,
        lock_timeout_seconds=resolved.self_healing.lock_timeout_seconds,
        call_hook=HookTables(resolved, runner, scope).build,
        before_replacing=copies.before_heal(),
        replay=resolved.execution.replay == "auto",
        emit=emit,
        deadline=scope.deadline,
    )
    orchestrator = PipelineOrchestrator(
        resolved,
        runner=runner,
        mutex=mutex,
        hooks=HookManager(emit, check=scope.check),
        initializer=initializer,
        auto_initialize=auto_initialize and resolved.self_healing.auto_initialize,
        runs_dir=runs_dir,
        keepers=copies.after_run(),
        scope=scope,
    )
    for hook in (*hooks_from_entry_points(), *hooks_from_config(resolved), *hooks):
        orchestrator.hooks.register_hook(hook)
    return orchestrator


class _Copies:
    """The copies that a configuration wants to be made by themselves."""

    def __init__(self, config: SimulationConfig, runner: DbtRunner, emit: Emit) -> None:
        self._config = config
        self._runner = runner
        self._emit = emit

    def before_heal(self) -> Callable[[], None] | None:
        """Return what is called before healing replaces a table, None where nothing is."""
        return self._backup("before healing") if self._config.backup.before_heal else None

    def after_run(self) -> tuple[Callable[[], None], ...]:
        """Return what is called after a completed run."""
        found = []
        if self._config.publish is not None:
            from orchestrator.maintenance.backup.keeping import publisher  # slow to import, and rarely needed

            found.append(publisher(self._config, self._database, self._emit))
        if self._config.backup.after_run:
            found.append(self._backup("after a run"))
        return tuple(found)

    def _backup(self, reason: str) -> Callable[[], None]:
        from orchestrator.maintenance.backup.keeping import keeper  # slow to import, and rarely needed

        return keeper(self._config, self._database, reason=reason, emit=self._emit)

    def _database(self) -> Path | None:
        if self._config.database_path is not None:
            return self._config.database_path
        facts = self._runner.current_facts()
        return facts.database_path


def _resolve_config(
    config: SimulationConfig | Mapping[str, object] | Path | str | None,
    database: Path | str | None,
    overrides: Mapping[str, object] | Sequence[str] | None,
) -> SimulationConfig:
    _require_overrides(overrides)
    if isinstance(config, SimulationConfig):
        if overrides or database is not None:
            return config.with_overrides(overrides, database=database)
        return config
    if isinstance(config, Mapping):
        made = SimulationConfig.from_mapping(config, root=Path.cwd(), overrides=overrides)
        return made if database is None else made.with_overrides(database=database)
    if config is not None and not isinstance(config, (str, Path)):
        raise ConfigurationError(
            f"{config!r} is not a configuration.",
            to_fix="give the path of a YAML file, a mapping, a SimulationConfig, or None",
        )
    return SimulationConfig.load(config, overrides=overrides, database=database)


def _require_overrides(overrides: Mapping[str, object] | Sequence[str] | None) -> None:
    """Refuse what is no override, in the words of Python: what comes behind speaks of the command line."""
    if overrides is None or isinstance(overrides, Mapping):
        return
    for one in [overrides] if isinstance(overrides, str) else overrides:
        if not isinstance(one, str) or "=" not in one:
            raise ConfigurationError(
                f"The override {one!r} is not a string of the form key.path=value.",
                to_fix='give a mapping, such as {"simulation.end_year": 2030}, or strings: "simulation.end_year=2030"',
            )


def _finish_restore(config: SimulationConfig, database: Path) -> None:
    """End a restore whose process was killed while this one waited for the database."""
    if restore_begun(config.root):
        # slow to import, and rarely needed
        from orchestrator.maintenance.backup.bounds import bounds_of
        from orchestrator.maintenance.backup.exclusion import recover_held

        recover_held(config.root, config.storage_url, database, bounds_of(config, database))
