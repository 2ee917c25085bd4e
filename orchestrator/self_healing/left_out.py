"""Nodes of a project that no check looks at, each with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from orchestrator.core.text import plural
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.self_healing.foundation import FOUNDATION_TAG, yearly_members

EPHEMERAL = "ephemeral, so nothing is built for it"
DISABLED = "disabled"
OF_THE_YEARS = "built during each year"
IN_NO_STAGE = "in no stage, so nothing builds it"
NOT_BY_RUN = "in no stage with `command: build`, which functions and snapshots need, so nothing builds it"
UNTAGGED = f"not tagged {FOUNDATION_TAG}"
UNMATCHED = "not matched by self_healing.foundation"
UNLISTED = "not in required_tables"
NAMED = 5


@dataclass(frozen=True)
class LeftOut:
    """One node that is not checked; ``why`` says the reason, the name of the node in front of it."""

    name: str
    why: str


def left_out(facts: ProjectFacts, required: Set[str], *, listed: bool) -> tuple[LeftOut, ...]:
    """Return the nodes that are not among the unique ids ``required``, in the order of the project.

    ``listed`` tells that the configuration names the required tables itself.
    """
    yearly = {node.unique_id for node in facts.nodes if node.uses_year}
    yearly |= facts.descendants(yearly)
    required_nodes = [node for node in facts.nodes if node.unique_id in required]
    misplaced = {} if listed else {one.node.unique_id: one.why for one in yearly_members(facts, required_nodes)}
    untold = UNMATCHED if facts.foundation_selector else UNTAGGED
    found = []
    for node in facts.nodes:
        if node.resource_type == "test" or node.unique_id in required:
            continue
        if not node.builds:
            why = EPHEMERAL
        elif listed:
            why = UNLISTED
        elif node.unique_id in misplaced:
            why = misplaced[node.unique_id]
        else:
            why = OF_THE_YEARS if node.unique_id in yearly else untold
        found.append(LeftOut(node.name, why))
    known = {node.unique_id for node in facts.nodes}  # what later years switch on is among them
    disabled = [unique_id for unique_id in facts.disabled if unique_id not in known]
    return (*found, *(LeftOut(unique_id.split(".", 2)[-1], DISABLED) for unique_id in disabled))


def told_left_out(nodes: Iterable[LeftOut]) -> str | None:
    """Say in one line how many nodes are not checked and why, with the first names; None where there are none.

    >>> told_left_out([LeftOut("a", DISABLED), LeftOut("b", DISABLED), LeftOut("c", UNTAGGED)])
    'Not checked: 3 nodes: a, b (disabled); c (not tagged FOUNDATION)'
    """
    by_reason: dict[str, list[str]] = {}
    for node in nodes:
        by_reason.setdefault(node.why, []).append(node.name)
    if not by_reason:
        return None
    parts = [f"{_some(names)} ({why})" for why, names in by_reason.items()]
    return f"Not checked: {plural(sum(map(len, by_reason.values())), 'node')}: {'; '.join(parts)}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
