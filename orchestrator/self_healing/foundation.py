"""The foundation of a simulation: what is built once, before its first year, and what only seems to be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.core.errors import ConfigurationError
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.year_macros import told_year_macros

FOUNDATION_TAG = "FOUNDATION"
KEY = "self_healing.foundation"


@dataclass(frozen=True)
class YearlyMember:
    """A node that the foundation names and that cannot stand before the first year; ``why`` says the reason."""

    node: NodeFacts
    why: str


def selection(facts: ProjectFacts) -> str | None:
    """Return the selection that says what is foundation, in dbt's words; None where nothing in the project does."""
    if facts.foundation_selector:
        return facts.foundation_selector
    tagged = (n for n in facts.nodes if n.resource_type not in ("seed", "test") and FOUNDATION_TAG in n.tags)
    return f"tag:{FOUNDATION_TAG}" if next(tagged, None) is not None else None


def members(facts: ProjectFacts) -> list[NodeFacts]:
    """Return what the selection of the foundation matches and dbt builds, seeds left out, parents first.

    Raises:
        ConfigurationError: the configuration has a selector, and it matches nothing of that kind.
    """
    nodes = [node for node in facts.nodes if node.builds and node.resource_type != "seed"]
    if not facts.foundation_selector:
        return [node for node in nodes if FOUNDATION_TAG in node.tags]
    found = [node for node in nodes if node.unique_id in facts.foundation]
    if not found:
        raise ConfigurationError(
            f"{KEY}: {facts.foundation_selector} matches no model of the dbt project.",
            to_fix="correct the selector; `dbt ls --select` shows what it matches",
        )
    return found


def yearly_members(facts: ProjectFacts, state: Iterable[NodeFacts]) -> tuple[YearlyMember, ...]:
    """Return the members that each year builds anew: they read the year, or are built from what does.

    ``state`` are the tables that are there, empty, before the first year: a view of one may be, too.
    """
    if not facts.simulates or selection(facts) is None:
        return ()
    causes = _causes(facts, frozenset(node.unique_id for node in state))
    found = [(node, causes[node.unique_id]) for node in members(facts) if node.unique_id in causes]
    return tuple(YearlyMember(node, _told(node, cause, selection(facts) or "")) for node, cause in found)


def _causes(facts: ProjectFacts, state: frozenset[str]) -> dict[str, NodeFacts]:
    """Return the first node above that the years change, or the node itself, of each that they change; by unique id."""
    causes: dict[str, NodeFacts] = {}
    filled_by_years = {unique_id: node for unique_id in state if (node := facts.node(unique_id)) is not None}
    for node in facts.nodes:
        if node.unique_id in state or node.resource_type == "test":
            continue
        if node.names_year:
            causes[node.unique_id] = node
            continue
        above = next((causes[parent] for parent in node.depends_on if parent in causes), None)
        carried = next((filled_by_years[parent] for parent in node.depends_on if parent in filled_by_years), None)
        if above is None and carried is not None:
            if node.kind == "view" or not node.builds:
                filled_by_years[node.unique_id] = carried
            else:
                above = carried
        if above is not None:
            causes[node.unique_id] = above
    return causes


def _told(node: NodeFacts, cause: NodeFacts, selected_by: str) -> str:
    reads = f"is built from {cause.name}, which each year changes"
    if cause is node:
        reads = told_year_macros(node) or "reads the year"
    return f"matches {selected_by}, but {reads}, so it is no foundation: a stage has to build it"
