"""The preview of a run: years × stages × nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.config.simulation import SimulationConfig
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.pipeline.resume import Start
from orchestrator.pipeline.selectors import no_match
from orchestrator.pipeline.stage_history import StageHistory, all_known
from orchestrator.pipeline.workflow import SimulationPlan, Stage


@dataclass(frozen=True)
class StagePreview:
    """One stage of a year; ``nodes`` are the names that its selector matches.

    ``expected_seconds`` are None where there is no history; stages that do the same are equal whatever they take.
    """

    name: str
    command: str
    select: tuple[str, ...]
    nodes: tuple[str, ...]
    expected_seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class YearPreview:
    """One year."""

    year: int
    stages: tuple[StagePreview, ...]

    @property
    def expected_seconds(self) -> float | None:
        """Return what all its stages are expected to take, None where one of them has no history."""
        return all_known(stage.expected_seconds for stage in self.stages)


def preview_years(
    config: SimulationConfig, runner: DbtRunner, years: Sequence[int], *, busy: Callable[[str], None]
) -> tuple[YearPreview, ...]:
    """Ask dbt what each stage of each year selects, once for all years where they provably select the same.

    ``busy`` is told what is being asked.
    """
    facts = runner.facts()
    same_each_year = not facts.decided_by_year
    seen: dict[tuple[str, int], StagePreview] = {}

    def preview(year: int, stage: Stage) -> StagePreview:
        key = (stage.name, years[0] if same_each_year else year)
        if key not in seen:
            busy(f"selecting {stage.name} of {key[1]}")
            chosen = runner.select(stage.command, stage.select, config.dbt_vars(key[1]))
            names = [node.name if (node := facts.node(one)) else one.rpartition(".")[2] for one in chosen]
            seen[key] = StagePreview(stage.name, stage.command, stage.select, tuple(names))
        return seen[key]

    plan = SimulationPlan.of(config, years[0], years[-1])
    return tuple(
        YearPreview(year, tuple(preview(year, stage) for stage in plan.stages_of(year))) for year in plan.years
    )


def left_to_run(previews: Sequence[YearPreview], start: Start) -> tuple[YearPreview, ...]:
    """Return what is run when a run begins at ``start``: no year and no stage before it, nothing where all is done."""
    if start.done:
        return ()
    return tuple(
        YearPreview(p.year, tuple(s for s in p.stages if p.year > start.year or s.name not in start.kept_stages))
        for p in previews
        if p.year >= start.year
    )


def without_nodes(previews: Sequence[YearPreview]) -> tuple[str, ...]:
    """Say which stages select nothing."""
    empty = [stage for preview in previews for stage in preview.stages if not stage.nodes]
    return tuple(dict.fromkeys(f"stage {one.name}: {no_match(one.command, one.select)}" for one in empty))


def with_expected(previews: Sequence[YearPreview], history: StageHistory) -> tuple[YearPreview, ...]:
    """Return the same years with the seconds that each stage is expected to take."""
    return tuple(
        replace(
            p,
            stages=tuple(replace(s, expected_seconds=history.expected_seconds(p.year, s.name)) for s in p.stages),
        )
        for p in previews
    )
