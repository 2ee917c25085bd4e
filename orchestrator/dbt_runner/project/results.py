"""Results of a dbt command, as values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.database.names import RelationName
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.places import placed

LONGEST = 150  # characters of a file's name
NOTHING_FITS = "no recording fits what the database held, so it was recorded"
"""Says why a stage was not replayed where nothing is wrong: it is the first of its kind."""


@dataclass(frozen=True)
class NodeResult:
    """The outcome of one node; ``status`` is dbt's own word.

    ``rows`` is what the adapter reported as affected, for a test the failing rows, None where it reports none;
    ``message`` is the database's own text; ``file`` is relative to the dbt project; ``sql`` is the compiled
    query of a test that found rows, None for everything else.
    """

    unique_id: str
    name: str
    resource_type: str
    status: str
    seconds: float
    rows: int | None
    message: str | None
    file: str
    sql: str | None = None

    @property
    def file_name(self) -> str:
        """Return its name as that of a file: generic tests have names longer than a file may have."""
        if len(self.name) <= LONGEST:
            return self.name
        return f"{self.name[:LONGEST]}_{hashlib.sha256(self.unique_id.encode()).hexdigest()[:8]}"

    @property
    def failed(self) -> bool:
        """Tell whether dbt counts this outcome as a failure."""
        return self.status in ("error", "fail", "runtime error", "partial success")


@dataclass(frozen=True)
class DbtResult:
    """The outcome of one dbt command over one selection; ``seconds`` is its whole duration.

    ``replayed`` tells that no node of it was run by dbt; ``not_replayed`` says why it was not, where that was wanted.
    ``places`` are the relations, by unique id, of nodes that built another one than in the first year.
    """

    command: str
    nodes: tuple[NodeResult, ...]
    seconds: float
    replayed: bool = False
    not_replayed: str | None = None
    places: tuple[tuple[str, RelationName], ...] = ()

    @property
    def warnings(self) -> tuple[NodeResult, ...]:
        """Return the tests of severity warn that found rows, in dbt's order."""
        return tuple(node for node in self.nodes if node.resource_type == "test" and node.status == "warn")

    @property
    def built(self) -> frozenset[str]:
        """Return the unique ids of its nodes, and of those in another place than in the first year the ids there."""
        there = (placed(unique_id, relation) for unique_id, relation in self.places)
        return frozenset((*(node.unique_id for node in self.nodes), *there))

    @property
    def failures(self) -> tuple[NodeResult, ...]:
        """Return the nodes that failed by themselves, in dbt's order; skipped ones are not among them."""
        return tuple(node for node in self.nodes if node.failed)


def moved(
    first: ProjectFacts, now: ProjectFacts, results: Iterable[NodeResult]
) -> tuple[tuple[str, RelationName], ...]:
    """Return the relations, by unique id, of nodes that build another one ``now`` than ``first``."""
    pairs = ((first.node(one.unique_id), now.node(one.unique_id)) for one in results)
    both = ((before, after) for before, after in pairs if before is not None and after is not None and after.builds)
    return tuple((after.unique_id, after.relation) for before, after in both if after.relation != before.relation)
