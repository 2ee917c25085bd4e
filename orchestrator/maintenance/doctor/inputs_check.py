"""Name what decides rows and is no input of any fingerprint: rows that others load, the clock, random numbers."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core.text import plural
from orchestrator.dbt_runner.project.facts import ProjectFacts, SourceFacts
from orchestrator.ledger.watched import is_watched
from orchestrator.maintenance.doctor.diagnosis import Diagnosis, check_passed, worth_noting

SHOWN = 8


def check_inputs(facts: ProjectFacts) -> list[Diagnosis]:
    """Say which sources are not watched, and which nodes give other rows although nothing has changed."""
    found: list[Diagnosis] = []
    sources = _loaded_by_others(facts)
    unwatched = [source for source in sources if not is_watched(source, facts)]
    if unwatched:
        names = _listed(f"{source.source_name}.{source.name}" for source in unwatched)
        detail = (
            f"{plural(len(unwatched), 'source')} of which the rows are not compared, because others load them: {names}"
        )
        remedy = "write `meta: {watch: rows}` or `meta: {watch: content}` at a source, and its rows count as an input"
        found.append(worth_noting("inputs", detail, remedy=remedy))
    for what in sorted({what for node in facts.nodes for what in node.unseen}):
        nodes = [node.name for node in facts.nodes if what in node.unseen]
        found.append(worth_noting("inputs", f"not reproducible, reads {what}: {_listed(nodes)}"))
    if found:
        return found
    watched = f", {plural(len(sources), 'source')} watched" if sources else ""
    return [check_passed("inputs", f"all that {plural(len(facts.nodes), 'node')} can read is compared{watched}")]


def _loaded_by_others(facts: ProjectFacts) -> list[SourceFacts]:
    built = {node.relation for node in facts.nodes if node.resource_type != "test"}
    return [source for source in facts.sources if source.relation not in built and not source.of_files]


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - SHOWN
    return ", ".join(listed[:SHOWN]) + (f" and {more} more" if more > 0 else "")
