"""Tables built from something that has changed since, according to the ledger."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Set
from datetime import datetime
from functools import cached_property

from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.input_kinds import VAR
from orchestrator.ledger.changes import UNRECORDED, Change, changes
from orchestrator.ledger.reading import FAILED, UNSEEN, BuiltTable
from orchestrator.ledger.written_files import still_written_by
from orchestrator.self_healing.evidence import Failed, Outdated, Unfinished, UpstreamDiffers


class Staleness:
    """Answers for one project and one ledger; a table that the ledger does not know is taken as it is.

    ``required`` are the unique ids of the required tables. A table is outdated where its own code has changed, or
    anything upstream: the ledger keeps a digest of all that was there when the table was built.
    """

    def __init__(self, facts: ProjectFacts, built: Mapping[str, BuiltTable], required: Set[str]) -> None:
        self._facts = facts
        self._built = built
        self._required = required

    def unfinished(self, node: NodeFacts) -> Unfinished | None:
        """Return the build of a node that was begun and never finished, None when there is no such build."""
        row = self._built.get(node.unique_id)
        if row is None or row.finished or row.state == FAILED:
            return None
        return Unfinished(row.at, row.message or None)

    def failed(self, node: NodeFacts) -> Failed | None:
        """Return the failure of the last build of a node, None where it did not fail."""
        row = self._built.get(node.unique_id)
        return Failed(row.at, row.message) if row is not None and row.state == FAILED else None

    def outdated(self, node: NodeFacts) -> Outdated | UpstreamDiffers | None:
        """Return what has changed since a node was built, in itself or else upstream; None when nothing has."""
        own = self._changes(node)
        if own:
            return self._outdated(node, own, inherited=False)
        row = self._built.get(node.unique_id)
        known = row is not None and row.finished and row.upstream is not None
        if known and row is not None and row.upstream == node.upstream:
            return None
        if not known and not self._changed:
            return None
        above = self._above(node)
        for cause in above:
            if cause.unique_id in self._changed:
                return self._outdated(cause, self._changes(cause), inherited=True)
        if not known or row is None:
            return None
        later = [one.name for one in above if (of := self._built.get(one.unique_id)) is not None and of.at > row.at]
        return UpstreamDiffers(row.at, tuple(later))

    def outdated_ancestors(self, nodes: Iterable[NodeFacts]) -> set[str]:
        """Return what has changed upstream of these nodes without being required itself."""
        listed = self._required
        return {a.unique_id for n in nodes for a in self._above(n, listed) if a.unique_id in self._changed}

    @cached_property
    def _changed(self) -> frozenset[str]:
        """The unique ids of all nodes that have changed in themselves since they were built."""
        known = [node for unique_id in self._built if (node := self._facts.node(unique_id)) is not None]
        return frozenset(node.unique_id for node in known if self._changes(node))

    def why_invisible(self, node: NodeFacts) -> str | None:
        """Say that dbt built a node and nothing of its name was to be seen afterwards, None where that is not so."""
        row = self._built.get(node.unique_id)
        if row is None or row.state != UNSEEN:
            return None
        return f"materialized as {node.materialized}: dbt built it, and nothing of its name can be seen in the database"

    def built_at(self, node: NodeFacts) -> datetime | None:
        """Return when a node was built (UTC), None where the ledger does not know it."""
        row = self._built.get(node.unique_id)
        return None if row is None else row.at

    def _outdated(self, cause: NodeFacts, changed: tuple[Change, ...], *, inherited: bool) -> Outdated:
        return Outdated(
            since=self._built[cause.unique_id].at,
            node=cause.unique_id,
            name=cause.name,
            resource_type=cause.resource_type,
            file=cause.file,
            inherited=inherited,
            changes=changed,
        )

    def _changes(self, node: NodeFacts) -> tuple[Change, ...]:
        """Return what differs since a node was built: its code, in the order of its facts, then its variables."""
        row = self._built.get(node.unique_id)
        if row is None or not row.finished:
            return ()
        code = self._facts.decided_by(node) | still_written_by(node, row.code)
        inputs = self._facts.inputs_of(node)
        if row.code == code and row.inputs == inputs:
            return ()
        gone = sorted(row.code.keys() - code.keys())
        decisive = changes(row.code, code, (*code, *gone))
        return decisive if UNRECORDED in decisive else decisive + changes(_as_vars(row.inputs), _as_vars(inputs))

    def _above(self, node: NodeFacts, but: Set[str] = frozenset()) -> list[NodeFacts]:
        """Return what lies upstream of a node, the nearest first; nothing of ``but``, nor what is above that alone."""
        found: dict[str, NodeFacts] = {}
        pending = deque([node])
        while pending:
            for parent_id in pending.popleft().depends_on:
                parent = self._facts.node(parent_id)
                if parent is not None and parent_id not in but and parent_id not in found:
                    found[parent_id] = parent
                    pending.append(parent)
        return list(found.values())


def _as_vars(inputs: Mapping[str, str]) -> dict[str, str]:
    return {f"{VAR} {name}": value for name, value in inputs.items()}
