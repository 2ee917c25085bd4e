"""What may change the rows of a project although nothing that is compared has changed."""

from __future__ import annotations

from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.source_facts import SourceFacts
from orchestrator.ledger.watched import is_watched


def sources_of_others(facts: ProjectFacts) -> tuple[SourceFacts, ...]:
    """Return the sources whose rows others load."""
    built = {node.relation for node in facts.nodes if node.resource_type != "test"}
    return tuple(source for source in facts.sources if source.relation not in built and not source.of_files)


def unwatched_sources(facts: ProjectFacts) -> tuple[str, ...]:
    """Return the names of the sources whose rows others load, and are no input."""
    unwatched = (source for source in sources_of_others(facts) if not is_watched(source, facts))
    return tuple(f"{source.source_name}.{source.name}" for source in unwatched)


def not_reproducible(facts: ProjectFacts) -> dict[str, tuple[str, ...]]:
    """Return the names of the nodes that give other rows each time, by what they read: the clock, for example."""
    kinds = sorted({what for node in facts.nodes for what in node.unseen})
    return {what: tuple(node.name for node in facts.nodes if what in node.unseen) for what in kinds}


def not_compared(facts: ProjectFacts) -> tuple[str, ...]:
    """Say what may have changed unnoticed, one thing each."""
    rows = (f"rows of source {name}" for name in unwatched_sources(facts))
    read = (f"{what} (read by {', '.join(nodes)})" for what, nodes in not_reproducible(facts).items())
    return (*rows, *read)
