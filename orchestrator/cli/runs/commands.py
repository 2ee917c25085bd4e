"""``orchestrator runs list | show | diff | note | tag | import | delete``."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.completion import run_ids, scenario_names
from orchestrator.cli.options import NO_VALUE, CommonOptions
from orchestrator.cli.output import Output
from orchestrator.cli.runs.history import open_history, parse_since
from orchestrator.core.errors import ConfigurationError
from orchestrator.reports.run_history import (
    SHORT,
    compare_runs,
    find_run,
    list_runs,
    newest_running,
    read_ended,
    read_run,
    with_status,
    write_note,
    write_tags,
)
from orchestrator.reports.runs import comparison_record, full_record, list_record
from orchestrator.storage.base import COMPLETED, CRASHED, RUNNING, STATUSES

LETTERS_TO_DELETE = 4

RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="ID",
        autocompletion=run_ids,
        help="Id of the run or its beginning; by default the newest.",
        show_default=False,
    ),
]
OneRunArgument = Annotated[
    str,
    typer.Argument(metavar="ID", autocompletion=run_ids, help="Id of the run or its beginning.", show_default=False),
]


def list_(
    options: CommonOptions,
    output: Output,
    *,
    scenario: Annotated[
        str | None,
        typer.Option(
            "--scenario",
            metavar="NAME",
            autocompletion=scenario_names,
            help="Only runs of this scenario.",
            show_default=False,
        ),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Only runs with this status: running, completed, failed, interrupted, cancelled, crashed; repeatable.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="WHEN", help="Only runs started since: 2026-11-01, 12h, 7d …", show_default=False
        ),
    ] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", metavar="NAME", help="Only runs with this tag.", show_default=False)
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option("--sweep", metavar="NAME", help="Runs of the members of this sweep.", show_default=False),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1_000_000, help="Show at most this many runs.")
    ] = 20,
) -> int:
    """List runs, newest first."""
    from orchestrator.cli.runs.views import show_list  # the rooms below are slow to import

    wanted = status or []
    unknown = [status for status in wanted if status not in (*STATUSES, CRASHED)]
    if unknown:
        raise ConfigurationError(
            f"--status is {unknown[0]!r}, which no run has.", to_fix=f"give one of {', '.join((*STATUSES, CRASHED))}"
        )
    moment = parse_since(since)
    with open_history(options) as (config, backend):
        found = list_runs(backend, scenario=scenario, statuses=wanted, since=moment, tag=tag, sweep=sweep, limit=limit)
    output.write_json(list_record(found), "listed")
    if not found.runs and not found.sweeps:
        filtered = bool(wanted or scenario or since or tag or sweep)
        years = config.simulation is not None
        none = (
            "`orchestrator simulate` makes one." if years else "only simulations are recorded, and there are no years."
        )
        output.say("No such run." if filtered else options.same_workspace(f"No run yet: {none}"))
        return 0
    show_list(output, found)
    if found.more:
        output.say(f"\nThe newest {limit}; --limit shows more.")
    return 0


def show(
    options: CommonOptions,
    output: Output,
    run_id: RunArgument = None,
    *,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            metavar=NO_VALUE,
            help="Show what it does until it ends; without ID, the newest that is in progress.",
        ),
    ] = False,
) -> int:
    """Show a run: its steps as bars on a line of time, parameters, versions, results, error."""
    from orchestrator.cli.runs.views import LOOK_AGAIN, show_run

    if follow:
        return _follow(options, output, run_id)
    with open_history(options) as (config, backend):
        found = read_run(backend, run_id, years=config.simulation is not None)
    output.write_json(full_record(found))
    show_run(output, found, advice=options.same_workspace(LOOK_AGAIN))
    return 0


def _follow(options: CommonOptions, output: Output, run_id: str | None) -> int:
    from orchestrator.cli.runs.follow import follow_run
    from orchestrator.cli.runs.views import show_end, show_start
    from orchestrator.reports.remaining import remaining_time
    from orchestrator.storage.importing import EVENTS

    with open_history(options) as (config, backend):
        run = newest_running(backend) if run_id is None else find_run(backend, run_id)
        remaining = remaining_time(backend, run)
        ((_, now),) = with_status(backend, [run])
    show_start(output, run)
    file = config.root / "var" / "runs" / run.id / EVENTS
    status = follow_run(output, file, remaining, alive=lambda: now == RUNNING)
    with open_history(options) as (_, backend):
        found = read_ended(backend, run.id)
    output.write_json(full_record(found))
    show_end(output, found, status)
    return 0 if status == COMPLETED else 1


def diff(
    options: CommonOptions,
    output: Output,
    a: Annotated[
        str,
        typer.Argument(metavar="A", autocompletion=run_ids, help="Id of a run, or its beginning.", show_default=False),
    ],
    b: Annotated[
        str, typer.Argument(metavar="B", autocompletion=run_ids, help="Id of another run.", show_default=False)
    ],
) -> int:
    """Show parameters, versions, results, rows and times of two runs side by side, where they differ."""
    from orchestrator.cli.runs.comparison import show_comparison

    with open_history(options) as (_, backend):
        found = compare_runs(backend, a, b)
    output.write_json(comparison_record(found), "compared")
    show_comparison(output, found)
    return 0


def note(
    options: CommonOptions,
    output: Output,
    run_id: OneRunArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The note; an empty one removes it.", show_default=False)],
) -> int:
    """Write a note about a run, in place of its old one."""
    with open_history(options) as (_, backend):
        run, found = write_note(backend, run_id, text)
    output.write_json({"run_id": run.id, "note": found.note, "tags": found.tags}, "annotated")
    output.say(f"Run {run.id[:SHORT]} has {'no note' if found.note is None else f'the note: {found.note}'}")
    return 0


def tag(
    options: CommonOptions,
    output: Output,
    run_id: OneRunArgument,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="One or more tags.", show_default=False)],
    *,
    remove: Annotated[bool, typer.Option("--remove", metavar=NO_VALUE, help="Take these tags away instead.")] = False,
) -> int:
    """Give a run tags, beside those that it has."""
    with open_history(options) as (_, backend):
        run, found = write_tags(backend, run_id, names, remove=remove)
    output.write_json({"run_id": run.id, "note": found.note, "tags": found.tags}, "annotated")
    output.say(f"Run {run.id[:SHORT]} has {'the tags: ' + ', '.join(found.tags) if found.tags else 'no tags'}")
    return 0


def import_(
    options: CommonOptions,
    output: Output,
    run_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Ids of runs, folders of var/runs; by default all.", show_default=False),
    ] = None,
) -> int:
    """Bring runs into the history from their events in var/runs; those that are there already are left alone."""
    from orchestrator.storage.importing import UNREADABLE, import_runs

    with open_history(options) as (config, backend):
        found = import_runs(backend, config.root / "var" / "runs", run_ids or [])
    unreadable = any(one.outcome == UNREADABLE for one in found)
    output.write_json({"runs": found}, "imported", ok=not unreadable)
    for one in found:
        output.say(f"{one.run_id}  {one.outcome}" + (f": {one.detail}" if one.detail else ""))
    if not found:
        output.say("There are no events in var/runs.")
    return 1 if unreadable else 0


def delete(
    options: CommonOptions,
    output: Output,
    run_ids: Annotated[
        list[str],
        typer.Argument(
            metavar="ID...", autocompletion=run_ids, help="Ids of runs, or their beginnings.", show_default=False
        ),
    ],
    *,
    force: Annotated[
        bool, typer.Option("--force", metavar=NO_VALUE, help="Also delete runs that still seem to be active.")
    ] = False,
) -> int:
    """Remove runs from the history, with their steps and checkpoints; databases and var/runs are left alone."""
    with open_history(options) as (_, backend):
        found = [find_run(backend, run_id, letters=LETTERS_TO_DELETE) for run_id in run_ids]
        runs = {run.id: run for run in found}
        for run, status in with_status(backend, list(runs.values())):
            if status == RUNNING and not force:
                raise ConfigurationError(
                    f"Run {run.id} is still running.",
                    to_fix="wait for its end, or stop it; if it ran on a machine that is gone, add --force",
                )
        deleted = [run_id for run_id in runs if backend.runs.delete(run_id)]
    output.write_json({"deleted": deleted}, "deleted")
    for run_id in deleted:
        output.say(f"Deleted {run_id[:SHORT]} from the history; its events stay in var/runs/{run_id}.")
    return 0
