"""Edges between nodes that dbt does not know: sources whose relation, or file, another node of the project builds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from orchestrator.dbt_runner.project.canonical import canonical, digest
from orchestrator.dbt_runner.project.facts import NodeFacts
from orchestrator.dbt_runner.project.places import LATER, placed
from orchestrator.dbt_runner.project.profile_inputs import Pairs
from orchestrator.dbt_runner.project.source_facts import SourceFacts

DIGITS = 20
KEEPS_ROWS = ("incremental", "snapshot")
"""Materializations whose tables keep the rows of earlier years."""


def connected(nodes: Sequence[NodeFacts], sources: Iterable[SourceFacts]) -> tuple[NodeFacts, ...]:
    """Return the nodes with these edges among their parents, parents first, and with the digest of what is upstream.

    ``nodes`` come parents first as dbt orders them. An edge that would close a circle is left out: who reads what it is
    itself built into, reads what was there before.
    """
    return _with_upstream(_in_order(_with_builders(nodes, sources)))


def joined(nodes: Sequence[NodeFacts], others: Iterable[Sequence[NodeFacts]]) -> tuple[NodeFacts, ...]:
    """Return the nodes of a project in all years: those of the first, with what they, and others, read in later ones.

    A node that builds another relation in later years, or keeps rows in them alone, is there once more, by the name of
    that relation. An edge of a later year that would close a circle is left out.
    """
    found = {node.unique_id: node for node in nodes}
    parents = {node.unique_id: list(node.depends_on) for node in nodes}
    again: dict[str, list[NodeFacts]] = {}
    for later in others:
        for node in later:
            here = _in_another_place(node, found.get(node.unique_id))
            again.setdefault(node.unique_id, []).append(node)
            for one in (node, here):
                if one.unique_id not in found:
                    found[one.unique_id], parents[one.unique_id] = replace(one, later_only=True), []
                above = parents[one.unique_id]
                for parent in node.depends_on:
                    if parent not in above and one.unique_id not in _above(parent, parents):
                        above.append(parent)
    for unique_id, laters in again.items():
        found[unique_id] = _with_inputs(found[unique_id], laters)
    return _with_upstream(
        _parents_first([replace(node, depends_on=tuple(parents[unique_id])) for unique_id, node in found.items()])
    )


def _with_inputs(node: NodeFacts, later: Sequence[NodeFacts]) -> NodeFacts:
    """Return a node with all that decides its rows, or what chooses it, in later years, too."""
    return replace(
        node,
        tags=tuple(dict.fromkeys((*node.tags, *(tag for one in later for tag in one.tags)))),
        code=_of_all(node.code, [one.code for one in later]),
        inputs=_of_all(node.inputs, [one.inputs for one in later]),
        reads=_of_all(node.reads, [one.reads for one in later]),
        materialized_otherwise=any(one.materialized != node.materialized for one in later),
    )


def _of_all(pairs: Pairs, later: Iterable[Pairs]) -> Pairs:
    """Return pairs with those of later years that are not among them; another value has another name."""
    new: dict[str, set[str]] = {}
    for what, value in {pair for one in later for pair in one} - set(pairs):
        new.setdefault(what, set()).add(value)
    names = {what for what, _ in pairs}
    added = ((f"{what}{LATER}" if what in names else what, " / ".join(sorted(new[what]))) for what in sorted(new))
    return (*pairs, *added)


def _in_another_place(later: NodeFacts, first: NodeFacts | None) -> NodeFacts:
    """Return a node of a later year, under a name of its own where it keeps rows that it does not in the first."""
    if first is None or not (later.builds and later.materialized in KEEPS_ROWS):
        return later
    if first.relation == later.relation and first.materialized in KEEPS_ROWS:
        return later
    return replace(later, unique_id=placed(later.unique_id, later.relation), code=(), inputs=(), reads=())


def _with_builders(nodes: Sequence[NodeFacts], sources: Iterable[SourceFacts]) -> list[NodeFacts]:
    builders = {node.relation: node.unique_id for node in reversed(nodes) if node.builds}
    writers = [node for node in nodes if node.external_file is not None]
    built_by: dict[str, list[str]] = {}
    for source in sources:
        by_file = [node.unique_id for node in writers if _reads(source.files, node.external_file or "")]
        by_name = [builders[source.relation]] if not source.files and source.relation in builders else []
        built_by[source.unique_id] = by_file + by_name
    parents = {node.unique_id: list(node.depends_on) for node in nodes}
    found = []
    for node in nodes:
        wanted = dict.fromkeys(builder for parent in node.depends_on for builder in built_by.get(parent, ()))
        added = []
        for builder in wanted:
            if builder not in parents[node.unique_id] and node.unique_id not in _above(builder, parents):
                parents[node.unique_id].append(builder)
                added.append(builder)
        found.append(
            replace(node, depends_on=tuple(parents[node.unique_id]), by_source=(*node.by_source, *added))
            if added
            else node
        )
    return found


def _reads(patterns: Iterable[str], file: str) -> bool:
    """Tell whether one of these paths, which may have wildcards, is a file or lies in a folder."""
    return any(fnmatchcase(file, pattern) or pattern.startswith(f"{file}/") for pattern in patterns)


def _above(unique_id: str, parents: Mapping[str, Sequence[str]]) -> set[str]:
    """Return everything upstream of a node, and the node itself."""
    found = {unique_id}
    pending = [unique_id]
    while pending:
        for parent in parents.get(pending.pop(), ()):
            if parent not in found:
                found.add(parent)
                pending.append(parent)
    return found


def _in_order(nodes: Sequence[NodeFacts]) -> list[NodeFacts]:
    """Return nodes parents first; they stay in their order where nothing speaks against it."""
    return _parents_first(nodes) if any(node.by_source for node in nodes) else list(nodes)


def _parents_first(nodes: Sequence[NodeFacts]) -> list[NodeFacts]:
    by_id = {node.unique_id: node for node in nodes}
    order: dict[str, NodeFacts] = {}
    for node in nodes:
        stack = [(node, False)]
        while stack:
            current, parents_done = stack.pop()
            if current.unique_id in order:
                continue
            if parents_done:
                order[current.unique_id] = current
                continue
            stack.append((current, True))
            stack += [(by_id[p], False) for p in reversed(current.depends_on) if p in by_id and p not in order]
    return list(order.values())


def _with_upstream(nodes: Iterable[NodeFacts]) -> tuple[NodeFacts, ...]:
    """Give each node the digest of the code, the variables and all other inputs of all that is upstream of it."""
    whole: dict[str, str] = {}
    found = []
    for node in nodes:
        above = sorted(whole[parent] for parent in node.depends_on if parent in whole)
        upstream = digest(*above)[:DIGITS] if above else ""
        whole[node.unique_id] = digest(canonical([node.code, node.inputs, node.reads]), upstream)
        found.append(replace(node, upstream=upstream))
    return tuple(found)
