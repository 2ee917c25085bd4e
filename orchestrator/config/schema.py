"""The sections of the configuration: what may be said in each, its units and its defaults."""

from __future__ import annotations

import warnings
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from orchestrator.database.file_names import is_a_file


class HookType(str, Enum):
    """The moments of a run at which hooks are called."""

    PRE_INITIALIZATION = "pre_initialization"
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


def finding_at(message: str, *keys: str | int) -> PydanticCustomError:
    """Make a finding about the key ``keys`` below the place that is being validated."""
    return PydanticCustomError("config_key", "{message}", {"message": message, "keys": keys})


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write a value, or remove the key.")
    return text


def names_a_file(path: Path) -> Path:
    """Return a path that names a file; raise ValueError for one that is empty, or that DuckDB takes for no file."""
    # Path("") is Path("."): an empty path would silently mean the project root.
    if path == Path():
        raise ValueError("is empty; name a file, or remove the key.")
    if not is_a_file(str(path)):
        raise ValueError(f"is {str(path)!r}, which is not a file; the orchestrator needs a database file, so name one.")
    return path


def _is_identifier(text: str) -> str:
    if not (text.isascii() and text.isidentifier()):
        raise ValueError(f"is {text!r}, but must be a name of letters, digits and underscores.")
    return text


def is_call(text: str) -> str:
    """Return a text that names a function as package.module:function; raise ValueError for another one."""
    module, colon, function = text.partition(":")
    if not colon or not all(part.isidentifier() for part in f"{module}.{function}".split(".")):
        raise ValueError(f"is {text!r}, but must be written package.module:function.")
    return text


def _is_url(text: str) -> str:
    if "://" not in text:
        shown = text.rpartition("@")[2] if "@" in text else text  # what is before may be a password
        raise ValueError(f"is {shown!r}, but must be a database URL such as sqlite:///var/orchestrator.db.")
    return text


def texts_as_list(value: object) -> object:
    """Take one text for a list of it."""
    return [value] if isinstance(value, str) else value


Text = Annotated[str, Field(strict=True), AfterValidator(_not_blank)]
Year = Annotated[int, Field(strict=True, ge=1, le=9999, json_schema_extra={"unit": "calendar year"})]
Flag = Annotated[bool, Field(strict=True)]
Seconds = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False, json_schema_extra={"unit": "seconds"})]
Identifier = Annotated[
    str,
    Field(strict=True, json_schema_extra={"form": "name of letters, digits and underscores"}),
    AfterValidator(_is_identifier),
]


class Section(BaseModel):
    """A frozen section that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SimulationYears(Section):
    """The years to simulate, and how the dbt project is told of them."""

    start_year: Year = Field(description="First simulated calendar year, such as 2025.", examples=[2025])
    end_year: Year = Field(description="Last simulated calendar year, included.", examples=[2029])
    year_var: Identifier = Field(
        "simulation_year",
        description="Name of the dbt var that carries the year being built.",
        examples=["simulation_year"],
    )
    year_column: Identifier = Field(
        "simulation_year",
        description="Name of the column that holds the year in year-partitioned tables.",
        examples=["simulation_year"],
    )
    random_seed: int = Field(
        42,
        strict=True,
        ge=0,
        le=2**63 - 1,
        description="Whole number handed to dbt as the var random_seed; the same number gives the same rows.",
        examples=[7],
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_year < self.start_year:
            raise finding_at(
                f"is {self.end_year}, but must be {self.start_year} (start_year) or later.",
                "end_year",
            )
        return self


class DbtSettings(Section):
    """The dbt project and how dbt connects."""

    project_dir: Path = Field(
        Path("dbt"),
        description="Folder that holds dbt_project.yml, relative to the project root.",
        examples=["."],
    )
    profiles_dir: Path | None = Field(
        None,
        description="Folder that holds profiles.yml, relative to the project root; by default the dbt project's "
        "folder if it has one, else dbt's own choice (DBT_PROFILES_DIR, then ~/.dbt).",
        examples=["dbt"],
    )
    target: Text | None = Field(
        None, description="Output of the profile to use; by default the profile's own.", examples=["dev"]
    )
    profile: Text | None = Field(
        None, description="Profile to use; by default the one that dbt_project.yml names.", examples=["warehouse"]
    )
    threads: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=1024,
        description="Number of dbt threads (models built at the same time); by default the profile's.",
        examples=[4],
        json_schema_extra={"unit": "threads"},
    )


class StageSettings(Section):
    """One dbt command of every year."""

    name: Text = Field(description="Name of the stage, unique, used in output and by hooks.", examples=["events"])
    select: Annotated[tuple[Text, ...], BeforeValidator(texts_as_list), Field(min_length=1)] = Field(
        description="dbt selector, or a list of them of which any may match.",
        examples=["tag:EVENTS"],
        json_schema_extra={"form": "text, or a list of at least one text"},
    )
    command: Literal["run", "test", "build", "seed"] = Field(
        "run", description="dbt command of this stage.", examples=["test"]
    )
    first_year_only: Flag = Field(
        default=False,
        description="Whether the stage runs in simulation.start_year only, and is left out of all later years, "
        "whatever year a run begins at.",
        examples=[True],
    )
    later_years_only: Flag = Field(
        default=False,
        description="Whether the stage is left out of simulation.start_year, and runs in every later year, whatever "
        "year a run begins at.",
        examples=[True],
    )
    timeout_seconds: Seconds | None = Field(
        None,
        description="Longest time that the stage may take in one year, in seconds; by default no limit.",
        examples=[600],
    )

    @model_validator(mode="after")
    def _in_some_year(self) -> Self:
        if self.first_year_only and self.later_years_only:
            raise finding_at("is true, and so is first_year_only: the stage would run in no year.", "later_years_only")
        return self


class HookSettings(Section):
    """A function of the user's that is called at a moment of the run."""

    type: HookType = Field(description="Moment at which the hook is called.", examples=["post_year"])
    call: Annotated[str, Field(strict=True), AfterValidator(is_call)] = Field(
        description="Function to call, written package.module:function.", examples=["my_package.checks:look"]
    )
    name: Text | None = Field(
        None, description="Name in output and errors; by default what call says.", examples=["look at the year"]
    )
    stage: Text | None = Field(
        None,
        description="Stage to which a pre_stage or post_stage hook is limited; by default every stage.",
        examples=["events"],
        json_schema_extra={"beside": {"type": "post_stage"}},
    )
    on_error: Literal["abort", "warn"] = Field(
        "abort",
        description="Whether an error of the hook stops the run (abort) or is only reported (warn); on_failure hooks "
        "always warn.",
        examples=["warn"],
    )


class ExecutionSettings(Section):
    """The way stages are run."""

    replay: Literal["auto", "off"] = Field(
        "auto",
        description="Whether a stage is replayed in later years where that is proven to give the same result: auto or "
        "off.",
        examples=["off"],
    )


class StorageSettings(Section):
    """The place of the history of runs."""

    enabled: Flag = Field(
        default=True, description="Keep a history of runs; false keeps only their JSON lines.", examples=[False]
    )
    url: Annotated[str, Field(strict=True), AfterValidator(_is_url)] = Field(
        "sqlite:///var/orchestrator.db",
        description="URL of the run history, a SQLite or PostgreSQL database; a relative SQLite path is relative to "
        "the project root.",
        examples=["postgresql://me@db.example.org/history"],
    )


with warnings.catch_warnings():
    warnings.simplefilter(
        "ignore", UserWarning
    )  # pydantic keeps `schema` as the old name of a method that nobody calls

    class LedgerSettings(Section):
        """The ledger: the simulated database's own record of what is done."""

        schema: Text = Field(  # type: ignore[assignment]  # as above
            "orchestrator",
            description="Schema of the simulated database in which the ledger lies; nothing else may be in it.",
            examples=["simulation_ledger"],
        )


class BackupSettings(Section):
    """Backups that are made without being asked for; each is of one database, in var/backups."""

    before_heal: Flag = Field(
        default=False,
        description="Back the database up before healing replaces a table that is there.",
        examples=[True],
    )
    after_run: Flag = Field(
        default=False, description="Back the database up after every completed simulation.", examples=[True]
    )
    keep: int = Field(
        5,
        strict=True,
        ge=1,
        description="How many backups to keep after an automatic backup; older ones are removed.",
        examples=[10],
        json_schema_extra={"unit": "backups"},
    )
