"""Repairs that are not made, because they would cost rows that nothing can bring back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.core.errors import InitializationError
from orchestrator.core.text import plural
from orchestrator.database.sql import quoted_name
from orchestrator.dbt_runner.project.facts import NodeFacts
from orchestrator.self_healing.evidence import Outdated, Problem
from orchestrator.self_healing.initialization_state import TableFinding, TableTier

HARMLESS_TO_BUILD = (Problem.MISSING, Problem.WRONG_TYPE, Problem.FAILED, Problem.INCOMPLETE)
NAMED = 5


@dataclass(frozen=True)
class Refusal:
    """Why one node is not built again, and what to do about it."""

    node: NodeFacts
    message: str
    to_fix: str


def refused_loss(
    node: NodeFacts, finding: TableFinding, holds_rows: Callable[[NodeFacts], bool], *, simulates: bool
) -> Refusal | None:
    """Return why the table of a finding is not built again, None where that costs nothing.

    ``simulates`` tells whether the project has years.
    """
    redefined = isinstance(finding.seen, Outdated) and not finding.seen.inherited
    if node.resource_type == "snapshot" and redefined and holds_rows(node):
        kept = quoted_name(f"{node.relation.name}_until_now")
        return Refusal(
            node,
            f"Snapshot {node.name} {finding.detail}. It holds a history that cannot be built again, so it is left "
            "as it is.",
            "take the change back, or keep the history under another name (alter table "
            f"{node.relation.quoted()} rename to {kept}), and a new one will be begun; if the change makes no "
            f"difference to it, {_accept(node)}",
        )
    if not keeps(node, holds_rows):
        return None
    if node.batched and finding.problem in (Problem.FAILED, Problem.INCOMPLETE):
        return Refusal(
            node,
            f"Table {node.name} {finding.detail}. It is built batch by batch, and dbt would not make up for those "
            "that are missing.",
            _empty(node),
        )
    if finding.problem in HARMLESS_TO_BUILD:
        return None
    rows = "rows of simulated years" if simulates else "rows that may not come back"
    again = " and simulate again" if simulates else ""
    if finding.problem is Problem.STALE:
        return Refusal(
            node,
            f"Table {node.name} {finding.detail}. It is incremental and contains {rows}, so it is not rebuilt "
            "automatically.",
            f"{_empty(node)}; if its rows are up to date already, {_accept(node)}; or move the database aside with "
            f"`orchestrator init --recreate`{again}",
        )
    return Refusal(
        node,
        f"Table {node.name} {finding.detail}, and it contains {rows}, so it is not rebuilt automatically.",
        "fix its columns by hand (alter table), or "
        + (
            "simulate all years again: `orchestrator simulate --fresh`"
            if finding.table.tier is TableTier.STATE
            else f"move the database aside with `orchestrator init --recreate`{again}"
        ),
    )


def refused_old_rows(node: NodeFacts, why: str) -> Refusal:
    """Return the refusal to leave an incremental table with rows made of what has changed above it."""
    message = f"Table {node.name} is incremental and contains rows built from outdated inputs: {why}. "
    return Refusal(node, f"{message}It is not rebuilt automatically.", _empty(node))


def keeps(node: NodeFacts, holds_rows: Callable[[NodeFacts], bool]) -> bool:
    """Tell whether a table holds rows that building it again would not bring back."""
    return node.materialized == "incremental" and holds_rows(node)


def as_error(refusals: Sequence[Refusal], held: Sequence[NodeFacts]) -> InitializationError | None:
    """Return one error for all refusals, None where there are none; ``held`` is held back by them."""
    if not refusals:
        return None
    parts = [refusal.message for refusal in refusals[:NAMED]]
    if len(refusals) > NAMED:
        parts.append(f"{plural(len(refusals) - NAMED, 'more table')} cannot be rebuilt either.")
    if held:
        names = ", ".join(node.name for node in held[:NAMED]) + (" …" if len(held) > NAMED else "")
        parts.append(f"Held back with {'it' if len(refusals) == 1 else 'them'}: {names}.")
    return InitializationError(
        " ".join(parts),
        step="check_tables",
        tables=[refusal.node.name for refusal in refusals],
        to_fix="; ".join(dict.fromkeys(refusal.to_fix for refusal in refusals[:NAMED])),
    )


def _accept(node: NodeFacts) -> str:
    return f"run `orchestrator init --accept {node.name}`"


def _empty(node: NodeFacts) -> str:
    return f"empty {node.name} (delete from {node.relation.quoted()}), and it will be rebuilt"
