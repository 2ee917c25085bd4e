"""``orchestrator check``: what is required, what is wrong; nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from orchestrator.cli.command import ended, load_config, progress_for, shown_path
from orchestrator.cli.leaving import nothing_is_left
from orchestrator.cli.options import CommonOptions
from orchestrator.cli.output import Output
from orchestrator.core.fan_out import fan_out

if TYPE_CHECKING:
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.core.errors import InitializationError
    from orchestrator.database.reader import DatabaseReader
    from orchestrator.dbt_runner.process.runner import DbtRunner
    from orchestrator.dbt_runner.project.facts import ProjectFacts
    from orchestrator.self_healing.initialization_state import RequiredTable, TableFinding
    from orchestrator.self_healing.table_checker import TableExistenceChecker

FOUND = 3


def check(options: CommonOptions, output: Output) -> int:
    """Check every required table and say what is wrong; nothing is written.

    Ends with 0 when every table is ready and with 3 when one is not.
    """
    from orchestrator.self_healing.initialization_state import heal_advice  # its package is slow to import

    config = load_config(options)
    look = _look(config, output)
    findings = {finding.table: finding for finding in look.findings}
    output.write_json(
        {
            "healthy": not findings,
            "required": len(look.required),
            "tables": [_row(table, findings.get(table)) for table in look.required],
        }
    )
    _show(output, look.required, findings)
    where = shown_path(look.database)
    if look.refused is not None:
        output.say(look.refused.message)
    advice = heal_advice(simulates=config.simulation is not None)
    if look.refused is not None and look.refused.to_fix is not None:
        advice = look.refused.to_fix
    output.say(_verdict(len(look.required), len(findings), where, options.same_workspace(advice)))
    if not config.hooks:
        nothing_is_left()
    return FOUND if findings else 0


class _Look(NamedTuple):
    required: tuple[RequiredTable, ...]
    findings: tuple[TableFinding, ...]
    refused: InitializationError | None
    database: Path | None


def _look(config: SimulationConfig, output: Output) -> _Look:
    """Look at the database; dbt is started, and shown, only where the project has changed since its last parse."""
    from orchestrator.wiring import dbt_runner, table_checker  # slow to import

    if config.hooks:
        from orchestrator.pipeline.hook_loading import hooks_from_config  # as above

        hooks_from_config(config)

    def look(runner: DbtRunner, facts: ProjectFacts) -> _Look:
        checker = table_checker(config, runner, facts)
        with checker.open() as reader:
            findings = checker.findings_in(reader)
            refused = _refusal(checker, findings, reader) if findings else None
        return _Look(checker.required, findings, refused, facts.database_path)

    quick = dbt_runner(config)
    known = quick.known_facts()
    if known is not None:
        return look(quick, known)
    with progress_for(output) as progress, ended(dbt_runner(config, fan_out([progress]))) as runner:
        return look(runner, runner.facts())


def _refusal(
    checker: TableExistenceChecker, findings: tuple[TableFinding, ...], reader: DatabaseReader
) -> InitializationError | None:
    from orchestrator.self_healing.planning import refusal  # a healthy look plans nothing

    return refusal(checker, findings, reader)


def _row(table: RequiredTable, finding: TableFinding | None) -> dict[str, str | None]:
    return {
        "name": table.name,
        "tier": table.tier.value,
        "problem": finding.problem.value if finding is not None else None,
        "detail": finding.detail if finding is not None else None,
    }


def _show(output: Output, required: tuple[RequiredTable, ...], findings: dict[RequiredTable, TableFinding]) -> None:
    width = max((len(table.name) for table in required), default=0)
    tier_width = max((len(table.tier.value) for table in required), default=0)
    for table in required:
        finding = findings.get(table)
        line = Text.assemble(("✓", "green") if finding is None else ("✗", "red"), " ")
        line.append(f"{table.tier.value:<{tier_width}}  ", "dim")
        line.append(table.name if finding is None else f"{table.name:<{width}}  ")
        if finding is not None:
            line.append(f"{finding.problem.value}: ", "red").append(finding.detail)
        output.say(line)


def _verdict(required: int, wrong: int, where: str, advice: str) -> Text:
    if not required:
        return Text("The project requires no tables.")
    if not wrong:
        return Text(f"{_all(required)} ready in {where}.", "bold")
    text = Text(f"{wrong} of {required} required tables {'is' if wrong == 1 else 'are'} not ready in {where}.", "bold")
    return text.append("\nTo fix: ", "bold").append(advice, "not bold")


def _all(required: int) -> str:
    return "The one required table is" if required == 1 else f"All {required} required tables are"
