"""Which tables were built from something that has changed since, by what the ledger says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from pathlib import Path

from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.reading import BUILDING, BuiltTable


class Staleness:
    """Answers for one project and one ledger; a table that the ledger does not know is taken as it is.

    ``required`` are the unique ids of the required tables. What lies upstream of them without being required itself
    counts as a part of the first required table below it.
    """

    def __init__(self, facts: ProjectFacts, built: Mapping[str, BuiltTable], required: Set[str]) -> None:
        self._facts = facts
        self._built = built
        self._required = required

    def unfinished(self, node: NodeFacts) -> str | None:
        """Say when a build of a node was begun that was never finished, None when there is no such build."""
        row = self._built.get(node.unique_id)
        if row is None or row.state != BUILDING:
            return None
        return f"was being built on {_day(row)}, and that build was never finished"

    def reason(self, node: NodeFacts) -> str | None:
        """Say what has changed since a node was built, None when nothing has."""
        own = self._change(node)
        if own is not None:
            return own
        for ancestor in self._unlisted_ancestors(node):
            change = self._change(ancestor)
            if change is not None:
                return f"{ancestor.name}, which it is built from: {change}"
        return None

    def outdated_ancestors(self, nodes: Iterable[NodeFacts]) -> set[str]:
        """Return what has changed upstream of these nodes without being required itself."""
        return {a.unique_id for node in nodes for a in self._unlisted_ancestors(node) if self._change(a) is not None}

    def _change(self, node: NodeFacts) -> str | None:
        row = self._built.get(node.unique_id)
        if row is None or row.state == BUILDING:
            return None
        code, inputs = self._facts.code_of(node), self._facts.inputs_of(node)
        if row.code == code and row.inputs == inputs:
            return None
        verb = "loaded" if node.resource_type == "seed" else "built"
        since = f"since it was {verb} on {_day(row)}"
        own = f"{node.resource_type} {node.name}"
        if row.code.get(own) != code[own]:
            return f"{Path(node.file).name} changed {since}"
        parts = [name for name in code if row.code.get(name) != code[name]]
        if parts or row.code.keys() != code.keys():
            named = parts or sorted(row.code.keys() - code.keys())
            return f"{', '.join(named)} changed {since}"
        values = [n for n in sorted(inputs.keys() | row.inputs.keys()) if inputs.get(n) != row.inputs.get(n)]
        if values:
            told = [f"var {n} went from {row.inputs.get(n, 'unset')} to {inputs.get(n, 'unset')}" for n in values]
            return f"{', '.join(told)} {since}"
        return None

    def _unlisted_ancestors(self, node: NodeFacts) -> list[NodeFacts]:
        found: list[NodeFacts] = []
        pending = [node]
        while pending:
            for parent_id in pending.pop().depends_on:
                parent = self._facts.node(parent_id)
                if parent is not None and parent_id not in self._required and parent not in found:
                    found.append(parent)
                    pending.append(parent)
        return found


def _day(row: BuiltTable) -> str:
    return f"{row.at:%Y-%m-%d at %H:%M} UTC"
