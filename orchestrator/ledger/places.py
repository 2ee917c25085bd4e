"""Where finished stages built nodes, year by year, and what is left of nodes that nothing builds any more."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.database.names import RelationName, SchemaName
from orchestrator.database.reader import QueryReader
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.places import LATER, PLACE_OF, place_in, plain, relations_built, with_places
from orchestrator.ledger.layouts import RELATIONS_SINCE_LAYOUT, ledger_version
from orchestrator.ledger.reading import Ledger, read_ledger, relation_key


def in_all_places(reader: QueryReader, facts: ProjectFacts) -> ProjectFacts:
    """Return facts that know the relations which finished years have, and the first one has not.

    Raises:
        ConfigurationError, DatabaseError: as :func:`orchestrator.ledger.reading.read_ledger`.
    """
    return with_places(facts, read_ledger(reader, facts.ledger, facts).staged) if facts.simulates else facts


def relation_of_year(ledger: Ledger, node: NodeFacts, year: int) -> RelationName | None:
    """Return the relation in which the finished stages of a year left a node, None where none of them built it."""
    for stage in reversed(ledger.stages):
        if stage.year == year and node.unique_id in stage.nodes:
            there = (one for one in relations_built(stage.nodes) if plain(one) == node.unique_id)
            return next((place for one in there if (place := place_in(one)) is not None), node.relation)
    return None


def left_behind(
    reader: QueryReader, facts: ProjectFacts, ledger: Ledger, relations: Iterable[RelationName]
) -> frozenset[RelationName]:
    """Return those of these relations that earlier runs of the project built, and that no node of it builds now.

    Raises:
        ConfigurationError, DatabaseError: as :func:`orchestrator.ledger.layouts.ledger_version`.
    """
    now = {node.relation for node in with_places(facts, ledger.staged).nodes}
    now |= {source.relation for source in facts.sources}
    others = [one for one in relations if one not in now]
    if not others:
        return frozenset()
    names, keys = _earlier_names(ledger), _earlier_keys(reader, facts.ledger, facts.project_name)
    own = facts.ledger.database.lower()
    return frozenset(one for one in others if relation_key(one) in keys or names & _forms(one, own))


def _forms(relation: RelationName, own: str) -> set[str]:
    name = f"{relation.schema}.{relation.name}"
    return {f"{relation.database}.{name}"} | ({name} if relation.database in ("", own) else set())


def _earlier_names(ledger: Ledger) -> set[str]:
    """Return the names of what runs built, as their components say it."""
    kinds = [(run, what) for run in ledger.runs for what in run.components if what.startswith(PLACE_OF)]
    texts = {run.components[what] for run, what in kinds if not what.endswith(LATER)}
    later = {name for run, what in kinds if what.endswith(LATER) for name in run.components[what].split(" / ")}
    return {text.lower() for text in texts | later}


def _earlier_keys(reader: QueryReader, place: SchemaName, project: str) -> set[str]:
    """Return the keys of the relations of built tables of the project."""
    if ledger_version(reader, place) < RELATIONS_SINCE_LAYOUT:
        return set()
    rows = reader.query(f"select node, relation from {place.quoted()}.built_tables where relation is not null")
    return {str(key) for node, key in rows if str(node).split(".")[1:2] == [project]}
