"""The nodes whose relations the statements of hooks, macros and queries change, or may change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase

from orchestrator.dbt_runner.analysis.change_kinds import CHANGES, THIS, ChangedRelation
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts


class ChangeTargets:
    """Answers for one parsed project."""

    def __init__(self, facts: ProjectFacts) -> None:
        self._facts = facts
        self._sources = {f"source {one.source_name}.{one.name}".lower(): one.relation for one in facts.sources}

    def is_own(self, node: NodeFacts, change: ChangedRelation) -> bool:
        """Tell whether a statement of a node changes the relation that the node builds itself."""
        return change.target in (THIS, node.name.lower(), node.identifier.lower()) or (
            self._sources.get(change.target) == node.relation
        )

    def others(self, node: NodeFacts, change: ChangedRelation) -> Iterator[NodeFacts]:
        """Yield the other nodes whose rows a statement of a node changes, or may change."""
        return (other for other in self._named(node, change) if other.kind != "view")

    def _named(self, node: NodeFacts, change: ChangedRelation) -> Iterator[NodeFacts]:
        if self.is_own(node, change):
            return
        relation = self._sources.get(change.target)
        for other in self._facts.nodes:
            if other is node or not other.builds:
                continue
            names = (other.name.lower(), other.identifier.lower())
            if other.relation == relation or any(fnmatchcase(name, change.target) for name in names):
                yield other

    def all(self) -> frozenset[str]:
        """Return the unique ids of the nodes that statements of other nodes, or of every command, may change."""
        return frozenset(other.unique_id for others in self.by_changer().values() for other in others)

    def by_changer(self) -> dict[str, list[NodeFacts]]:
        """Return the nodes that statements of others may change, by the name of the node, or hook, that has these."""
        return self._by_changer(lambda node: [o for change in node.changes for o in self.others(node, change)])

    def replaced_views(self) -> frozenset[str]:
        """Return the unique ids of what statements of others may replace where it is a view."""
        return frozenset(other.unique_id for others in self.by_replacer().values() for other in others)

    def by_replacer(self) -> dict[str, list[NodeFacts]]:
        """Return the same of what they may replace where it is a view: what only adds or removes rows changes none."""
        return self._by_changer(
            lambda node: [o for change in node.changes if change.how == CHANGES for o in self._named(node, change)]
        )

    def _by_changer(self, reached: Callable[[NodeFacts], Iterable[NodeFacts]]) -> dict[str, list[NodeFacts]]:
        changing = [one for one in (*self._facts.nodes, *self._facts.run_hooks) if one.changes]
        found = {node.name: {other.unique_id: other for other in reached(node)} for node in changing}
        return {name: list(others.values()) for name, others in found.items() if others}
