"""Where sides come from: the configurations of a project, its parsed facts and its run history."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.layers import scenario_names
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import StorageError
from orchestrator.core.untrusted import is_file_name
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.reports.comparison import flat
from orchestrator.scenarios.folders import SweepFolder, sweeps_dir
from orchestrator.wiring import dbt_runner

if TYPE_CHECKING:
    from orchestrator.storage.base import StorageBackend
    from orchestrator.storage.models import WorkflowRun

RUNS_LOOKED_AT = 20
_log = logging.getLogger(__name__)
OpenProject = Callable[[SimulationConfig], AbstractContextManager[tuple[DbtRunner, ProjectFacts]]]


@dataclass(frozen=True)
class Sources:
    """The project whose sides are asked for: its own configuration, and how those of its scenarios are loaded.

    ``open_project`` gives the facts of a project; it may start dbt where that has changed since its last parse.
    ``history`` is the run history, None where there is none yet.
    """

    config: SimulationConfig
    load: Callable[[str], SimulationConfig]
    open_project: OpenProject
    history: StorageBackend | None

    @property
    def scenarios(self) -> list[str]:
        """The names of all scenarios that have a file, and that of the configuration itself."""
        file = self.config.file
        named = [] if file is None else scenario_names(file.parent / "scenarios")
        return list(dict.fromkeys([*named, self.config.scenario]))

    def is_scenario(self, name: str) -> bool:
        """Tell whether a scenario of this name has a file, or was run under it (``simulate --as NAME``)."""
        return name in self.scenarios or self._forked(name) is not None

    def scenario(self, name: str) -> SimulationConfig:
        """Return the configuration of a scenario; one without a file has the variables and years of its newest run.

        Raises:
            ConfigurationError: it is wrong, or there is no such scenario.
        """
        run = None if name in self.scenarios else self._forked(name)
        if run is None or run.database is None:
            return self.config if name == self.config.scenario else self.load(name)
        return as_run(self.config, name, run.config_snapshot, Path(run.database))

    def _forked(self, name: str) -> WorkflowRun | None:
        if self.history is None:
            return None
        runs = self.history.runs.list_runs(scenario=name, limit=RUNS_LOOKED_AT)
        return next((run for run in runs if run.database is not None and Path(run.database).is_file()), None)

    @property
    def sweeps(self) -> list[str]:
        """The names of all sweeps, sorted."""
        return sorted(path.parent.name for path in sweeps_dir(self.config.root).glob("*/plan.json"))

    def sweep(self, name: str) -> SweepFolder | None:
        """Return the folder of a sweep, None where there is no such sweep."""
        folder = SweepFolder.of(self.config.root, name)
        return folder if is_file_name(name) and folder.plan.is_file() else None


@contextmanager
def sources_of(
    config: SimulationConfig, load: Callable[[str], SimulationConfig], open_project: OpenProject
) -> Iterator[Sources]:
    """Open the history of a project, where there is one that can be read, for as long as its sides are read."""
    from orchestrator.storage.factory import open_existing  # SQLAlchemy: a fifth of a second

    with ExitStack() as opened:
        history = None
        try:
            history = opened.enter_context(open_existing(config))
        except StorageError as error:  # scenarios and sweeps are found without it
            _log.warning("The run history cannot be read, so runs are not found: %s", error)
        yield Sources(config, load, open_project, history)


@contextmanager
def opened_project(config: SimulationConfig) -> Iterator[tuple[DbtRunner, ProjectFacts]]:
    """Give the facts of a project, and end its dbt process, which is started only where the project has changed."""
    runner = dbt_runner(config)
    try:
        yield runner, runner.known_facts() or runner.facts()
    finally:
        runner.close()


def as_run(config: SimulationConfig, scenario: str, snapshot: Mapping[str, object], database: Path) -> SimulationConfig:
    """Return a configuration with the variables and years of a run, for its database."""
    sections = {key: snapshot[key] for key in ("vars", "simulation") if isinstance(snapshot.get(key), dict)}
    return config.with_overrides({"scenario": scenario, **flat(sections)}, database=database)


def loader(path: Path | None, overrides: tuple[str, ...] = ()) -> Callable[[str], SimulationConfig]:
    """Return what loads the configuration of a scenario, by its name."""
    return lambda scenario: SimulationConfig.load(path, scenario=scenario, overrides=overrides)
