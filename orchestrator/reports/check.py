"""The state of the required tables of a database, and its JSON document."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.self_healing.left_out import LeftOut, left_out
from orchestrator.self_healing.registry import configured_tables, is_list
from orchestrator.wiring import table_checker

if TYPE_CHECKING:
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.core.errors import InitializationError
    from orchestrator.dbt_runner.process.runner import DbtRunner
    from orchestrator.dbt_runner.project.facts import ProjectFacts
    from orchestrator.self_healing.healing_plan import HealingPlan
    from orchestrator.self_healing.initialization_state import RequiredTable, TableFinding


@dataclass(frozen=True)
class CheckReport:
    """The ``required`` tables and the ``findings`` of those that are not ready.

    ``refusal`` is why healing would not repair all of them, None where it would; ``heals`` tells whether it would
    repair any, and ``plan`` how; None where nothing is to be repaired.
    ``left_out`` are the nodes of the project of which nothing is checked. ``database`` is the file, None
    for a database on a server.
    """

    required: tuple[RequiredTable, ...]
    findings: tuple[TableFinding, ...]
    refusal: InitializationError | None
    left_out: tuple[LeftOut, ...]
    database: Path | None
    heals: bool = True
    plan: HealingPlan | None = None

    @property
    def healthy(self) -> bool:
        """Tell whether every required table is ready."""
        return not self.findings

    @property
    def by_table(self) -> list[tuple[RequiredTable, TableFinding | None]]:
        """Return every required table with its finding, None where it is ready."""
        findings = {finding.table: finding for finding in self.findings}
        return [(table, findings.get(table)) for table in self.required]


def check_tables(config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts) -> CheckReport:
    """Compare the database of a configuration with the tables that its runs need; nothing is written.

    Raises:
        ConfigurationError: the list of tables names what the project does not have.
        DatabaseLockedError: a run is in progress.
    """
    checker = table_checker(config, runner, facts)
    with checker.open() as reader:
        findings = checker.findings_in(reader)
        refused, heals, plan = None, True, None
        if findings:
            from orchestrator.self_healing.planning import plan_repair  # a healthy look plans nothing

            plan = plan_repair(checker, findings, reader)
            refused, heals = plan.refusal, bool(plan.commands)
    listed = is_list(configured_tables(config))
    out = (*checker.unseen, *left_out(facts, checker.required_ids, listed=listed))
    return CheckReport(checker.required, findings, refused, out, facts.database_path, heals, plan)


def check_record(report: CheckReport) -> dict[str, object]:
    """Return the state of the required tables for JSON."""
    return {
        "healthy": report.healthy,
        "required": len(report.required),
        "tables": [_table_record(table, finding) for table, finding in report.by_table],
        "left_out": [{"name": one.name, "why": one.why} for one in report.left_out],
    }


def _table_record(table: RequiredTable, finding: TableFinding | None) -> dict[str, str | None]:
    return {
        "name": table.name,
        "tier": table.tier.value,
        "problem": finding.problem.value if finding is not None else None,
        "detail": finding.detail if finding is not None else None,
    }
