"""``orchestrator check``: the required tables and their problems; nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.command import load_config, runner_with_facts
from orchestrator.cli.fast_exit import allow_fast_exit
from orchestrator.cli.options import CommonOptions
from orchestrator.cli.output import Output
from orchestrator.core.formats import shown_path

if TYPE_CHECKING:
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.reports.check import CheckReport

FOUND = 3


def check(options: CommonOptions, output: Output) -> int:
    """Check every required table and say what is wrong; nothing is written.

    Ends with 0 when every table is ready and with 3 when one is not.
    """
    from orchestrator.reports.check import check_record  # the rooms below are slow to import
    from orchestrator.self_healing.initialization_state import heal_advice
    from orchestrator.self_healing.left_out import told_left_out

    config = load_config(options)
    report = _look(config, output)
    output.write_json(check_record(report), "healthy" if report.healthy else "unhealthy", ok=report.healthy)
    _show(output, report)
    if report.refusal is not None:
        output.say(report.refusal.message)
    not_checked = told_left_out(report.left_out)
    if not_checked is not None:
        output.say(not_checked)
    advice = heal_advice(simulates=config.simulation is not None)
    if report.refusal is not None and report.refusal.to_fix is not None:
        advice = report.refusal.to_fix + (f"; for the rest, {advice}" if report.heals else "")
    output.say(_verdict(report, options.same_workspace(advice)))
    if not config.hooks:
        allow_fast_exit()
    return 0 if report.healthy else FOUND


def _look(config: SimulationConfig, output: Output) -> CheckReport:
    """Look at the database; dbt is started, and shown, only where the project has changed since its last parse."""
    from orchestrator.reports.check import check_tables  # as above

    if config.hooks:
        from orchestrator.pipeline.hook_loading import hooks_from_config  # as above

        hooks_from_config(config)
    if config.required_tables != "auto" and any(table.call is not None for table in config.required_tables):
        from orchestrator.pipeline.hook_tables import hook_table_functions  # as above

        hook_table_functions(config)
    with runner_with_facts(config, output) as (runner, facts):
        return check_tables(config, runner, facts)


def _show(output: Output, report: CheckReport) -> None:
    width = max((len(table.name) for table in report.required), default=0)
    tier_width = max((len(table.tier.value) for table in report.required), default=0)
    for table, finding in report.by_table:
        line = Text.assemble(("✓", "green") if finding is None else ("✗", "red"), " ")
        line.append(f"{table.tier.value:<{tier_width}}  ", "dim")
        line.append(table.name if finding is None else f"{table.name:<{width}}  ")
        if finding is not None:
            line.append(f"{finding.problem.value}: ", "red").append(finding.detail)
        output.say(line)


def _verdict(report: CheckReport, advice: str) -> Text:
    required, wrong, where = len(report.required), len(report.findings), shown_path(report.database)
    if not required:
        return Text("The project requires no tables.")
    if not wrong:
        return Text(f"{_all(required)} ready in {where}.", "bold")
    text = Text(f"{wrong} of {required} required tables {'is' if wrong == 1 else 'are'} not ready in {where}.", "bold")
    return text.append("\nTo fix: ", "bold").append(advice, "not bold")


def _all(required: int) -> str:
    return "The one required table is" if required == 1 else f"All {required} required tables are"
