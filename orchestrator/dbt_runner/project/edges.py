"""Edges between nodes that dbt does not know: sources whose relation another node of the project builds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.facts import NodeFacts, SourceFacts
from orchestrator.dbt_runner.project.var_values import digest


def connected(nodes: Sequence[NodeFacts], sources: Iterable[SourceFacts]) -> tuple[NodeFacts, ...]:
    """Return the nodes with these edges among their parents, parents first, and with the digest of what is upstream.

    ``nodes`` come parents first as dbt orders them. An edge that would close a circle is left out: who reads what it is
    itself built into, reads what was there before.
    """
    return _with_upstream(_in_order(_with_builders(nodes, sources)))


def _with_builders(nodes: Sequence[NodeFacts], sources: Iterable[SourceFacts]) -> list[NodeFacts]:
    builders = {node.relation: node.unique_id for node in reversed(nodes) if node.builds}
    built_by = {source.unique_id: builders[source.relation] for source in sources if source.relation in builders}
    parents = {node.unique_id: list(node.depends_on) for node in nodes}
    found = []
    for node in nodes:
        wanted = dict.fromkeys(built_by[parent] for parent in node.depends_on if parent in built_by)
        added = []
        for builder in wanted:
            if builder not in parents[node.unique_id] and node.unique_id not in _above(builder, parents):
                parents[node.unique_id].append(builder)
                added.append(builder)
        found.append(
            replace(node, depends_on=tuple(parents[node.unique_id]), by_source=tuple(added)) if added else node
        )
    return found


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
    if not any(node.by_source for node in nodes):
        return list(nodes)
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
    """Give each node the digest of the code and the variables of all that is upstream of it."""
    whole: dict[str, str] = {}
    found = []
    for node in nodes:
        above = sorted(whole[parent] for parent in node.depends_on if parent in whole)
        upstream = digest(*above) if above else ""
        whole[node.unique_id] = digest(canonical([node.code, node.inputs]), upstream)
        found.append(replace(node, upstream=upstream))
    return tuple(found)
