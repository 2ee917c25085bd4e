"""Tables that years read as the year before left them, and that cannot give up a single year.

A year is taken out of a table by its column of years. Where a table has none, or is replaced whole, and a later year
builds on what is in it, nothing but a run from the first year on makes the same rows again.
"""

from __future__ import annotations

from collections.abc import Set

from orchestrator.database.catalog import Catalog
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.pipeline.year_column import YearColumn


def without_undo(
    facts: ProjectFacts, catalog: Catalog, year_column: str, lasting: Set[str], staged: Set[str] = frozenset()
) -> tuple[NodeFacts, ...]:
    """Return what the years build and out of which no single year can be taken again, in the order of the project.

    ``lasting`` are the unique ids of what is there before the first year, which no year changes, ``staged`` those of
    what finished stages built: a snapshot among them goes on from year to year.
    """
    named = {node.unique_id for node in facts.nodes if node.names_year}
    yearly = (named | facts.descendants(named)) - lasting
    nodes = [node for node in facts.nodes if node.unique_id in yearly and not node.writes_other_years]
    return tuple(
        node
        for node in nodes
        if (node.resource_type == "snapshot" and node.unique_id in staged)
        or (node.resource_type == "model" and replaces_what_is_read(node, facts))
        or _is_keyed_without_year(node, catalog, year_column)
    )


def replaces_what_is_read(node: NodeFacts, facts: ProjectFacts) -> bool:
    """Tell whether a model replaces its table whole, and is built from what was in it, by itself or in a circle."""
    if node.materialized == "incremental" or node.kind == "view" or not node.builds:
        return False
    if node.reads_itself:
        return True
    above = facts.ancestors([node.unique_id])
    readers = [one for one in facts.nodes if one.unique_id in above or one is node]
    name = node.relation.name
    return any(name in one.looks_up for one in readers) or any(
        source.unique_id in one.depends_on and source.relation == node.relation
        for source in facts.sources
        for one in readers
    )


def is_of_unknown_kind(node: NodeFacts | None) -> bool:
    """Tell whether nobody knows whether a node replaces its table or adds to it: its materialization is not dbt's."""
    return node is not None and node.builds and not node.leaves_relation


def _is_keyed_without_year(node: NodeFacts, catalog: Catalog, year_column: str) -> bool:
    relation = catalog.get(node.relation)
    if node.materialized != "incremental" or node.appends or relation is None or relation.kind != "table":
        return False
    return YearColumn.in_relation(year_column, relation) is None
