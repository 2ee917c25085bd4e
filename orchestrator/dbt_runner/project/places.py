"""Relations that a node builds in some years alone, because the year decides its alias, schema or database.

What a parse says of a node holds for the first year. In any other place the node has an id of its own, which names the
relation: so each of its tables is compared, removed and found by itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace

from orchestrator.database.names import RelationName
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.input_kinds import PLACE

_AS = ' as "'  # no unique id of dbt has a quote
_PART = re.compile(r'"((?:[^"]|"")*)"')
PLACE_OF = f"{PLACE} "
LATER = " (later)"
"""Follows the name of an input for its values in later years, where they are others."""


def placed(unique_id: str, relation: RelationName) -> str:
    """Return the id of a node where it builds another relation than in the first year.

    >>> one = placed("model.p.a", RelationName.of("db", "main", "a_2026"))
    >>> one, plain(one), place_in(one) == RelationName.of("db", "main", "a_2026")
    ('model.p.a as "db"."main"."a_2026"', 'model.p.a', True)
    """
    return f"{unique_id} as {relation.quoted()}"


def plain(unique_id: str) -> str:
    """Return dbt's own id of a node, wherever it was built."""
    return unique_id.partition(_AS)[0]


def place_in(unique_id: str) -> RelationName | None:
    """Return the relation that such an id names, None where it is dbt's own.

    >>> place_in("model.p.a") is None, place_in('model.p.a as "s"."a_2026"')
    (True, RelationName(database='', schema='s', name='a_2026'))
    """
    parts = [part.replace('""', '"') for part in _PART.findall(unique_id[len(plain(unique_id)) :])]
    if not parts:
        return None
    *above, name = parts
    database, schema = ("", "", *above)[-2:]
    return RelationName.of(database, schema, name)


def name_of(node: NodeFacts) -> str:
    """Return the name of a node, and in another place that of its relation."""
    place = place_in(node.unique_id)
    return node.name if place is None else shown_place(place)


def shown_place(relation: RelationName) -> str:
    """Return schema and name of a relation, for people."""
    return f"{relation.schema}.{relation.name}"


def relations_built(unique_ids: Collection[str]) -> frozenset[str]:
    """Return the ids of the relations that nodes have left: where one was built elsewhere, not that of the first year.

    >>> sorted(relations_built(['model.p.a', 'model.p.a as "s"."a_2026"', 'model.p.b']))
    ['model.p.a as "s"."a_2026"', 'model.p.b']
    """
    return frozenset(unique_ids) - {plain(one) for one in unique_ids if plain(one) != one}


def with_places(facts: ProjectFacts, unique_ids: Iterable[str]) -> ProjectFacts:
    """Return facts with a node for each of these ids that names a place which they do not know."""
    new = []
    for unique_id in sorted({*unique_ids}):
        relation, first = place_in(unique_id), facts.node(plain(unique_id))
        if relation is not None and first is not None and facts.node(unique_id) is None:
            new.append(in_place(first, relation))
    return replace(facts, nodes=(*facts.nodes, *new)) if new else facts


def in_place(node: NodeFacts, relation: RelationName) -> NodeFacts:
    """Return a node as it is where it builds this relation; what decides its rows is said by the node itself."""
    return replace(
        node,
        unique_id=placed(node.unique_id, relation),
        database=relation.database,
        schema=relation.schema,
        identifier=relation.name,
        code=(),
        inputs=(),
        reads=(),
        external_file=None,
        later_only=True,
    )


def moves(node: NodeFacts) -> bool:
    """Tell whether a node is known to build another relation in some later year."""
    return any(what == f"{PLACE_OF}{node.name}{LATER}" for what, _ in node.code)
