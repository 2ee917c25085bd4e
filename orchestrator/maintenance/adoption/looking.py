"""A look at a dbt project that has no configuration yet, and the writing of the one that is proposed."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config.finding import DBT_PROJECT, NAMES
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError, DbtProjectError, OrchestratorError
from orchestrator.core.events import Emit, ignore
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.process.warm_process import WarmProcess
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.settings import DbtSettings
from orchestrator.dbt_runner.project.study import ProjectStudy
from orchestrator.maintenance.adoption.examples import cannot_be_written
from orchestrator.maintenance.adoption.year_range import YearRange
from orchestrator.maintenance.adoption.year_variable import YearCandidate
from orchestrator.wiring import dbt_settings

FILE = "orchestrator.yaml"
OWN_DATABASE = "var/simulation.duckdb"
_USUAL_FOLDER = "dbt"
_READS_DATABASE = "ORCHESTRATOR_DATABASE"
_MISSING = re.compile(r"Required var '([^']+)' not found")
_PLACE = re.compile(r"(?:The file is |\()([^()\s][^()\n]*\.(?:sql|yml|yaml))")
_READ = re.compile(r"""\bvar\(\s*["']([^"']+)["']\s*\)""")
_MOST_MISSING = 50

AskValue = Callable[[str, ConfigurationError], object]
"""Return the value of a variable without which dbt cannot parse the project, or raise the error."""


@dataclass(frozen=True)
class Place:
    """Where a configuration is to be written (``root``), and the dbt project that it is for; both absolute."""

    root: Path
    project_dir: Path

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self.root / FILE

    @property
    def shown_project(self) -> str:
        """The folder of the project, relative to the root."""
        return Path(os.path.relpath(self.project_dir, self.root)).as_posix()


def find_place(folder: Path | None, source: Path | None) -> Place:
    """Return where to write, and for which project.

    Without ``source``, the project is in ``folder``, by default the working folder, or in a folder of that; without
    ``folder``, the configuration is written beside the project's own.

    Raises:
        ConfigurationError: there is no dbt project, or there is a configuration already.
    """
    if source is not None:
        project = source.absolute()
        project = project.parent if project.name == DBT_PROJECT else project
        root = project if folder is None else folder.absolute()
        if not (project / DBT_PROJECT).is_file():
            raise ConfigurationError(
                f"{project} is not a dbt project: it holds no {DBT_PROJECT}.", to_fix="give --from its folder"
            )
    else:
        root = Path.cwd() if folder is None else folder.absolute()
        project = _project_in(root)
    root, project = Path(os.path.normpath(root)), Path(os.path.normpath(project))
    if root.exists() and not root.is_dir():
        raise ConfigurationError(f"{root} is a file, not a folder.", to_fix="name a folder")
    there = [name for name in NAMES if os.path.lexists(root / name)]
    if there:
        raise ConfigurationError(
            f"{root / there[0]} is there already, and nothing is ever overwritten.",
            to_fix=f"use it as it is, move it away, or name another folder: `orchestrator new FOLDER --from {project}`",
        )
    standing = next(one for one in (root, *root.parents) if one.exists())
    if not os.access(standing, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"The folder {standing} cannot be written.",
            to_fix=f"name a folder that can: `orchestrator new FOLDER --from {project}`",
        )
    return Place(root, project)


def _project_in(root: Path) -> Path:
    for one in (root, root / _USUAL_FOLDER):
        if (one / DBT_PROJECT).is_file():
            return one
    inside = sorted(one.parent for one in root.glob(f"*/{DBT_PROJECT}")) if root.is_dir() else []
    if len(inside) == 1:
        return inside[0]
    found = (
        f"several dbt projects in it ({', '.join(one.name for one in inside)})" if inside else "no dbt project in it"
    )
    raise ConfigurationError(
        f"{root} has {found}.",
        to_fix="name one with --from DBT_PROJECT" + ("" if inside else ", or begin with --example NAME"),
    )


class Look:
    """One warm dbt process that reads a project, at first without years and then with them; a context manager."""

    def __init__(self, place: Place, given: Mapping[str, object], emit: Emit = ignore) -> None:
        self.given = dict(given)
        self._place = place
        self._emit = emit
        self._warm = WarmProcess()
        self._kept = tempfile.TemporaryDirectory(prefix="orchestrator-new-")

    def __enter__(self) -> Look:
        return self

    def __exit__(self, *exc: object) -> None:
        self._warm.close()
        self._kept.cleanup()

    @property
    def database(self) -> str | None:
        """The file to configure, where the profile takes it from the orchestrator; None leaves it to the profile."""
        profiles = self._settings(None).effective_profiles_dir() / "profiles.yml"
        try:
            return OWN_DATABASE if _READS_DATABASE in profiles.read_text(encoding="utf-8") else None
        except (OSError, UnicodeDecodeError):
            return None

    def project(self, ask: AskValue) -> tuple[ProjectFacts, ProjectStudy]:
        """Return what is known of the project without years; ``ask`` is called for values without which none is.

        Raises:
            DbtProjectError: the project does not parse, or its profile is missing.
        """
        for _ in range(_MOST_MISSING):
            try:
                with self._runner(self._settings(self.database)) as runner:
                    return runner.parsed(), runner.study()
            except OrchestratorError as error:
                missing = self._missing(error)
                if missing is None:
                    raise
                self.given[missing] = ask(missing, _no_value(missing, error))
        raise DbtProjectError(f"The dbt project {self._place.project_dir} asks for ever more variables.")

    def with_years(self, chosen: YearCandidate, years: YearRange, variables: Mapping[str, object]) -> ProjectFacts:
        """Return the facts of the project with a year variable: which nodes read it, and what later years add."""
        settings = self._settings(self.database)
        told = {"start_year": years.first, **variables, chosen.variable: years.first}
        later: tuple[dict[str, object], ...] = tuple(
            {chosen.variable: year} for year in range(years.first + 1, years.last + 1)
        )
        settings = replace(
            settings, vars={**settings.vars, **told}, year_vars=frozenset({chosen.variable}), later_years=later
        )
        with self._runner(settings) as runner:
            return runner.parsed()

    def _missing(self, error: OrchestratorError) -> str | None:
        """Return the variable that dbt misses, as it says itself, or as the file says over which it stumbled."""
        named = _MISSING.search(error.message)
        if named is not None:
            return None if named[1] in self.given else named[1]
        place = _PLACE.search(error.message)
        if place is None or "NoneType" not in error.message:
            return None
        try:
            text = (self._place.project_dir / place[1]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        return next((name for name in _READ.findall(text) if name not in self.given), None)

    def _runner(self, settings: DbtSettings) -> DbtRunner:
        return DbtRunner(settings, emit=self._emit, warm=self._warm)

    def _settings(self, database: str | None) -> DbtSettings:
        place = self._place
        data: dict[str, object] = {"dbt": {"project_dir": str(place.project_dir)}, "vars": self.given}
        if database is not None:
            data["database"] = database
        root = place.root if place.root.is_dir() else place.project_dir
        config = SimulationConfig.from_mapping(data, root=root)
        return replace(dbt_settings(config), cache_dir=Path(self._kept.name))


def _no_value(name: str, error: OrchestratorError) -> ConfigurationError:
    return DbtProjectError(
        f"The dbt project cannot be read without a value for the variable {name}: {error.message}",
        to_fix=f"add --set vars.{name}=VALUE, with a value that fits",
    )


def write_configuration(place: Place, text: str) -> SimulationConfig:
    """Write a configuration that our own loader accepts, and return it as it is loaded; nothing is overwritten.

    Raises:
        ConfigurationError: the loader refuses it, a file of that name has come up, or the folder cannot be written;
            nothing is written then.
    """
    made = [one for one in (place.root, *place.root.parents) if not one.exists()]
    draft = place.root / f".{FILE}.{os.getpid()}"
    try:
        place.root.mkdir(parents=True, exist_ok=True)
        with draft.open("x", encoding="utf-8") as file:
            file.write(text)
        SimulationConfig.load(draft, environ={})
        _put(draft, place.file)
    except BaseException as error:
        if place.root.is_dir():
            draft.unlink(missing_ok=True)
        for folder in made:
            if folder.is_dir():
                folder.rmdir()
        if isinstance(error, OSError):
            raise cannot_be_written(place.root, error) from None
        raise
    return SimulationConfig.load(place.file)


def _put(draft: Path, file: Path) -> None:
    """Give a file its name, which nothing may have by now: a link refuses where a rename would replace."""
    try:
        os.link(draft, file)
    except FileExistsError:
        raise ConfigurationError(f"{file} has come up meanwhile, and nothing is ever overwritten.") from None
    except OSError:  # a file system without links
        with file.open("x", encoding="utf-8") as named:
            named.write(draft.read_text(encoding="utf-8"))
    draft.unlink()
