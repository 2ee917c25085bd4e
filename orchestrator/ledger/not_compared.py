"""What may change the rows of a project although nothing that is compared has changed."""

from __future__ import annotations

from pathlib import Path

from orchestrator.dbt_runner.project.change_targets import ChangeTargets
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.source_facts import SourceFacts
from orchestrator.ledger.contents import are_compared
from orchestrator.ledger.views import definitions_are_compared
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


def changed_by_hooks(facts: ProjectFacts) -> dict[str, tuple[str, ...]]:
    """Return the names of the tables whose rows would be compared, by what has hooks or macros that may change them."""
    if not are_compared(facts):
        return {}
    found = {
        changer: tuple(one.name for one in others if one.resource_type == "seed" or one.materialized == "table")
        for changer, others in ChangeTargets(facts).by_changer().items()
    }
    return {changer: names for changer, names in found.items() if names}


def replaced_by_hooks(facts: ProjectFacts) -> dict[str, tuple[str, ...]]:
    """Return the names of the views that would be compared, by what has hooks or macros that may replace them."""
    if not definitions_are_compared(facts):
        return {}
    found = {
        changer: tuple(one.name for one in others if one.kind == "view")
        for changer, others in ChangeTargets(facts).by_replacer().items()
    }
    return {changer: names for changer, names in found.items() if names}


def files_elsewhere(facts: ProjectFacts) -> dict[str, str]:
    """Return the places of files that are not on this machine, by the name of the external model that writes there."""
    writers = ((node.name, node.external_file) for node in facts.nodes)
    return {name: file for name, file in writers if file is not None and not Path(file).is_absolute()}


def not_compared(facts: ProjectFacts) -> tuple[str, ...]:
    """Say what may have changed unnoticed, one thing each."""
    rows = (f"rows of source {name}" for name in unwatched_sources(facts))
    read = (f"{what} (read by {', '.join(nodes)})" for what, nodes in not_reproducible(facts).items())
    hooks = (
        f"rows of {', '.join(names)} (hooks or macros of {changer} may change them)"
        for changer, names in changed_by_hooks(facts).items()
    )
    views = (
        f"definition of {', '.join(names)} (hooks or macros of {changer} may replace them)"
        for changer, names in replaced_by_hooks(facts).items()
    )
    files = (f"file {file} (written by {name})" for name, file in files_elsewhere(facts).items())
    return (*rows, *read, *hooks, *views, *files)
