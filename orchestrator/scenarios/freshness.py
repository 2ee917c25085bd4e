"""Members of a sweep that are done, and made of something else than the project is now."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.keeping import is_kept
from orchestrator.scenarios.plan import SweepPlan
from orchestrator.scenarios.planning import checked_members
from orchestrator.scenarios.project import SweptProject
from orchestrator.scenarios.state import MemberState


def outdated_members(
    config: SimulationConfig,
    folder: SweepFolder,
    plan: SweepPlan,
    states: Mapping[str, MemberState],
    facts: ProjectFacts,
) -> frozenset[str]:
    """Return the keys of members that are done, and that the same sweep would not keep as they are.

    All of them where that cannot be told, as where a value of the plan does not fit the project any more.
    """
    done = [member for member in plan.members if states[member.key].status == "done"]
    if config.file is None:
        return frozenset(member.key for member in done)
    try:
        now, _ = checked_members(SweptProject(config.file, plan.overrides), plan, folder, facts)
    except ConfigurationError:
        return frozenset(member.key for member in done)
    return frozenset(
        member.key for member in done if not is_kept(folder, plan, member, states[member.key], now[member.key])
    )
