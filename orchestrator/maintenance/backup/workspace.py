"""The databases of a workspace: the simulated ones of every scenario, and the history of runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from orchestrator.config.finding import DBT_PROJECT
from orchestrator.config.paths import in_project
from orchestrator.config.simulation import SimulationConfig
from orchestrator.config.yaml_file import read_yaml
from orchestrator.core.errors import ConfigurationError

DUCKDB, SQLITE, POSTGRESQL = "duckdb", "sqlite", "postgresql"
HISTORY = "run history"


@dataclass(frozen=True)
class WorkspaceDatabase:
    """A database by its ``name``; ``kind`` is duckdb, sqlite or postgresql, ``path`` None for one on a server."""

    name: str
    kind: str
    path: Path | None
    url: str | None = None

    @property
    def file(self) -> Path:
        """Return the path of a database that is a file."""
        assert self.path is not None
        return self.path


def databases_of(config: SimulationConfig, profile_database: Path | None = None) -> tuple[WorkspaceDatabase, ...]:
    """Return the databases that a configuration, its scenarios and the files beside it name, whether they exist or not.

    ``profile_database`` is the file that the dbt profile names, where the configuration names none.
    """
    files = [config.database_path or profile_database, *_of_other_files(config)]
    found = [
        WorkspaceDatabase(in_project(path, config.root), DUCKDB, path) for path in dict.fromkeys(filter(None, files))
    ]
    if config.storage.enabled:
        found.append(history_of(config))
    return tuple(found)


def chosen(databases: Iterable[WorkspaceDatabase], wanted: Path | None) -> tuple[WorkspaceDatabase, ...]:
    """Return all databases, or the one whose file is ``wanted``; a file that no configuration names is taken as DuckDB.

    Raises:
        ConfigurationError: ``wanted`` does not exist and nothing names it.
    """
    if wanted is None:
        return tuple(databases)
    path = wanted.expanduser().absolute()
    found = tuple(database for database in databases if database.path == path)
    if not found and not path.exists():
        raise ConfigurationError(f"There is no database {path}.", to_fix="name one that exists with --database")
    return found or (WorkspaceDatabase(path.name, DUCKDB, path),)


def history_of(config: SimulationConfig) -> WorkspaceDatabase:
    """Return the run history that a configuration names, whether it exists or not."""
    scheme, slashes, path = config.storage_url.partition(":///")
    if scheme.partition("+")[0] == "sqlite":
        file = Path(unquote(path.partition("?")[0])) if slashes and path not in ("", ":memory:") else None
        return WorkspaceDatabase(HISTORY, SQLITE, file, config.storage_url)
    return WorkspaceDatabase(HISTORY, POSTGRESQL, None, config.storage_url)


def _of_other_files(config: SimulationConfig) -> list[Path]:
    """Return the databases that the files of the configuration name, whichever of them were laid for this one."""
    found = []
    for file in _other_files(config):
        try:
            database = read_yaml(file, file.name).data.get("database")
        except ConfigurationError:
            continue  # a file that cannot be read names no database, and `simulate` says what is wrong
        if isinstance(database, str) and database.strip():
            found.append(config.resolve(Path(database)))
    return found


def _other_files(config: SimulationConfig) -> list[Path]:
    """Return the configuration file, the scenarios beside it, and whatever lies in ``config/``."""
    folder = config.root / "config"
    places = [folder, folder / "scenarios"]
    own = []
    if config.file is not None:
        own = [config.file] if config.file.name != DBT_PROJECT else []
        places.append(config.file.parent / "scenarios")
    files = [file for place in dict.fromkeys(places) for file in sorted(place.glob("*.y*ml"))]
    return list(dict.fromkeys([*own, *files]))
