"""Plan the repair of what was found in an open database."""

from __future__ import annotations

from collections.abc import Sequence, Set

from orchestrator.database.reader import DatabaseReader
from orchestrator.dbt_runner.project.facts import NodeFacts
from orchestrator.self_healing.evidence import Problem
from orchestrator.self_healing.healing_plan import HealingPlan, make_plan
from orchestrator.self_healing.initialization_state import TableFinding
from orchestrator.self_healing.registry import node_of
from orchestrator.self_healing.sight import Sight
from orchestrator.self_healing.table_checker import TableExistenceChecker


def plan_repair(
    checker: TableExistenceChecker,
    findings: Sequence[TableFinding],
    reader: DatabaseReader,
    expendable: Set[str] = frozenset(),
) -> HealingPlan:
    """Return the smallest repair of ``findings``; ``expendable`` are unique ids of models whose rows nobody needs.

    What would cost rows is refused in it, and nothing else.
    """
    facts, sight = checker.facts, Sight(reader, checker.facts)
    staleness = checker.staleness(reader)

    def holds_rows(node: NodeFacts) -> bool:
        relation = sight.relation(node)
        if relation is None or relation.kind != "table" or node.unique_id in expendable:
            return False
        return bool(reader.query(f"select 1 from {node.relation.quoted()} limit 1"))

    def is_there(node: NodeFacts) -> bool:
        if sight.relation(node) is None:
            return (sight.why_unseen(node) or staleness.why_invisible(node)) is not None
        return sight.lost_file(node) is None

    stale = [node_of(finding.table, facts) for finding in findings if finding.problem is Problem.STALE]
    outdated = staleness.outdated_ancestors(stale) if stale else set()
    return make_plan(findings, checker.required, facts, is_there, holds_rows, outdated)
