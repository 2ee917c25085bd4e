"""``orchestrator plan``: the healing and the years of a run, shown beforehand; nothing is written."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.command import load_config, orchestrator_for, progress_for
from orchestrator.cli.expected_table import show_expected
from orchestrator.cli.options import CommonOptions, RangeArgument
from orchestrator.cli.output import Output
from orchestrator.cli.year_range import parse_range
from orchestrator.core.formats import not_simulated_again, nothing_to_do, resumed_at, shown_path, whole_year
from orchestrator.core.text import plural, shown_years

if TYPE_CHECKING:
    from orchestrator.pipeline.resume import Start
    from orchestrator.reports.plan import RunPlan
    from orchestrator.reports.preview import YearPreview
    from orchestrator.self_healing.healing_plan import HealingPlan


def plan(options: CommonOptions, output: Output, range_: RangeArgument = None) -> int:
    """Show what would be healed and run: dbt commands and nodes, year by year."""
    return show_plan(options, output, years=range_, needs_years=range_ is not None)


def show_plan(
    options: CommonOptions,
    output: Output,
    *,
    years: str | None,
    needs_years: bool,
    timeout: float | None = None,
    auto_initialize: bool = True,
    fresh: bool = False,
    from_year: int | None = None,
    from_stage: str | None = None,
) -> int:
    """Show the plan of a run; ``needs_years`` refuses a project that is no simulation."""
    from orchestrator.reports.plan import plan_record, plan_run  # slow to import

    first, last = parse_range(years)
    config = load_config(options, timeout=timeout)
    requested = config.years(first, last) if needs_years or config.simulation is not None else ()
    with (
        progress_for(output) as progress,
        orchestrator_for(config, [progress], auto_initialize=auto_initialize) as orchestrator,
    ):
        planned = plan_run(
            orchestrator,
            requested,
            fresh=fresh,
            from_year=from_year,
            from_stage=from_stage,
            auto_initialize=auto_initialize,
            busy=progress.busy,
        )
    output.write_json(plan_record(planned), "planned")
    show_planned(output, planned)
    return 0


def show_planned(output: Output, planned: RunPlan) -> None:
    """Write a plan for people."""
    from orchestrator.self_healing.left_out import told_left_out  # as above

    span = f" for {shown_years(planned.requested_years)}" if planned.requested_years else ""
    output.say(Text(f"Plan{span} · scenario {planned.scenario} · {shown_path(planned.database)}", "bold"))
    if planned.healing is None:
        output.say("Self-healing is off.")
    else:
        show_healing(output, planned.healing)
    left = told_left_out(planned.left_out)
    if left is not None:
        output.say(left)
    if planned.start is not None:
        _show_start(output, planned.start)
        if planned.start.done:
            output.say(f"\n{nothing_to_do(planned.requested_years)}")
    _show_years(output, planned.years)
    for warning in planned.warnings:
        output.say(Text(f"! {warning}, so `simulate` would refuse to start", "yellow"))
    show_expected(output, planned.years)


def show_healing(output: Output, healing: HealingPlan) -> None:
    """Write a healing plan for people."""
    if not healing.commands:
        output.say("Nothing to heal: every required table is ready.")
        return
    output.say(Text(f"\nHealing: {plural(len(healing.nodes), 'node')}", "bold"))
    for part in healing.commands:
        output.say(f"  {part.step}: {part.words()}, {plural(len(part.nodes), 'node')}")
        _list(output, [node.name for node in part.nodes])


def _show_start(output: Output, start: Start) -> None:
    from orchestrator.reports.plan import gone_tables  # as above

    _show_changed_elsewhere(output, start)
    if start.changed:
        output.say(f"\nStarts at {start.year} again, because since the last run")
        for change in start.changed:
            output.say(f"  {change}")
    if start.gone:
        output.say("\nFinished stages are run again, because since the last run")
        for table in gone_tables(start):
            output.say(f"  {table}")
    for loss in start.losses:
        output.say(f"\nFinished years are not what they were: {loss.words()}.")
    if start.resumed:
        output.say(f"\nResumes {resumed_at(start.year, start.stage, ending=start.ending)}.")
    if start.removed:
        output.say(f"\nRemoves first what the database holds of {shown_years(start.removed)}.")
    if start.forgone:
        output.say(Text(f"! {not_simulated_again(start.forgone)}", "yellow"))


def _show_changed_elsewhere(output: Output, start: Start) -> None:
    if start.other_years:
        models = ", ".join(start.other_years)
        output.say(f"\nStarts at {start.year}, because no single year can be taken out of {models}")
    if start.other_stages:
        output.say(f"\nStarts {whole_year(start.year, start.other_stages)}")


def _show_years(output: Output, previews: Sequence[YearPreview]) -> None:
    groups: list[list[YearPreview]] = []
    for preview in previews:
        if groups and groups[-1][0].stages == preview.stages:
            groups[-1].append(preview)
        else:
            groups.append([preview])
    for group in groups:
        years = shown_years(tuple(preview.year for preview in group))
        count = sum(len(stage.nodes) for stage in group[0].stages)
        each = " each" if len(group) > 1 else ""
        output.say(Text(f"\n{years}: {plural(len(group[0].stages), 'stage')}, {plural(count, 'node')}{each}", "bold"))
        for stage in group[0].stages:
            command = f"dbt {stage.command} --select {' '.join(stage.select)}"
            output.say(f"  {stage.name}: {command}, {plural(len(stage.nodes), 'node')}")
            _list(output, stage.nodes)


def _list(output: Output, names: Sequence[str]) -> None:
    text = ", ".join(names)
    width = output.people.width if output.people.is_terminal else len(text) + 10
    lines = textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    output.say(Text("\n".join(lines), "dim"))
