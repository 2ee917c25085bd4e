"""Definitions of views, compared with what their builds left: whoever replaces one changes what all its readers show.

They are kept where contents of tables are: a view holds no rows, and its digest is that of its definition.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from orchestrator.database.catalog import Catalog
from orchestrator.database.names import RelationName
from orchestrator.database.reader import QueryReader
from orchestrator.dbt_runner.project.change_targets import ChangeTargets
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.input_kinds import HOOK
from orchestrator.ledger.contents import Contents, are_compared
from orchestrator.ledger.reading import relation_key


def definitions_are_compared(facts: ProjectFacts) -> bool:
    """Tell whether definitions are compared: where the database tells them, with years or without."""
    return facts.capabilities.views_sql is not None


def anything_is_compared(facts: ProjectFacts) -> bool:
    """Tell whether rows of tables are compared, or definitions of views."""
    return are_compared(facts) or definitions_are_compared(facts)


def compared_views(facts: ProjectFacts, unique_ids: Set[str], catalog: Catalog) -> list[NodeFacts]:
    """Return those of these nodes that have left a view which nothing but a build of them is meant to replace.

    What a function of the user's builds may become what that function likes.
    """
    if not definitions_are_compared(facts):
        return []
    there = ((node, catalog.get(node.relation)) for node in facts.nodes if node.unique_id in unique_ids and node.builds)
    views = [node for node, found in there if found is not None and found.kind == "view" and node.resource_type != HOOK]
    replaced = ChangeTargets(facts).replaced_views() if views else frozenset()
    return [node for node in views if node.unique_id not in replaced]


def definitions_of(views: Iterable[NodeFacts], reader: QueryReader, facts: ProjectFacts) -> dict[str, Contents]:
    """Return what views, which exist, are now, by key of the relation; without any, nothing is asked."""
    found = _asked(views, reader, facts, "digest")
    return {relation_key(relation): Contents(0, text) for relation, text in found.items()}


def texts_of(views: Iterable[NodeFacts], reader: QueryReader, facts: ProjectFacts) -> dict[RelationName, str]:
    """Return the definitions of those of these nodes that are views, in the words of the database."""
    return _asked(views, reader, facts, "definition")


def _asked(
    views: Iterable[NodeFacts], reader: QueryReader, facts: ProjectFacts, column: str
) -> dict[RelationName, str]:
    wanted = {node.relation for node in views}
    if not wanted or facts.capabilities.views_sql is None:
        return {}
    rows = reader.query(f"select database, schema, name, {column} from ({facts.capabilities.views_sql}) as views")
    found = {RelationName.of(str(database), str(schema), str(name)): str(text) for database, schema, name, text in rows}
    return {relation: text for relation, text in found.items() if relation in wanted}
