"""Years × stages as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from orchestrator.config.schema import HookType
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import nearest, shown_years
from orchestrator.dbt_runner.project.input_kinds import HOOK
from orchestrator.self_healing.hook_tables import checksum_of_module
from orchestrator.self_healing.initialization_state import InitializationResult
from orchestrator.self_healing.left_out import LeftOut


@dataclass(frozen=True)
class Stage:
    """One dbt command of every year; ``select`` is dbt's syntax, ``timeout_seconds`` None never ends it."""

    name: str
    select: tuple[str, ...]
    command: str = "run"
    first_year_only: bool = False
    later_years_only: bool = False
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class ResumePoint:
    """The stage of a year at which a run went on."""

    year: int
    stage: str


@dataclass(frozen=True)
class SimulationPlan:
    """Plan of a run: ``years`` in order, in each the ``stages`` in order.

    ``first_year`` is the first year of the whole simulation, which a later range need not contain. From ``again`` on
    everything is run again, finished or not. ``functions`` are (what, checksum of its module) of the functions that the
    configuration has called before the years and during them.
    """

    years: tuple[int, ...]
    stages: tuple[Stage, ...]
    first_year: int
    again: ResumePoint | None = None
    functions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, config: SimulationConfig, start_year: int | None = None, end_year: int | None = None) -> SimulationPlan:
        """Make the plan of a configuration for a range of years, by default all of its own.

        Raises:
            ConfigurationError: there is no simulation in it, or the range is not within reach.
        """
        years = config.years(start_year, end_year)
        assert config.simulation is not None
        stages = tuple(
            Stage(s.name, s.select, s.command, s.first_year_only, s.later_years_only, s.timeout_seconds)
            for s in config.stages
        )
        return cls(years, stages, config.simulation.start_year, functions=_functions(config))

    def run_again(self, year: int | None, stage: str | None) -> SimulationPlan:
        """Return the plan that runs again from a stage of a year on: by default its first stage, of the first year.

        Raises:
            ConfigurationError: the year is not of the plan, or has no such stage.
        """
        if year is None and stage is None:
            return self
        year = self.years[0] if year is None else year
        if year not in self.years:
            raise ConfigurationError(
                f"Year {year}, from which to run again, is not among the years {shown_years(self.years)}.",
                to_fix=f"name a year of the range, such as {self.years[-1]}, or give another range",
            )
        names = [one.name for one in self.stages_of(year)]
        if stage is not None and stage not in names:
            guess = nearest(stage, names)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise ConfigurationError(
                f"Year {year} has no stage {stage!r}.{hint}", to_fix=f"name one of its stages: {', '.join(names)}"
            )
        return replace(self, again=ResumePoint(year, stage or names[0]))

    def before_again(self, year: int, stage: str) -> bool:
        """Tell whether a stage of a year, where it is finished, may be kept."""
        if self.again is None or year != self.again.year:
            return self.again is None or year < self.again.year
        names = [one.name for one in self.stages_of(year)]
        return stage in names and names.index(stage) < names.index(self.again.stage)

    def from_first_year(self) -> SimulationPlan:
        """Return the plan of the same last year that begins with the first year of the simulation."""
        return replace(self, years=tuple(range(self.first_year, self.years[-1] + 1)))

    def stages_of(self, year: int) -> tuple[Stage, ...]:
        """Return the stages of one year."""
        first = year == self.first_year
        return tuple(s for s in self.stages if not (s.later_years_only if first else s.first_year_only))

    def __iter__(self) -> Iterator[tuple[int, Stage]]:
        return ((year, stage) for year in self.years for stage in self.stages_of(year))


def _functions(config: SimulationConfig) -> tuple[tuple[str, str], ...]:
    """Return the functions that may change what the years hold; those that follow the last year cannot."""
    return tuple(
        (
            f"{HOOK} {hook.call} at {hook.type.value}{f' of {hook.stage}' if hook.stage else ''}",
            checksum_of_module(hook.call, config.root),
        )
        for hook in config.hooks
        if hook.type not in (HookType.POST_SIMULATION, HookType.ON_FAILURE)
    )


@dataclass(frozen=True)
class TestWarning:
    """A test of severity warn that found ``rows`` rows; ``query`` is the file with the SQL that shows them."""

    __test__ = False

    name: str
    rows: int
    query: str | None


@dataclass(frozen=True)
class StageResult:
    """A finished stage of ``nodes`` nodes; ``replayed`` tells that none of them needed dbt again.

    ``not_replayed`` says why one did, where that is known; ``warnings`` are the tests that found rows and stop nothing.
    """

    name: str
    seconds: float
    nodes: int
    replayed: bool = False
    not_replayed: str | None = None
    warnings: tuple[TestWarning, ...] = ()


@dataclass(frozen=True)
class YearResult:
    """A finished year."""

    year: int
    seconds: float
    stages: tuple[StageResult, ...]

    @property
    def replayed(self) -> bool:
        """Tell whether all of its stages were replayed."""
        return all(stage.replayed for stage in self.stages)


@dataclass(frozen=True)
class SummaryColumn:
    """A column of the closing table; ``format`` is integer, money, percent or text."""

    name: str
    label: str
    format: str


@dataclass(frozen=True)
class Summary:
    """The closing table: one row a year, values in the order of ``columns``."""

    columns: tuple[SummaryColumn, ...]
    rows: tuple[tuple[object, ...], ...]


@dataclass(frozen=True)
class SimulationResult:
    """Result of a run; ``seconds`` is its whole duration, ``database`` the file or None for a server.

    ``initialization`` is None where self-healing was off; ``summary`` is None where the dbt project has no model
    with ``meta.summary``. ``left_out`` are the nodes that healing and checks do not look at. ``nothing_to_do`` tells
    that the range was finished and unchanged, so that no year was run. ``not_compared`` is what may change rows and is
    not compared, such as rows of a source that others load. ``changed_files`` were written while stages read
    them: nobody knows which rows are of which state. ``edited_files`` are others of the project that changed while the
    run went on: its results are of what they were when it began.
    """

    run_id: str
    status: str
    scenario: str
    fingerprint: str
    database: str | None
    seconds: float
    years: tuple[YearResult, ...]
    initialization: InitializationResult | None
    resumed_from: ResumePoint | None
    summary: Summary | None
    left_out: tuple[LeftOut, ...] = ()
    nothing_to_do: bool = False
    not_compared: tuple[str, ...] = ()
    changed_files: tuple[str, ...] = ()
    edited_files: tuple[str, ...] = ()


def outputs_of(result: SimulationResult) -> dict[str, object]:
    """Return what a run has to show, by name, as plain values; the summary as a list of rows by column name."""
    summary = result.summary
    names = [column.name for column in summary.columns] if summary is not None else []
    outputs: dict[str, object] = {
        "database": result.database,
        "fingerprint": result.fingerprint,
        "years": [year.year for year in result.years],
        "replayed_years": [year.year for year in result.years if year.replayed],
        "test_warnings": [
            {"year": year.year, "stage": stage.name, "test": one.name, "rows": one.rows}
            for year in result.years
            for stage in year.stages
            for one in stage.warnings
        ],
        "tables_created": [] if result.initialization is None else list(result.initialization.tables_created),
    }
    if summary is not None:
        outputs["summary"] = [dict(zip(names, row, strict=True)) for row in summary.rows]
        outputs["summary_columns"] = list(summary.columns)
    return outputs
