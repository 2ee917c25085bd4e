"""Name what decides rows and is no input of any fingerprint: rows that others load, the clock, random numbers."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core.text import plural
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.ledger.not_compared import (
    changed_by_hooks,
    files_elsewhere,
    not_reproducible,
    replaced_by_hooks,
    sources_of_others,
    unwatched_sources,
)
from orchestrator.maintenance.doctor.diagnosis import Diagnosis, check_passed, worth_noting

SHOWN = 50


def check_inputs(facts: ProjectFacts) -> list[Diagnosis]:
    """Say which sources are not watched, and which nodes give other rows although nothing has changed."""
    found: list[Diagnosis] = []
    sources = sources_of_others(facts)
    unwatched = unwatched_sources(facts)
    if unwatched:
        names = _listed(unwatched)
        detail = (
            f"{plural(len(unwatched), 'source')} of which the rows are not compared, because others load them: {names}"
        )
        remedy = "write `meta: {watch: rows}` or `meta: {watch: content}` at a source, and its rows count as an input"
        found.append(worth_noting("inputs", detail, remedy=remedy))
    for what, nodes in not_reproducible(facts).items():
        found.append(worth_noting("inputs", f"not reproducible, reads {what}: {_listed(nodes)}"))
    for changer, tables in changed_by_hooks(facts).items():
        detail = f"rows that are not compared, because hooks or macros of {changer} may change them: {_listed(tables)}"
        remedy = "write to a table of a fixed name that no node builds, if it is a log"
        found.append(worth_noting("inputs", detail, remedy=remedy))
    for changer, views in replaced_by_hooks(facts).items():
        detail = f"views that are not compared, because hooks or macros of {changer} may replace them: {_listed(views)}"
        found.append(worth_noting("inputs", detail))
    elsewhere = [f"{name} ({file})" for name, file in files_elsewhere(facts).items()]
    if elsewhere:
        detail = f"files that are not compared, because they are not on this machine: {_listed(elsewhere)}"
        found.append(worth_noting("inputs", detail))
    if found:
        return found
    watched = f", {plural(len(sources), 'source')} watched" if sources else ""
    return [check_passed("inputs", f"all that {plural(len(facts.nodes), 'node')} can read is compared{watched}")]


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - SHOWN
    return ", ".join(listed[:SHOWN]) + (f" and {more} more" if more > 0 else "")
