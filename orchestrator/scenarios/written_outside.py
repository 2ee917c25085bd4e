"""Files outside of the databases that members would take from one another.

An ``external`` model leaves its rows in a file, and a view of it in the database. Where several members write one file,
the views of all of them show the rows of the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from orchestrator.core.errors import ConfigurationError
from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.scenarios.plan import Member, SweepPlan


def require_own_files(
    plan: SweepPlan, facts: ProjectFacts, varied: Collection[str], facts_of: Callable[[Member], ProjectFacts]
) -> None:
    """Make sure that no two members write different rows into one file.

    ``varied`` are the variables that differ between members. ``facts_of`` is asked where a model of the years, or one
    that a varied variable reaches, writes a file.

    Raises:
        ConfigurationError: such a model has the same file in two members.
    """
    written = [
        node.unique_id for node in _differing(facts, frozenset({*varied, ANY_VAR})) if node.external_file is not None
    ]
    if not written or len(plan.members) == 1:
        return
    first, *others = (_files(facts_of(member), written) for member in _some(plan.members))
    for unique_id in written:
        node, place = facts.node(unique_id), first[unique_id]
        if node is not None and any(other[unique_id] == place for other in others):
            raise ConfigurationError(
                f"Members would write one file, {place}: the external model {node.name} ({node.file}) has other rows "
                "in each, and the view of every member would show those of the last one.",
                to_fix="give each member a file beside its database, with location=env_var('ORCHESTRATOR_DATABASE') ~ "
                f"'.{node.name}.parquet' in the model's config, or make it a table",
            )


def _differing(facts: ProjectFacts, varied: frozenset[str]) -> list[NodeFacts]:
    """Return the nodes whose rows differ between years or members."""
    reached = {node.unique_id for node in facts.nodes if node.names_year or not varied.isdisjoint(node.vars)}
    reached |= facts.descendants(reached)
    return [node for node in facts.nodes if node.unique_id in reached]


def _some(members: tuple[Member, ...]) -> list[Member]:
    """Return the first, its neighbour, which differs in one value, and the last, which differs in all."""
    return list({one.key: one for one in (members[0], members[1], members[-1])}.values())


def _files(facts: ProjectFacts, nodes: Collection[str]) -> dict[str, str | None]:
    return {node.unique_id: node.external_file for node in facts.nodes if node.unique_id in nodes}
