"""The workspace behind the pages: configuration, run history and project, read again where their files have changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.finding import DBT_PROJECT, find_configuration
from orchestrator.config.layers import scenario_names
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError, OrchestratorError
from orchestrator.storage.initialization import ensure_initialized
from orchestrator.ui.settings import UiSettings

if TYPE_CHECKING:
    from orchestrator.dbt_runner.process.runner import DbtRunner
    from orchestrator.dbt_runner.project.facts import ProjectFacts
    from orchestrator.storage.base import StorageBackend

State = tuple[tuple[str, int, int], ...]
MOST_KEPT = 16  # configurations of scenarios
RUNS_LOOKED_AT = 20


class NotReadYetError(ConfigurationError):
    """Signals that dbt has to read the project first, because it is new or has changed."""


class Workspace:
    """What the pages look at. Any thread may ask.

    A configuration is loaded once and again when one of its files has changed; the history is opened once for each URL.
    """

    def __init__(self, settings: UiSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._configs: dict[str | None, tuple[State, SimulationConfig]] = {}
        self._history: tuple[str, StorageBackend] | None = None
        self._last_good: SimulationConfig | None = None

    def file(self) -> Path:
        """Return the configuration file.

        Raises:
            ConfigurationError: there is none.
        """
        return find_configuration(self.settings.config, os.environ)

    def is_empty(self) -> bool:
        """Tell whether there is neither a configuration nor a dbt project."""
        try:
            return not self.file().exists()
        except ConfigurationError:
            return self.settings.config is None

    def config(self, scenario: str | None = None) -> SimulationConfig:
        """Return the configuration of a scenario, by default of that which the server was started with.

        Raises:
            ConfigurationError: it is wrong, or there is no such scenario.
        """
        file = self.file()
        state = _state(file)
        with self._lock:
            kept = self._configs.get(scenario)
        if kept is not None and kept[0] == state:
            return kept[1]
        config = self._load(file, scenario)
        with self._lock:
            if len(self._configs) >= MOST_KEPT:
                self._configs.clear()
            self._configs[scenario] = state, config
            if scenario is None:
                self._last_good = config
        return config

    def last_good(self) -> tuple[SimulationConfig, ConfigurationError | None]:
        """Return the configuration for what goes on without it, such as the history, and what is wrong with it now.

        Where it is wrong, it is as it was when it was last right.

        Raises:
            ConfigurationError: it was never right since the server was started.
        """
        try:
            return self.config(), None
        except ConfigurationError as error:
            if self._last_good is None:
                raise
            return self._last_good, error

    def state(self) -> State:
        """Return what changes when a file of the configuration does; empty where there is none."""
        try:
            return _state(self.file())
        except ConfigurationError:
            return ()

    def changed_at(self) -> float:
        """Return when a file of the configuration, or the folder of the scenarios, was last changed, as Unix time."""
        file = self.file()
        times = [modified / 1e9 for _, modified, _ in _state(file)]
        with suppress(OSError):
            times.append((file.parent / "scenarios").stat().st_mtime)
        return max(times, default=0.0)

    def _load(self, file: Path, scenario: str | None) -> SimulationConfig:
        settings = self.settings
        if scenario is None or scenario == settings.scenario:
            chosen = settings
        else:
            chosen = replace(settings, scenario=scenario, database=None, fork=None)
        return SimulationConfig.load(
            None if file.name == DBT_PROJECT and settings.config is None else file,
            scenario=chosen.scenario,
            overrides=chosen.overrides,
            database=chosen.database,
            fork=chosen.fork,
        )

    def scenarios(self) -> tuple[str, ...]:
        """Return the names of all scenarios, that of the server first; none where no configuration was ever right."""
        try:
            own = self.last_good()[0].scenario
            return tuple(dict.fromkeys([own, *scenario_names(self.file().parent / "scenarios")]))
        except ConfigurationError:
            return ()

    def history(self, config: SimulationConfig | None = None) -> StorageBackend:
        """Return the open run history of the workspace; it is made where there is none.

        Raises:
            ConfigurationError: no configuration was ever right.
            StorageError: the history cannot be used.
        """
        from orchestrator.storage.factory import create_storage_backend  # SQLAlchemy: a fifth of a second

        url = (self.last_good()[0] if config is None else config).storage_url
        with self._lock:
            if self._history is not None and self._history[0] == url:
                ensure_initialized(url, show_progress=False)
                return self._history[1]
            if self._history is not None:
                self._history[1].close()
                self._history = None
            backend = create_storage_backend(url)
            self._history = url, backend
            return backend

    def root(self) -> Path | None:
        """Return the root of the project; None where no configuration was ever right."""
        try:
            return self.last_good()[0].root
        except ConfigurationError:
            return None

    def runs_dir(self) -> Path | None:
        """Return the folder of the events of runs; None where no configuration was ever right."""
        root = self.root()
        return None if root is None else root / "var" / "runs"

    def newest_runs(self) -> tuple[tuple[str, str], ...]:
        """Return ids and status of the newest runs; none where there is no history to be read."""
        from orchestrator.reports.run_history import with_status  # slow to import, as above

        try:
            backend = self.history()
            found = with_status(backend, backend.runs.list_runs(limit=RUNS_LOOKED_AT))
        except OrchestratorError:
            return ()
        return tuple((run.id, status) for run, status in found)

    @contextmanager
    def project(self, config: SimulationConfig) -> Iterator[tuple[DbtRunner, ProjectFacts]]:
        """Give what is known of the dbt project; dbt is never started here.

        Raises:
            NotReadYetError: dbt has to read it first.
        """
        from orchestrator.wiring import dbt_runner  # slow to import

        runner = dbt_runner(config)
        facts = runner.known_facts()
        if facts is None:
            raise NotReadYetError(
                "dbt has not read the project since it was last changed.", to_fix="run `orchestrator check`"
            )
        try:
            yield runner, facts
        finally:
            runner.close()

    def close(self) -> None:
        """Close the run history."""
        with self._lock:
            if self._history is not None:
                self._history[1].close()
                self._history = None


def _state(file: Path) -> State:
    """Return what changes when a configuration does: names, times and sizes of its files."""
    folder = file.parent / "scenarios"
    files = [file, *sorted(folder.glob("*.y*ml"))]
    found = []
    for one in files:
        try:
            stat = one.stat()
        except OSError:
            continue
        found.append((str(one), stat.st_mtime_ns, stat.st_size))
    return tuple(found)
