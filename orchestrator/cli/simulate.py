"""``orchestrator simulate``: heal, run the years, sum up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from orchestrator.cli.clock import since_start
from orchestrator.cli.command import exit_fast_unless_hooked, load_config, orchestrator_for, progress_for
from orchestrator.cli.confirmation import ask, can_ask
from orchestrator.cli.options import (
    NO_VALUE,
    CommonOptions,
    FromStageOption,
    FromYearOption,
    RangeArgument,
    TimeoutOption,
)
from orchestrator.cli.output import Output
from orchestrator.cli.plan import show_plan
from orchestrator.cli.summary import show_summary
from orchestrator.cli.time_table import show_time_spent
from orchestrator.cli.year_range import parse_range
from orchestrator.core.annotations import checked_note, checked_tags
from orchestrator.core.formats import not_simulated_again, nothing_to_do, shown_path
from orchestrator.core.text import shown_years
from orchestrator.reports.closing import LINES, not_replayed, recorded_years, told_warnings
from orchestrator.reports.results import simulation_record
from orchestrator.reports.time_spent import TimeSpent
from orchestrator.self_healing.left_out import told_left_out
from orchestrator.storage.initialization import is_ready

if TYPE_CHECKING:
    from orchestrator.pipeline.resume import Start
    from orchestrator.pipeline.workflow import SimulationResult


def simulate(
    options: CommonOptions,
    output: Output,
    range_: RangeArgument = None,
    *,
    fresh: Annotated[
        bool, typer.Option("--fresh", metavar=NO_VALUE, help="Start at the first year, whatever is done already.")
    ] = False,
    from_year: FromYearOption = None,
    from_stage: FromStageOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar=NO_VALUE, help="Show the plan; run and write nothing.")
    ] = False,
    no_auto_initialize: Annotated[
        bool,
        typer.Option(
            "--no-auto-initialize", metavar=NO_VALUE, help="Do not repair the database; fail if it is not ready."
        ),
    ] = False,
    timeout: TimeoutOption = None,
    note: Annotated[
        str | None,
        typer.Option("--note", metavar="TEXT", help="Note about the run, for the history.", show_default=False),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="NAME", help="Tag of the run, for the history; repeatable.", show_default=False),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", metavar=NO_VALUE, help="Remove finished years that this run does not build again, without asking."
        ),
    ] = False,
) -> int:
    """Heal the database where needed, then run every stage of every year that is not finished."""
    if dry_run:
        return show_plan(
            options,
            output,
            years=range_,
            needs_years=True,
            timeout=timeout,
            auto_initialize=not no_auto_initialize,
            fresh=fresh,
            from_year=from_year,
            from_stage=from_stage,
        )
    first, last = parse_range(range_)
    tags = checked_tags(tag or ())
    note = checked_note(note)
    config = load_config(options, timeout=timeout)
    span = shown_years(config.years(first, last))
    database = shown_path(config.database_path)
    output.say(Text(f"Simulating {span} · scenario {config.scenario} · {database}", "bold"))
    spent = TimeSpent(since_start)
    with (
        progress_for(output) as progress,
        orchestrator_for(config, [progress, spent], auto_initialize=not no_auto_initialize) as orchestrator,
    ):

        def may_forgo(start: Start) -> bool:
            if yes:
                return True
            with progress.paused():
                return _agreed(output, start)

        result = orchestrator.execute_multi_year_simulation(
            first,
            last,
            fresh=fresh,
            from_year=from_year,
            from_stage=from_stage,
            forgo_years=may_forgo,
            note=note,
            tags=tags,
        )
    time = spent.report()
    output.write_json(simulation_record(result, time))
    show_summary(output, result.summary)
    if result.nothing_to_do:
        output.say(nothing_to_do(config.years(first, last)))
        if result.not_compared:
            output.say(f"Not compared: {'; '.join(result.not_compared)}")
        _show_closing(output, result)
        exit_fast_unless_hooked(orchestrator)
        return 0
    show_time_spent(output, time)
    output.say()
    output.say(f"database  {shown_path(result.database)}")
    output.say(f"run       {result.run_id}")
    replayed = tuple(year.year for year in result.years if year.replayed)
    if replayed:
        recorded = recorded_years(result)
        also = f" ({shown_years(recorded)}: recorded for later years)" if recorded else ""
        output.say(f"replayed  {shown_years(replayed)}: recorded statements, with the SQL of these years{also}")
    _show_closing(output, result)
    if config.storage.enabled and is_ready(config.storage_url):
        output.say(f"history   {options.carried_by(f'orchestrator runs show {result.run_id[:8]}')}")
    events = config.root / "var" / "runs" / result.run_id / "events.jsonl"
    if os.path.isfile(events):  # noqa: PTH113 - else a warning has said why not; is_file raises in a closed folder
        output.say(f"events    {shown_path(events)}")
    exit_fast_unless_hooked(orchestrator)
    return 0


def _agreed(output: Output, start: Start) -> bool:
    """Ask whether years may go that the run does not build again; where nobody can be asked, they may not."""
    if not can_ask(output):
        return False
    what = f"This run removes {shown_years(start.removed)} from the database; {not_simulated_again(start.forgone)}."
    return ask(output, what)


def _show_closing(output: Output, result: SimulationResult) -> None:
    """Say why dbt ran what was not replayed, which tests warned, and which nodes nothing looks at."""
    reasons = list(map(str, not_replayed(result)))
    for label, lines in (("by dbt", reasons), ("warned", list(told_warnings(result, shown_path)))):
        for line in lines[:LINES]:
            output.say(f"{label:<9} {line}")
        if len(lines) > LINES:
            output.say(f"{label:<9} and {len(lines) - LINES} more; --json has all of them")
    changed = (*result.changed_files, *result.edited_files)
    if changed:
        output.say(f"changed   {', '.join(changed)}, while the run went on")
    left = told_left_out(result.left_out)
    if left is not None:
        output.say(left)
