"""``orchestrator runs list | show | diff | import | delete``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.command import Command, command
from orchestrator.cli.options import (
    NO_VALUE,
    CommonOptions,
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
    VerboseOption,
)
from orchestrator.cli.output import Output
from orchestrator.cli.runs.history import LETTERS_TO_DELETE, SHORT, find_run, open_history, parse_since
from orchestrator.core.errors import ConfigurationError

if TYPE_CHECKING:
    from orchestrator.storage.base import StorageBackend
    from orchestrator.storage.models import WorkflowRun

RunArgument = Annotated[
    str | None,
    typer.Argument(metavar="ID", help="Id of the run or its beginning; by default the newest.", show_default=False),
]


def list_(
    *,
    scenario: Annotated[
        str | None, typer.Option("--scenario", metavar="NAME", help="Only runs of this scenario.", show_default=False)
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
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1_000_000, help="At most so many runs.")
    ] = 20,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> Command:
    """List runs, newest first."""
    options = CommonOptions(config, None, set_, None, json, verbose, quiet)
    return command(options, partial(_list, scenario=scenario, wanted=status or [], since=since, limit=limit))


def show(
    run_id: RunArgument = None,
    *,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> Command:
    """Show a run: its steps as bars on a line of time, parameters, versions, results, error."""
    options = CommonOptions(config, None, set_, None, json, verbose, quiet)
    return command(options, partial(_show, run_id=run_id))


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="Id of a run, or its beginning.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="Id of another run.", show_default=False)],
    *,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> Command:
    """Show parameters, versions, results, rows and times of two runs side by side, where they differ."""
    options = CommonOptions(config, None, set_, None, json, verbose, quiet)
    return command(options, partial(_diff, a=a, b=b))


def import_(
    run_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Ids of runs, folders of var/runs; by default all.", show_default=False),
    ] = None,
    *,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> Command:
    """Bring runs into the history from their events in var/runs; those that are there already are left alone."""
    options = CommonOptions(config, None, set_, None, json, verbose, quiet)
    return command(options, partial(_import, run_ids=run_ids or []))


def delete(
    run_ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Ids of runs, or their beginnings.", show_default=False)
    ],
    *,
    force: Annotated[
        bool, typer.Option("--force", metavar=NO_VALUE, help="Also runs that are running, as far as is known here.")
    ] = False,
    config: ConfigOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
) -> Command:
    """Remove runs from the history, with their steps and checkpoints; databases and var/runs are left alone."""
    options = CommonOptions(config, None, set_, None, json, verbose, quiet)
    return command(options, partial(_delete, run_ids=run_ids, force=force))


def _list(
    options: CommonOptions, output: Output, *, scenario: str | None, wanted: list[str], since: str | None, limit: int
) -> int:
    from orchestrator.cli.runs.views import show_list
    from orchestrator.reports.runs import run_record  # SQLAlchemy: a fifth of a second
    from orchestrator.storage.base import CRASHED, RUNNING, STATUSES

    unknown = [status for status in wanted if status not in (*STATUSES, CRASHED)]
    if unknown:
        raise ConfigurationError(
            f"--status is {unknown[0]!r}, which no run has.", to_fix=f"give one of {', '.join((*STATUSES, CRASHED))}"
        )
    moment = parse_since(since)
    with open_history(options) as (_, backend):
        stored = {RUNNING if status == CRASHED else status for status in wanted}
        found = backend.runs.list_runs(
            scenario=scenario,
            statuses=stored,
            since=moment,
            limit=None if stored & {RUNNING} else limit + 1,  # how many of those are alive is not known yet
        )
        runs = [(run, status) for run, status in _with_status(backend, found) if not wanted or status in wanted]
        last = backend.steps.last_stages([run.id for run, _ in runs[:limit]])
        shown = [(run, status, last.get(run.id)) for run, status in runs[:limit]]
    output.write_json({"runs": [run_record(run, status, step) for run, status, step in shown]})
    if not shown:
        filtered = bool(wanted or scenario or since)
        none = options.same_workspace("No run yet: `orchestrator simulate` makes one.")
        output.say("No such run." if filtered else none)
        return 0
    show_list(output, shown)
    if len(runs) > limit:
        output.say(f"\nThe newest {limit}; --limit shows more.")
    return 0


def _show(options: CommonOptions, output: Output, *, run_id: str | None) -> int:
    from orchestrator.cli.runs.views import LOOK_AGAIN, show_run
    from orchestrator.reports.runs import full_record

    with open_history(options) as (_, backend):
        run = find_run(backend, run_id)
        record = backend.record(run)
        status = _with_status(backend, [run])[0][1]
    output.write_json(full_record(record, status))
    show_run(output, record, status, advice=options.same_workspace(LOOK_AGAIN))
    return 0


def _diff(options: CommonOptions, output: Output, *, a: str, b: str) -> int:
    from orchestrator.cli.runs.views import show_comparison
    from orchestrator.reports.comparison import compare

    with open_history(options) as (_, backend):
        one, other = find_run(backend, a), find_run(backend, b)
        found = compare(backend.record(one), backend.record(other))
    output.write_json({"a": one.id, "b": other.id, "same_result": found.same_result, "differences": found})
    show_comparison(output, one, other, found)
    return 0


def _import(options: CommonOptions, output: Output, *, run_ids: list[str]) -> int:
    from orchestrator.storage.importing import UNREADABLE, import_runs

    with open_history(options) as (config, backend):
        found = import_runs(backend, config.root / "var" / "runs", run_ids)
    output.write_json({"runs": found})
    for one in found:
        output.say(f"{one.run_id}  {one.outcome}" + (f": {one.detail}" if one.detail else ""))
    if not found:
        output.say("There are no events of any run in var/runs.")
    return 1 if any(one.outcome == UNREADABLE for one in found) else 0


def _delete(options: CommonOptions, output: Output, *, run_ids: list[str], force: bool) -> int:
    from orchestrator.storage.base import RUNNING

    with open_history(options) as (_, backend):
        found = [find_run(backend, run_id, letters=LETTERS_TO_DELETE) for run_id in run_ids]
        runs = {run.id: run for run in found}
        for run, status in _with_status(backend, list(runs.values())):
            if status == RUNNING and not force:
                raise ConfigurationError(
                    f"Run {run.id} is still running.",
                    to_fix="wait for its end, or stop it; if it ran on a machine that is gone, add --force",
                )
        deleted = [run_id for run_id in runs if backend.runs.delete(run_id)]
    output.write_json({"deleted": deleted})
    for run_id in deleted:
        output.say(f"Deleted {run_id[:SHORT]} from the history; its events stay in var/runs/{run_id}.")
    return 0


def _with_status(backend: StorageBackend, runs: list[WorkflowRun]) -> list[tuple[WorkflowRun, str]]:
    """Return runs with their status as it is now."""
    from orchestrator.storage.base import RUNNING
    from orchestrator.storage.crashes import status_of

    sessions = backend.sessions.of_runs(run.id for run in runs if run.status == RUNNING)
    return [(run, status_of(run, sessions.get(run.id))) for run in runs]
