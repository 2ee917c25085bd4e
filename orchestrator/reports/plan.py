"""The plan of a run: what would be healed, where it would begin, what is left to run and how long that takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.pipeline.orchestrator import PipelineOrchestrator
from orchestrator.pipeline.resume import Start
from orchestrator.pipeline.stage_history import StageHistory, StageTime, all_known
from orchestrator.pipeline.unbuilt import without_stage
from orchestrator.pipeline.year_variable import nobody_reads, year_is_read
from orchestrator.reports.preview import YearPreview, left_to_run, preview_years, with_expected, without_nodes
from orchestrator.self_healing.healing_plan import HealingPlan
from orchestrator.self_healing.left_out import LeftOut
from orchestrator.storage.factory import open_existing


@dataclass(frozen=True)
class RunPlan:
    """The work of a run of ``requested_years``, as the database stands now.

    ``healing`` is None where self-healing is off, ``start`` where no years are requested. ``years`` are those that are
    left to run, each with its stages and the seconds that these are expected to take. ``warnings`` say why the run
    would refuse to begin. ``left_out`` are the nodes that are not required, each with the reason.
    """

    scenario: str
    database: Path | None
    requested_years: tuple[int, ...]
    healing: HealingPlan | None
    start: Start | None
    years: tuple[YearPreview, ...]
    warnings: tuple[str, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def changes(self) -> tuple[str, ...]:
        """Return what differs from the last run: code, seeds, variables, and tables that are gone."""
        return () if self.start is None else (*self.start.changed, *gone_tables(self.start))

    @property
    def removed_years(self) -> tuple[int, ...]:
        """Return the simulated years whose rows are removed first."""
        return () if self.start is None else self.start.removed

    @property
    def expected_seconds(self) -> float | None:
        """Return what all years are expected to take, None where a stage has no history or nothing is to be run."""
        return all_known(year.expected_seconds for year in self.years) if self.years else None


def _tell_nobody(_: str) -> None:
    """Drop a label: the ``busy`` of a caller who does not watch."""


def plan_run(
    orchestrator: PipelineOrchestrator,
    years: tuple[int, ...],
    *,
    fresh: bool = False,
    from_year: int | None = None,
    from_stage: str | None = None,
    auto_initialize: bool = True,
    busy: Callable[[str], None] = _tell_nobody,
) -> RunPlan:
    """Plan a run of ``years``, or the healing alone where there are none; nothing is written.

    ``fresh`` begins anew whatever is finished, ``from_year`` and ``from_stage`` do so from there on, without
    ``auto_initialize`` nothing is healed. ``busy`` is told what is being looked at.

    Raises:
        InitializationError: the repair would cost the rows of simulated years.
        YearSequenceError: the years cannot follow what is in the database.
        DatabaseLockedError: a run is in progress.
    """
    config = orchestrator.config
    healing = orchestrator.initializer.plan() if auto_initialize else None
    if healing is not None and healing.refusal is not None:
        raise healing.refusal
    facts = orchestrator.runner.current_facts()
    left, database = orchestrator.initializer.left_out(facts), config.database_path or facts.database_path
    if not years:
        return RunPlan(config.scenario, database, (), healing, None, (), (), left)
    start = orchestrator.find_start(years[0], years[-1], fresh=fresh, from_year=from_year, from_stage=from_stage)
    years = tuple(range(min(years[0], start.year), years[-1] + 1))
    previews = preview_years(config, orchestrator.runner, years, busy=busy)
    selected = {name for preview in previews for stage in preview.stages for name in stage.nodes}
    left = without_stage(left, selected, config=config, facts=orchestrator.runner.facts(), years=years)
    previews = left_to_run(with_expected(previews, _stage_history(orchestrator)), start)
    unread = () if year_is_read(orchestrator.runner.facts()) else (nobody_reads(config),)
    warnings = (*without_nodes(previews), *unread)
    return RunPlan(config.scenario, database, years, healing, start, previews, warnings, left)


def plan_record(plan: RunPlan) -> dict[str, object]:
    """Return a plan for JSON."""
    record: dict[str, object] = {
        "scenario": plan.scenario,
        "database": plan.database,
        "healing": healing_record(plan.healing),
        "resumed_from": None if plan.start is None else plan.start.point,
        "changes": plan.changes,
        "expected_seconds": plan.expected_seconds,
        "years": [_year_record(year) for year in plan.years],
        "left_out": [{"name": one.name, "why": one.why} for one in plan.left_out],
    }
    return record | ({"removes": plan.removed_years} if plan.removed_years else {})


def healing_record(healing: HealingPlan | None) -> list[dict[str, object]]:
    """Return a healing plan for JSON."""
    return [
        {"step": command.step, "command": command.words(), "nodes": [node.name for node in command.nodes]}
        for command in (healing.commands if healing is not None else ())
    ]


def gone_tables(start: Start) -> Sequence[str]:
    """Say which tables of finished stages do not exist any more."""
    return [f"table {name} is gone" for name in start.gone]


def _stage_history(orchestrator: PipelineOrchestrator) -> StageHistory:
    """Return what stages took: by the history of runs, of all databases, else by the ledger of this one."""
    config = orchestrator.config
    assert config.simulation is not None
    with open_existing(config) as backend:
        found = [] if backend is None else backend.stage_seconds(str(config.root), config.scenario)
    if not found:
        return orchestrator.stage_history()
    return StageHistory(tuple(StageTime(*row) for row in found), config.simulation.start_year)


def _year_record(year: YearPreview) -> dict[str, object]:
    stages = [
        {
            "name": stage.name,
            "command": f"dbt {stage.command}",
            "select": stage.select,
            "nodes": stage.nodes,
            "expected_seconds": stage.expected_seconds,
        }
        for stage in year.stages
    ]
    return {"year": year.year, "expected_seconds": year.expected_seconds, "stages": stages}
