"""Models of the years that no stage builds: their tables are never there, whatever else goes well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace

from orchestrator.config.simulation import SimulationConfig
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.pipeline.workflow import SimulationPlan
from orchestrator.self_healing.left_out import IN_NO_STAGE, OF_THE_YEARS, LeftOut


def without_stage(
    nodes: Iterable[LeftOut], built: Set[str], *, config: SimulationConfig, facts: ProjectFacts, years: Sequence[int]
) -> tuple[LeftOut, ...]:
    """Return the nodes that are not checked, and say of those that no stage built in ``years`` that this is so.

    ``built`` are the names of all that the stages of these years select. Nothing is said where other years have other
    stages, or other nodes.
    """
    if not years or not _tell_all(config, facts, years):
        return tuple(nodes)
    return tuple(
        replace(one, why=IN_NO_STAGE) if one.why == OF_THE_YEARS and one.name not in built else one for one in nodes
    )


def _tell_all(config: SimulationConfig, facts: ProjectFacts, years: Sequence[int]) -> bool:
    if facts.has_branches:
        return tuple(years) == config.years()
    plan = SimulationPlan.of(config, years[0], years[-1])
    return {stage.name for _, stage in plan} == {stage.name for stage in plan.stages}
