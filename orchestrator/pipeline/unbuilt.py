"""Nodes that no stage builds: they are never there, or as somebody else built them, whatever else goes well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import replace

from orchestrator.config.simulation import SimulationConfig
from orchestrator.dbt_runner.project.facts import BY_BUILD, ProjectFacts
from orchestrator.pipeline.workflow import SimulationPlan
from orchestrator.self_healing.left_out import (
    IN_NO_STAGE,
    NOT_BY_RUN,
    OF_THE_YEARS,
    UNLISTED,
    UNMATCHED,
    UNTAGGED,
    LeftOut,
)


def without_stage(
    nodes: Iterable[LeftOut], built: Set[str], *, config: SimulationConfig, facts: ProjectFacts, years: Sequence[int]
) -> tuple[LeftOut, ...]:
    """Return the nodes that are not checked, and say of those that no stage built in ``years`` that this is so.

    ``built`` are the names of all that the stages of these years select. Nothing is said where other years have other
    stages, or other nodes.
    """
    left = tuple(nodes)
    if not years or not _tell_all(config, facts, years):
        return left
    by_build = _left_by_run(left, facts)
    return tuple(one if one.name in built else replace(one, why=_why(one, by_build)) for one in left)


def _why(one: LeftOut, by_build: Set[str]) -> str:
    """Return why a node that no stage builds is not checked."""
    if one.name in by_build and one.why in (OF_THE_YEARS, UNTAGGED, UNMATCHED, UNLISTED):
        return NOT_BY_RUN
    return IN_NO_STAGE if one.why == OF_THE_YEARS else one.why


def _left_by_run(left: Iterable[LeftOut], facts: ProjectFacts) -> set[str]:
    """Return the names of functions and snapshots that ``dbt run`` leaves out, and that no required table reads.

    Those that one reads are built along with it.
    """
    names = {one.name for one in left}
    required = {node.unique_id for node in facts.nodes if node.resource_type != "test" and node.name not in names}
    along = facts.ancestors(required)
    return {node.name for node in facts.nodes if node.resource_type in BY_BUILD and node.unique_id not in along}


def _tell_all(config: SimulationConfig, facts: ProjectFacts, years: Sequence[int]) -> bool:
    if facts.has_branches:
        return tuple(years) == config.years()
    plan = SimulationPlan.of(config, years[0], years[-1])
    return {stage.name for _, stage in plan} == {stage.name for stage in plan.stages}
