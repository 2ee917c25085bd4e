"""``orchestrator plan``: what would be healed and run; nothing is written."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.command import load_config, orchestrator_for, progress_for, shown_path
from orchestrator.cli.expected_table import show_expected
from orchestrator.cli.options import CommonOptions, RangeArgument
from orchestrator.cli.output import Output
from orchestrator.cli.words import not_again, shown_years
from orchestrator.cli.year_range import parse_range
from orchestrator.core.text import plural

if TYPE_CHECKING:
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.pipeline.orchestrator import PipelineOrchestrator
    from orchestrator.pipeline.resume import Start
    from orchestrator.pipeline.stage_history import StageHistory
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
) -> int:
    """Show the plan of a run; ``needs_years`` refuses a project that is no simulation."""
    from orchestrator.pipeline.stage_history import all_known
    from orchestrator.pipeline.year_variable import nobody_reads, year_is_read
    from orchestrator.reports.preview import left_to_run, preview_years, with_expected, without_nodes  # slow to import

    first, last = parse_range(years)
    config = load_config(options, timeout=timeout)
    wanted = config.years(first, last) if needs_years or config.simulation is not None else ()
    with (
        progress_for(output) as progress,
        orchestrator_for(config, [progress], auto_initialize=auto_initialize) as orchestrator,
    ):
        healing = orchestrator.initializer.plan() if auto_initialize else None
        start = orchestrator.find_start(first, last, fresh=fresh) if wanted else None
        previews = preview_years(config, orchestrator.runner, wanted, busy=progress.busy) if wanted else ()
        previews = with_expected(previews, _history(config, orchestrator)) if wanted else ()
        unread = [] if not wanted or year_is_read(orchestrator.runner.facts()) else [nobody_reads(config)]
    previews = previews if start is None else left_to_run(previews, start)
    output.write_json(
        {
            "scenario": config.scenario,
            "database": config.database_path,
            "healing": healing_record(healing),
            "resumed_from": None if start is None else start.point,
            "changes": () if start is None else (*start.changed, *_gone(start)),
            "expected_seconds": all_known(preview.expected_seconds for preview in previews) if previews else None,
            "years": [_year_record(preview) for preview in previews],
        }
        | ({"removes": start.removed} if start is not None and start.removed else {})
    )
    span = f" for {shown_years(wanted)}" if wanted else ""
    output.say(Text(f"Plan{span} · scenario {config.scenario} · {shown_path(config.database_path)}", "bold"))
    if healing is None:
        output.say("Self-healing is off.")
    else:
        show_healing(output, healing)
    if start is not None:
        _show_start(output, start)
    _show_years(output, previews)
    for said in (*without_nodes(previews), *unread):
        output.say(Text(f"! {said}, so `simulate` would refuse to begin", "yellow"))
    show_expected(output, previews)
    return 0


def _history(config: SimulationConfig, orchestrator: PipelineOrchestrator) -> StageHistory:
    """Return what stages took: by the history of runs, of all databases, else by the ledger of this one."""
    from orchestrator.pipeline.stage_history import StageHistory, StageTime
    from orchestrator.storage.factory import open_existing

    assert config.simulation is not None
    with open_existing(config) as backend:
        found = [] if backend is None else backend.stage_seconds(str(config.root), config.scenario)
    if not found:
        return orchestrator.stage_history()
    return StageHistory(tuple(StageTime(*one) for one in found), config.simulation.start_year)


def healing_record(healing: HealingPlan | None) -> list[dict[str, object]]:
    """Return a healing plan for JSON."""
    return [
        {"step": command.step, "command": command.words(), "nodes": [node.name for node in command.nodes]}
        for command in (healing.commands if healing is not None else ())
    ]


def show_healing(output: Output, healing: HealingPlan) -> None:
    """Write a healing plan for people."""
    if not healing.commands:
        output.say("Nothing to heal: every required table is ready.")
        return
    output.say(Text(f"\nHealing: {_nodes(len(healing.nodes))}", "bold"))
    for part in healing.commands:
        output.say(f"  {part.step}: {part.words()}, {_nodes(len(part.nodes))}")
        _list(output, [node.name for node in part.nodes])


def _show_start(output: Output, start: Start) -> None:
    if start.changed:
        output.say(f"\nStarts at {start.year} again, because since the last run")
        for change in start.changed:
            output.say(f"  {change}")
    if start.gone:
        output.say("\nFinished stages are run again, because since the last run")
        for gone in _gone(start):
            output.say(f"  {gone}")
    for loss in start.losses:
        output.say(f"\nRows are gone: {loss.words()}.")
    if start.resumed:
        output.say(f"\nGoes on at {start.stage} of {start.year}: what comes before it is done.")
    if start.removed:
        output.say(f"\nRemoves first what the database holds of {shown_years(start.removed)}.")
    if start.forgone:
        output.say(Text(f"! {not_again(start.forgone)}", "yellow"))


def _gone(start: Start) -> tuple[str, ...]:
    return tuple(f"table {name} is gone" for name in start.gone)


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
        output.say(Text(f"\n{years}: {plural(len(group[0].stages), 'stage')}, {_nodes(count)}{each}", "bold"))
        for stage in group[0].stages:
            words = f"dbt {stage.command} --select {' '.join(stage.select)}"
            output.say(f"  {stage.name}: {words}, {_nodes(len(stage.nodes))}")
            _list(output, stage.nodes)


def _list(output: Output, names: Sequence[str]) -> None:
    words = ", ".join(names)
    width = output.people.width if output.people.is_terminal else len(words) + 10
    lines = textwrap.wrap(words, width, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    output.say(Text("\n".join(lines), "dim"))


def _nodes(count: int) -> str:
    return f"{count} node{'' if count == 1 else 's'}"


def _year_record(preview: YearPreview) -> dict[str, object]:
    stages = [
        {
            "name": stage.name,
            "command": f"dbt {stage.command}",
            "select": stage.select,
            "nodes": stage.nodes,
            "expected_seconds": stage.expected_seconds,
        }
        for stage in preview.stages
    ]
    return {"year": preview.year, "expected_seconds": preview.expected_seconds, "stages": stages}
