"""Settings of a dbt process, and the messages between it and its parent."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.core.events import Event

Vars = dict[str, object]
LEDGER_SCHEMA = "orchestrator"


@dataclass(frozen=True)
class DbtSettings:
    """One dbt project as the orchestrator uses it; all paths absolute.

    ``profiles_dir`` None means where dbt looks by itself. ``database`` is the file that the configuration names, links
    followed (dbt goes by its name, and DuckDB by that of the file itself), None to take what the profile says. ``vars``
    are those of the parse; ``year_vars`` those that change between commands, and ``later_years`` the values that they
    have in later years. ``cache_dir`` is a folder of our own for parse results; ``cwd`` is what relative paths of the
    profile and of vars are relative to. ``ledger_schema`` is the schema in which the ledger lies. ``by_umask`` leaves
    it to the umask who may read what is kept in ``cache_dir``.
    ``foundation`` is the selection of what stands before the first year, empty where the project says it by its tags.
    """

    project_dir: Path
    profiles_dir: Path | None
    cwd: Path
    cache_dir: Path
    profile: str | None = None
    target: str | None = None
    threads: int | None = None
    database: Path | None = None
    vars: Vars = field(default_factory=dict)
    year_vars: frozenset[str] = frozenset()
    later_years: tuple[Vars, ...] = ()
    ledger_schema: str = LEDGER_SCHEMA
    by_umask: bool = False
    foundation: tuple[str, ...] = ()

    def effective_profiles_dir(self) -> Path:
        """Return the folder whose ``profiles.yml`` is used: as set, as DBT_PROFILES_DIR says, the project, ~/.dbt."""
        if self.profiles_dir is not None:
            return self.profiles_dir
        if os.environ.get("DBT_PROFILES_DIR"):
            return self.cwd / Path(os.environ["DBT_PROFILES_DIR"]).expanduser()
        own = self.project_dir / "profiles.yml"
        return self.project_dir if own.is_file() else Path.home() / ".dbt"


@dataclass(frozen=True)
class Load:
    """Ask the dbt process to parse, in this environment; the answer is a ``Loaded``."""

    settings: DbtSettings
    environment: dict[str, str]


@dataclass(frozen=True)
class Invoke:
    """Ask for one dbt command; the answer is a ``DbtResult``.

    Either ``nodes`` (exact unique ids) or ``select`` (dbt's own syntax; empty selects everything). ``replay`` allows
    to send again what dbt sent for another year, where that is proven to be the same; ``next_vars`` are those with
    which the same is to be asked for next, None when nothing is known of that.
    """

    command: str
    select: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    vars: Vars = field(default_factory=dict)
    full_refresh: bool = False
    replay: bool = False
    next_vars: Vars | None = None


@dataclass(frozen=True)
class Select:
    """Ask which nodes a command would touch; the answer is a tuple of unique ids."""

    command: str
    select: tuple[str, ...]
    vars: Vars = field(default_factory=dict)


@dataclass(frozen=True)
class Query:
    """Ask for all rows of a query; the answer is a list of tuples."""

    sql: str


@dataclass(frozen=True)
class Execute:
    """Ask to run statements in one transaction; the answer is their affected rows (-1: not reported)."""

    statements: tuple[str, ...]


@dataclass(frozen=True)
class ReadCatalog:
    """Ask for a ``Catalog`` of the schemas that the project uses."""


@dataclass(frozen=True)
class CreateEmpty:
    """Ask to create a model's table empty, typed from its contract."""

    unique_id: str


@dataclass(frozen=True)
class Study:
    """Ask which variables the project's templates read, and what for; the answer is a ``ProjectStudy``."""


@dataclass(frozen=True)
class Release:
    """Ask to close the database; the next request opens it again."""


Request = Load | Invoke | Select | Query | Execute | ReadCatalog | CreateEmpty | Study | Release


@dataclass(frozen=True)
class Answer:
    """The end of a request: a value, or the error that it raised."""

    value: object = None
    error: BaseException | None = None


Message = Event | Answer
