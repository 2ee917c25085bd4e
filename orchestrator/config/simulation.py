"""The configuration of a run: what may be said, what it means, and its defaults.

Layers, later ones win: ``config/simulation.yaml``, ``config/scenarios/<name>.yaml``, environment variables
``ORCHESTRATOR_<SECTION>__<KEY>``, overrides (``--set section.key=value``). Every relative path is relative to the
project root, the folder that holds ``config/``, whatever the working folder is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote, unquote

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from orchestrator.config.consistency import (
    database_trouble,
    require_json_values,
    require_stages_of_hooks,
    require_unique_names,
    require_use_of_foundation,
    require_years_and_stages,
)
from orchestrator.config.errors import configuration_error
from orchestrator.config.finding import find_configuration
from orchestrator.config.healing import RequiredTables, SelfHealingSettings
from orchestrator.config.layers import Overrides, load_layers, mapping_layer, override_layer, require_fork
from orchestrator.config.listeners import ListenerSettings, listener_secrets
from orchestrator.config.origins import KeyPath, Layer, Origin, dotted
from orchestrator.config.parameters import ParameterSettings, require_values_fit, secret_names
from orchestrator.config.paths import project_root
from orchestrator.config.schema import (
    BackupSettings,
    DbtSettings,
    ExecutionSettings,
    HookSettings,
    Identifier,
    LedgerSettings,
    Section,
    SimulationYears,
    StageSettings,
    StorageSettings,
    Text,
    names_a_file,
)
from orchestrator.config.sweeps import SweepSettings
from orchestrator.config.years import no_years, requested_years
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.masking import masked_values, remember_secret_names, remember_secrets, remember_values
from orchestrator.core.permissions import decide


class SimulationConfig(Section):
    """The whole configuration of a run, checked and frozen."""

    simulation: SimulationYears | None = Field(
        None, description="Years to simulate; left out for a dbt project that is not a simulation."
    )
    scenario: Text = Field(
        "baseline",
        description="Name of the scenario, the file scenarios/NAME.yaml beside the configuration file.",
        examples=["baseline"],
    )
    description: str | None = Field(
        None,
        strict=True,
        description="One sentence about the scenario, for people.",
        examples=["Twice the usual growth"],
    )
    database: Annotated[Path, AfterValidator(names_a_file)] | None = Field(
        None,
        description="Database file, relative to the project root; by default what the dbt profile says.",
        examples=["var/simulation.duckdb"],
    )
    dbt: DbtSettings = Field(default_factory=DbtSettings, description="The dbt project and its profile.")
    vars: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="dbt vars by name, handed to every dbt command; values are anything that JSON can say.",
        examples=[{"target_growth_rate": 0.03}],
    )
    parameters: dict[Identifier, ParameterSettings] = Field(
        default_factory=dict,
        description="dbt vars that people may vary, by name: their type, range, unit and meaning.",
    )
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
    listeners: ListenerSettings = Field(
        default_factory=ListenerSettings, description="Programs and people whom runs tell of themselves."
    )
    storage: StorageSettings = Field(default_factory=StorageSettings, description="History of runs.")
    ledger: LedgerSettings = Field(default_factory=LedgerSettings, description="Where the ledger lies.")
    backup: BackupSettings = Field(default_factory=BackupSettings, description="Automatic backups.")
    sweep: SweepSettings = Field(
        default_factory=SweepSettings, description="What `orchestrator sweep run` varies where its options do not say."
    )
    permissions: Literal["private", "umask"] = Field(
        "private",
        description="Who may read what we make below var/, and the history: the owner (private), or as the umask says.",
        examples=["umask"],
    )
    publish: Annotated[Path, AfterValidator(names_a_file)] | None = Field(
        None,
        description="File that gets a copy of the database after every completed simulation, replaced in one move, "
        "so that others can read while the next run writes; relative to the project root.",
        examples=["var/published.duckdb"],
    )

    _root: Path = PrivateAttr(default_factory=Path.cwd)
    _file: Path | None = PrivateAttr(None)
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
        fork: str | None = None,
    ) -> SimulationConfig:
        """Read the configuration file and lay scenario, environment and overrides over it.

        Where ``path`` is None, the file is found as :func:`~orchestrator.config.finding.find_configuration` says;
        ``environ`` is by default the process's own. ``database`` wins over every layer. ``fork`` gives the scenario
        another name, and a database of that name.

        Raises:
            ConfigurationError: a layer cannot be read, or any key or value is wrong; it names all of them.
        """
        environ = os.environ if environ is None else environ
        file = find_configuration(path, environ)
        root = project_root(file)
        layer = load_layers(file, root, cls, scenario=scenario, overrides=overrides, environ=environ)
        if fork is not None:
            own = layer.data.get("database")
            require_fork(fork, file, database, Path(own) if isinstance(own, str) else None)
            layer.put(["scenario"], fork, Origin("--as", "override"))
            layer.put(["database"], f"var/{fork}.duckdb", Origin("--as", "override"))
        if database is not None:
            layer.put(["database"], str(database), Origin("--database", "override"))
        return cls._checked(layer, root, file)

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
        return self._checked(layer, self._root, self._file)

    @classmethod
    def _checked(cls, layer: Layer, root: Path, file: Path | None = None) -> SimulationConfig:
        remember_secret_names(secret_names(layer.data))
        remember_secrets(layer.data)
        remember_values(listener_secrets(layer.data))
        try:
            config = cls.model_validate(layer.data)
        except ValidationError as error:
            raise configuration_error(error, cls, layer) from None
        config._root, config._file = root, file
        config._layer = layer
        config._require_usable_database()
        decide(config._own_places(), by_umask=config.permissions == "umask")
        return config

    def _require_usable_database(self) -> None:
        trouble = None if self.database_path is None else database_trouble(self.database_path, self._history_file())
        if trouble is not None:
            raise ConfigurationError(
                f"{self.origin_of('database')}: database is {str(self.database)!r}, and {trouble[0]}.",
                to_fix=trouble[1],
            )

    @field_validator("vars")
    @classmethod
    def _json_values(cls, variables: dict[str, JsonValue]) -> dict[str, JsonValue]:
        require_json_values(variables)
        return variables

    @field_validator("stages")
    @classmethod
    def _unique_stages(cls, stages: tuple[StageSettings, ...]) -> tuple[StageSettings, ...]:
        require_unique_names([stage.name for stage in stages], "every stage needs a name of its own.")
        return stages

    @field_validator("required_tables")
    @classmethod
    def _unique_tables(cls, tables: RequiredTables) -> RequiredTables:
        require_unique_names([] if tables == "auto" else [table.name for table in tables], "a table is listed once.")
        return tables

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        require_years_and_stages(self.simulation, self.stages, self.vars)
        require_use_of_foundation(self.self_healing.foundation, self.simulation, self.required_tables)
        require_stages_of_hooks(self.hooks, self.stages)
        require_values_fit(self.parameters, self.vars)
        return self

    @property
    def root(self) -> Path:
        """The project root, absolute: what relative paths are relative to."""
        return self._root

    @property
    def file(self) -> Path | None:
        """The configuration file, absolute; None where a program handed a mapping over."""
        return self._file

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

    def _own_places(self) -> list[Path]:
        """Return the project root, and the folder of a run history that is a file elsewhere."""
        history = self._history_file()
        return [self.root] if history is None else [self.root, history.parent]

    def _history_file(self) -> Path | None:
        """Return the file of the run history, None where that is no file."""
        found = re.match(r"sqlite[^:]*:///(/[^?]*)", self.storage_url)
        return Path(unquote(found[1])) if found else None

    def snapshot(self) -> dict[str, object]:
        """Return every setting as plain values, with the project root and without secrets."""
        settings = {"root": str(self.root), **self.model_dump(mode="json"), "overrides": self.overrides()}
        found = masked_values(settings)
        assert isinstance(found, dict)
        return found

    def overrides(self) -> dict[str, object]:
        """Return the variables and keys of ``simulation`` that neither file nor scenario sets, by dotted key."""
        given = [path for path, origin in self._layer.origins.items() if origin.kind != "file" and len(path) > 1]
        leaves = [path for path in given if path[0] in ("vars", "simulation")]
        plain = self.model_dump(mode="json")
        return {dotted(path): _value_at(plain, path) for path in sorted(leaves, key=str)}

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
            raise no_years(self.file)
        return requested_years(self.simulation, start, end, self.origin_of("simulation", "start_year"))

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


def _value_at(data: object, path: KeyPath) -> object:
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data
