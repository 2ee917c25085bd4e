"""Tables built from something that has changed since, according to the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.input_kinds import VAR
from orchestrator.ledger.changes import UNRECORDED, Change, changes
from orchestrator.ledger.reading import BUILDING, BuiltTable
from orchestrator.self_healing.evidence import Outdated, Unfinished


class Staleness:
    """Answers for one project and one ledger; a table that the ledger does not know is taken as it is.

    ``required`` are the unique ids of the required tables. What lies upstream of them without being required itself
    counts as a part of the first required table below it.
    """

    def __init__(self, facts: ProjectFacts, built: Mapping[str, BuiltTable], required: Set[str]) -> None:
        self._facts = facts
        self._built = built
        self._required = required

    def unfinished(self, node: NodeFacts) -> Unfinished | None:
        """Return the build of a node that was begun and never finished, None when there is no such build."""
        row = self._built.get(node.unique_id)
        if row is None or row.state != BUILDING:
            return None
        return Unfinished(row.at)

    def outdated(self, node: NodeFacts) -> Outdated | None:
        """Return what has changed since a node was built, in itself or else upstream; None when nothing has."""
        for cause in (node, *self._unlisted_ancestors(node)):
            changed = self._changes(cause)
            if changed:
                return Outdated(
                    since=self._built[cause.unique_id].at,
                    node=cause.unique_id,
                    name=cause.name,
                    resource_type=cause.resource_type,
                    file=cause.file,
                    inherited=cause is not node,
                    changes=changed,
                )
        return None

    def outdated_ancestors(self, nodes: Iterable[NodeFacts]) -> set[str]:
        """Return what has changed upstream of these nodes without being required itself."""
        return {a.unique_id for node in nodes for a in self._unlisted_ancestors(node) if self._changes(a)}

    def _changes(self, node: NodeFacts) -> tuple[Change, ...]:
        """Return what differs since a node was built: its code, in the order of its facts, then its variables."""
        row = self._built.get(node.unique_id)
        if row is None or row.state == BUILDING:
            return ()
        code, inputs = self._facts.decided_by(node), self._facts.inputs_of(node)
        if row.code == code and row.inputs == inputs:
            return ()
        gone = sorted(row.code.keys() - code.keys())
        decisive = changes(row.code, code, (*code, *gone))
        return decisive if UNRECORDED in decisive else decisive + changes(_as_vars(row.inputs), _as_vars(inputs))

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


def _as_vars(inputs: Mapping[str, str]) -> dict[str, str]:
    return {f"{VAR} {name}": value for name, value in inputs.items()}
