"""The configuration of a run: what may be said, what it means, and its defaults.

Layers, later ones win: ``config/simulation.yaml``, ``config/scenarios/<name>.yaml``, environment variables
``ORCHESTRATOR_<SECTION>__<KEY>``, overrides (``--set section.key=value``). Every relative path is relative to the
project root, the folder that holds ``config/``, whatever the working folder is.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote, unquote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    PrivateAttr,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from orchestrator.config_errors import configuration_error
from orchestrator.config_layers import Overrides, load_layers, mapping_layer, override_layer
from orchestrator.config_loading import Layer, Origin
from orchestrator.database_names import ANOTHER_NAME, is_a_file, why_unusable
from orchestrator.exceptions import ConfigurationError
from orchestrator.masking import masked

DEFAULT_PATH = Path("config/simulation.yaml")
PATH_VARIABLE = "ORCHESTRATOR_CONFIG"
RESTORE_JOURNAL = "restoring.json"


class HookType(str, Enum):
    """The moments of a run at which hooks are called."""

    PRE_SIMULATION = "pre_simulation"
    POST_SIMULATION = "post_simulation"
    PRE_YEAR = "pre_year"
    POST_YEAR = "post_year"
    PRE_STAGE = "pre_stage"
    POST_STAGE = "post_stage"
    ON_FAILURE = "on_failure"

    @property
    def has_stage(self) -> bool:
        """Tell whether hooks of this type are called for one stage, and so may be filtered by it."""
        return self in {HookType.PRE_STAGE, HookType.POST_STAGE}


def _wrong(message: str, *keys: str | int) -> PydanticCustomError:
    """Make a finding about the key ``keys`` below the place that is being validated."""
    return PydanticCustomError("config_key", "{message}", {"message": message, "keys": keys})


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write a value, or remove the key.")
    return text


def _names_a_file(path: Path) -> Path:
    # Path("") is Path("."): an empty path would silently mean the project root.
    if path == Path():
        raise ValueError("is empty; name a file, or remove the key.")
    if not is_a_file(str(path)):
        raise ValueError(f"is {str(path)!r}, which is no file, and the orchestrator works in files; name one.")
    return path


def _is_identifier(text: str) -> str:
    if not (text.isascii() and text.isidentifier()):
        raise ValueError(f"is {text!r}, but must be a name of letters, digits and underscores.")
    return text


def _is_call(text: str) -> str:
    module, colon, function = text.partition(":")
    if not colon or not all(part.isidentifier() for part in f"{module}.{function}".split(".")):
        raise ValueError(f"is {text!r}, but must be written package.module:function.")
    return text


def _is_url(text: str) -> str:
    if "://" not in text:
        shown = text.rpartition("@")[2] if "@" in text else text  # what is before may be a password
        raise ValueError(f"is {shown!r}, but must be a database URL such as sqlite:///var/orchestrator.db.")
    return text


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _kind_of_tables(value: object) -> str:
    return "list" if isinstance(value, (list, tuple)) else "auto"


Text = Annotated[str, Field(strict=True), AfterValidator(_not_blank)]
Year = Annotated[int, Field(strict=True, ge=1, le=9999)]
Flag = Annotated[bool, Field(strict=True)]
Seconds = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Identifier = Annotated[str, Field(strict=True), AfterValidator(_is_identifier)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SimulationYears(_Section):
    """The years to simulate, and how the dbt project is told of them."""

    start_year: Year = Field(description="First simulated calendar year, such as 2025.")
    end_year: Year = Field(description="Last simulated calendar year, included.")
    year_var: Identifier = Field(
        "simulation_year", description="Name of the dbt var that carries the year being built."
    )
    year_column: Identifier = Field(
        "simulation_year",
        description="Name of the column that holds the year in year-partitioned tables.",
    )
    random_seed: int = Field(
        42,
        strict=True,
        ge=0,
        le=2**63 - 1,
        description="Whole number handed to dbt as the var random_seed; the same number gives the same rows.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_year < self.start_year:
            raise _wrong(
                f"is {self.end_year}, but must be {self.start_year} (start_year) or later.",
                "end_year",
            )
        return self


class DbtSettings(_Section):
    """The dbt project and how dbt connects."""

    project_dir: Path = Field(
        Path("dbt"), description="Folder that holds dbt_project.yml, relative to the project root."
    )
    profiles_dir: Path | None = Field(
        None,
        description="Folder that holds profiles.yml, relative to the project root; by default the dbt project's "
        "folder if it has one, else dbt's own choice (DBT_PROFILES_DIR, then ~/.dbt).",
    )
    target: Text | None = Field(None, description="Output of the profile to use; by default the profile's own.")
    profile: Text | None = Field(None, description="Profile to use; by default the one that dbt_project.yml names.")
    threads: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=1024,
        description="Number of dbt threads (models built at the same time); by default the profile's.",
    )


class SelfHealingSettings(_Section):
    """When and for how long the database is repaired before a run."""

    auto_initialize: Flag = Field(
        default=True,
        description="Whether a run repairs what is missing or broken before its first year.",
    )
    timeout_seconds: Seconds = Field(
        60.0,
        description="Longest time that the whole repair may take, waiting included, in seconds.",
    )
    lock_timeout_seconds: float = Field(
        30.0,
        strict=True,
        ge=0,
        allow_inf_nan=False,
        description="Longest wait for another process that uses the database, in seconds; 0 does not wait.",
    )


class RequiredTableSettings(_Section):
    """A table that must be there before the first year."""

    name: Text = Field(description="Name of the seed, model or source table in the dbt project.")
    tier: Literal["seed", "foundation", "state"] = Field(
        description="What it is: a seed, a foundation (built once), or a state (created empty)."
    )
    selector: Text | None = Field(
        None, description="Name or unique id of the dbt node that builds it; by default its name."
    )
    min_rows: int | None = Field(
        None,
        strict=True,
        ge=0,
        description="Fewest rows it must hold; by default any number of rows.",
    )


class StageSettings(_Section):
    """One dbt command of every year."""

    name: Text = Field(description="Name of the stage, unique, used in output and by hooks.")
    select: Annotated[tuple[Text, ...], BeforeValidator(_as_list), Field(min_length=1)] = Field(
        description="dbt selector, or a list of them of which any may match."
    )
    command: Literal["run", "test", "build", "seed"] = Field("run", description="dbt command of this stage.")
    first_year_only: Flag = Field(default=False, description="Whether the stage runs in the first year only.")
    timeout_seconds: Seconds | None = Field(
        None,
        description="Longest time that the stage may take in one year, in seconds; by default no limit.",
    )


class HookSettings(_Section):
    """A function of the user's that is called at a moment of the run."""

    type: HookType = Field(description="Moment at which the hook is called.")
    call: Annotated[str, Field(strict=True), AfterValidator(_is_call)] = Field(
        description="Function to call, written package.module:function."
    )
    name: Text | None = Field(None, description="Name in output and errors; by default what call says.")
    stage: Text | None = Field(
        None,
        description="Stage to which a pre_stage or post_stage hook is limited; by default every stage.",
    )
    on_error: Literal["abort", "warn"] = Field(
        "abort",
        description="What an error of the hook does: stop the run, or be told while the run goes on.",
    )


class ExecutionSettings(_Section):
    """How stages are run."""

    replay: Literal["auto", "off"] = Field(
        "auto",
        description="Whether a stage is replayed in later years where that is proven to give the same: auto or off.",
    )


class StorageSettings(_Section):
    """Where the history of runs is kept."""

    enabled: Flag = Field(default=True, description="Keep a history of runs; false keeps only their JSON lines.")
    url: Annotated[str, Field(strict=True), AfterValidator(_is_url)] = Field(
        "sqlite:///var/orchestrator.db",
        description="SQLAlchemy URL of the run history; a relative SQLite path is relative to the project root.",
    )


class BackupSettings(_Section):
    """When backups are made without being asked for; each is of one database, in var/backups."""

    before_heal: Flag = Field(
        default=False, description="Back the database up before healing replaces a table that is there."
    )
    after_run: Flag = Field(default=False, description="Back the database up after every completed simulation.")
    keep: int = Field(5, strict=True, ge=1, description="How many backups stay when one is made by itself.")


RequiredTables = Annotated[
    Annotated[Literal["auto"], Tag("auto")] | Annotated[tuple[RequiredTableSettings, ...], Tag("list")],
    Discriminator(_kind_of_tables),
]


class SimulationConfig(_Section):
    """Everything a run is told, checked and frozen."""

    simulation: SimulationYears | None = Field(
        None, description="Years to simulate; left out for a dbt project that is not a simulation."
    )
    scenario: Text = Field("baseline", description="Name of the scenario, the file config/scenarios/<name>.yaml.")
    description: str | None = Field(None, strict=True, description="One sentence about the scenario, for people.")
    database: Annotated[Path, AfterValidator(_names_a_file)] | None = Field(
        None,
        description="Database file, relative to the project root; by default what the dbt profile says.",
    )
    dbt: DbtSettings = Field(default_factory=DbtSettings, description="The dbt project and its profile.")
    vars: dict[str, JsonValue] = Field(default_factory=dict, description="dbt vars, handed to every dbt command.")
    self_healing: SelfHealingSettings = Field(
        default_factory=SelfHealingSettings, description="Repair of the database before a run."
    )
    required_tables: RequiredTables = Field(
        "auto",
        description="Tables that must be there before the first year; auto asks the dbt project.",
    )
    stages: tuple[StageSettings, ...] = Field(
        (), description="dbt commands of every year, in order; needed for a simulation."
    )
    execution: ExecutionSettings = Field(default_factory=ExecutionSettings, description="How stages are run.")
    hooks: tuple[HookSettings, ...] = Field((), description="Functions to call during a run, in order.")
    storage: StorageSettings = Field(default_factory=StorageSettings, description="History of runs.")
    backup: BackupSettings = Field(default_factory=BackupSettings, description="Backups that are made by themselves.")
    publish: Annotated[Path, AfterValidator(_names_a_file)] | None = Field(
        None,
        description="File that gets a copy of the database after every completed simulation, replaced in one move, "
        "so that others can read while the next run writes; relative to the project root.",
    )

    _root: Path = PrivateAttr(default_factory=Path.cwd)
    _layer: Layer = PrivateAttr(default_factory=Layer)

    @classmethod
    def load(
        cls,
        path: Path | str | None = None,
        *,
        scenario: str | None = None,
        overrides: Overrides | None = None,
        environ: Mapping[str, str] | None = None,
        database: Path | str | None = None,
    ) -> SimulationConfig:
        """Read the configuration file and lay scenario, environment and overrides over it.

        ``path`` is by default what ``ORCHESTRATOR_CONFIG`` names, else ``config/simulation.yaml`` under the working
        folder; ``environ`` is by default the process's own. ``database`` wins over every layer.

        Raises:
            ConfigurationError: a layer cannot be read, or any key or value is wrong; it names all of them.
        """
        environ = os.environ if environ is None else environ
        file = Path(path if path is not None else environ.get(PATH_VARIABLE) or DEFAULT_PATH).expanduser()
        file = file.absolute()
        root = project_root(file)
        layer = load_layers(file, root, cls, scenario=scenario, overrides=overrides, environ=environ)
        if database is not None:
            layer.put(["database"], str(database), Origin("--database", "override"))
        return cls._checked(layer, root)

    @classmethod
    def from_mapping(
        cls, data: Mapping[str, object], *, root: Path | str, overrides: Overrides | None = None
    ) -> SimulationConfig:
        """Make a configuration of a mapping; neither files nor environment are read.

        Raises:
            ConfigurationError: any key or value is wrong; it names all of them.
        """
        layer = mapping_layer(data)
        layer.merge(override_layer(overrides, cls))
        return cls._checked(layer, Path(root).absolute())

    def with_overrides(
        self, overrides: Overrides | None = None, *, database: Path | str | None = None
    ) -> SimulationConfig:
        """Return this configuration with some keys set anew.

        Raises:
            ConfigurationError: any key or value is wrong; it names all of them.
        """
        layer = mapping_layer(self.model_dump(exclude_unset=True))
        layer.origins.update(self._layer.origins)
        layer.merge(override_layer(overrides, type(self)))
        if database is not None:
            layer.put(["database"], str(database), Origin("database", "override"))
        return self._checked(layer, self._root)

    @classmethod
    def _checked(cls, layer: Layer, root: Path) -> SimulationConfig:
        try:
            config = cls.model_validate(layer.data)
        except ValidationError as error:
            raise configuration_error(error, cls, layer) from None
        config._root = root
        config._layer = layer
        config._require_usable_database()
        return config

    def _require_usable_database(self) -> None:
        reason = None if self.database_path is None else why_unusable(self.database_path)
        if reason is not None:
            raise ConfigurationError(
                f"{self.origin_of('database')}: database is {str(self.database)!r}, and {reason}.",
                to_fix=ANOTHER_NAME,
            )

    @field_validator("vars")
    @classmethod
    def _finite(cls, variables: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name, value in variables.items():
            if not name.strip():
                raise ValueError("holds an empty name.")
            if isinstance(value, float) and not math.isfinite(value):
                raise _wrong(f"is {value}, which JSON, and so dbt, cannot carry.", name)
        return variables

    @field_validator("stages")
    @classmethod
    def _unique_stages(cls, stages: tuple[StageSettings, ...]) -> tuple[StageSettings, ...]:
        names = [stage.name for stage in stages]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise _wrong(f"is {name!r} again; every stage needs a name of its own.", index, "name")
        return stages

    @field_validator("required_tables")
    @classmethod
    def _unique_tables(cls, tables: RequiredTables) -> RequiredTables:
        names = [] if tables == "auto" else [table.name for table in tables]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise _wrong(f"is {name!r} again; a table is listed once.", index, "name")
        return tables

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        if self.simulation is not None:
            if not self.stages:
                raise _wrong(
                    "is empty, but a simulation needs stages: a list of {name, select}, run in order every year.",
                    "stages",
                )
            year_var = self.simulation.year_var
            if year_var in self.vars:
                raise _wrong(
                    "is set by the orchestrator for every year (simulation.year_var); remove it.",
                    "vars",
                    year_var,
                )
        elif self.stages:
            raise _wrong(
                "are given, but there is no section simulation with start_year and end_year to run them in.",
                "stages",
            )
        names = [stage.name for stage in self.stages]
        for index, hook in enumerate(self.hooks):
            if hook.stage is None:
                continue
            if not hook.type.has_stage:
                raise _wrong(
                    f"is {hook.stage!r}, but a {hook.type.value} hook belongs to no stage; only pre_stage and "
                    "post_stage hooks do.",
                    "hooks",
                    index,
                    "stage",
                )
            if hook.stage not in names:
                raise _wrong(
                    f"is {hook.stage!r}, but the stages are {', '.join(names) or 'not given'}.",
                    "hooks",
                    index,
                    "stage",
                )
        return self

    @property
    def root(self) -> Path:
        """The project root, absolute: what relative paths are relative to."""
        return self._root

    @property
    def database_path(self) -> Path | None:
        """The database file, absolute; None leaves it to the dbt profile."""
        return None if self.database is None else self.resolve(self.database)

    @property
    def project_dir(self) -> Path:
        """The folder of the dbt project, absolute."""
        return self.resolve(self.dbt.project_dir)

    @property
    def profiles_dir(self) -> Path | None:
        """The folder of profiles.yml, absolute; None leaves it to dbt."""
        if self.dbt.profiles_dir is not None:
            return self.resolve(self.dbt.profiles_dir)
        beside = self.project_dir / "profiles.yml"
        # dbt itself lets the variable win over a profiles.yml in the project.
        return self.project_dir if beside.is_file() and not os.environ.get("DBT_PROFILES_DIR") else None

    @property
    def storage_url(self) -> str:
        """The URL of the run history, a SQLite path made absolute."""
        scheme, slashes, path = self.storage.url.partition(":///")
        if not scheme.startswith("sqlite") or not slashes or path in {"", ":memory:"} or path.startswith("file:"):
            return self.storage.url
        path, question, query = path.partition("?")
        return f"{scheme}:///{quote(str(self.resolve(Path(unquote(path)))))}{question}{query}"

    def snapshot(self) -> dict[str, object]:
        """Return every setting as plain values, with the project root and without the password of the run history."""
        found: dict[str, object] = {"root": str(self.root), **self.model_dump(mode="json")}
        storage = self.storage.model_dump(mode="json")
        return {**found, "storage": {**storage, "url": masked(self.storage.url)}}

    def resolve(self, path: Path) -> Path:
        """Make a path absolute against the project root."""
        return Path(os.path.normpath(self._root / path.expanduser()))

    def origin_of(self, *keys: str | int) -> str:
        """Say where a key was set, such as ``config/simulation.yaml, line 3``, for messages."""
        origin = self._layer.origin_of(keys)
        return "the configuration" if origin is None else origin.label

    def years(self, start: int | None = None, end: int | None = None) -> tuple[int, ...]:
        """Return the years from ``start`` to ``end``, both included and by default the configured ones.

        Raises:
            ConfigurationError: there is no simulation, or the range is empty, begins too early or is not of numbers.
        """
        if self.simulation is None:
            raise ConfigurationError(
                "This configuration has no section simulation, so there are no years to run.",
                to_fix="add simulation: {start_year: 2025, end_year: 2029} and stages.",
            )
        for year in (start, end):
            if year is not None and type(year) is not int:
                raise ConfigurationError(
                    f"The year {year!r} is no whole number.", to_fix="give years as numbers, such as 2025"
                )
        first = self.simulation.start_year if start is None else start
        last = max(self.simulation.end_year, first) if end is None else end
        if first < self.simulation.start_year:
            raise ConfigurationError(
                f"{_said(first, last)} before {self.simulation.start_year}, the first year of the "
                f"simulation ({self.origin_of('simulation', 'start_year')}).",
                to_fix=f"begin with {self.simulation.start_year}, or lower simulation.start_year.",
            )
        if last < first:
            raise ConfigurationError(
                f"The years {first}-{last} are no range: the last is before the first.",
                to_fix=f"write {last}-{first}, or other years.",
            )
        return tuple(range(first, last + 1))

    def dbt_vars(self, year: int | None = None) -> dict[str, object]:
        """Return the vars of one dbt command: the user's, the year, ``start_year`` and ``random_seed``.

        Without ``year`` the first year is named; where there is no simulation, only the user's vars are handed on.
        The user's own ``start_year`` and ``random_seed`` win.
        """
        if self.simulation is None:
            return dict(self.vars)
        return {
            "start_year": self.simulation.start_year,
            "random_seed": self.simulation.random_seed,
            **self.vars,
            self.simulation.year_var: self.simulation.start_year if year is None else year,
        }


def project_root(file: Path) -> Path:
    """Return the folder that holds ``config/``, or the file's own folder where it lies elsewhere."""
    return file.parent.parent if file.parent.name == "config" else file.parent


def backups_dir(root: Path) -> Path:
    """Return the folder of a project's backups."""
    return root / "var" / "backups"


def restore_begun(root: Path) -> bool:
    """Tell whether a restore or a migration of a project goes on, or was killed."""
    return (backups_dir(root) / RESTORE_JOURNAL).exists()


def _said(first: int, last: int) -> str:
    return f"The year {first} is" if first == last else f"The years {first}-{last} begin"
