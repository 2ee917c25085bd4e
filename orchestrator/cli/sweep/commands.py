"""``orchestrator sweep run | resume | status | cancel | list | delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.text import Text

from orchestrator.cli import INTERRUPTED
from orchestrator.cli.command import facts_of, load_config
from orchestrator.cli.confirmation import confirm
from orchestrator.cli.options import CommonOptions, RangeArgument
from orchestrator.cli.output import Output
from orchestrator.cli.sweep.options import (
    DashboardOption,
    DatabasesOption,
    DeleteYesOption,
    DryRunOption,
    KeepOption,
    MaxMembersOption,
    NameOption,
    NewestSweepArgument,
    RetriesOption,
    ScenariosOption,
    SchedulerOption,
    SeedsOption,
    ShareOption,
    SweepArgument,
    VaryOption,
    WorkersOption,
    YesOption,
)
from orchestrator.cli.year_range import parse_range
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.formats import shown_size
from orchestrator.core.text import nearest, plural

if TYPE_CHECKING:
    from orchestrator.scenarios.plan import Databases
    from orchestrator.scenarios.request import Asked
    from orchestrator.scenarios.sweeping import PreparedSweep, SweepWork

DATABASES = ("all", "failed", "none")


def run(
    options: CommonOptions,
    output: Output,
    range_: RangeArgument = None,
    *,
    vary: VaryOption = None,
    scenarios: ScenariosOption = None,
    seeds: SeedsOption = None,
    name: NameOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    keep: KeepOption = None,
    databases: DatabasesOption = None,
    retries: RetriesOption = None,
    max_members: MaxMembersOption = None,
    share: ShareOption = None,
    dashboard: DashboardOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> int:
    """Simulate every combination of scenarios, values and seeds; go on where the same sweep stopped."""
    from orchestrator.cli.sweep.views import show_preview  # the rooms below are slow to import
    from orchestrator.reports.sweeps import preview_record
    from orchestrator.scenarios.forecast import forecast
    from orchestrator.scenarios.request import Asked

    first, last = parse_range(range_)
    asked = Asked(
        name,
        first,
        last,
        None if vary is None else _by_key(vary),
        _scenarios(options.scenario, scenarios),
        seeds,
        keep,
        _databases(databases),
        max_members,
        workers,
        scheduler,
        retries,
        dashboard,
        share,
    )
    sweep, work = _prepared(options, output, asked)
    if dry_run:
        expected = forecast(sweep, work.count)
        output.write_json(preview_record(sweep, expected), "planned")
        show_preview(output, sweep, expected)
        return 0
    if sweep.dropped and not yes:
        _agree_to_drop(output, sweep)
    return _work_off(options, output, sweep, work)


def resume(
    options: CommonOptions,
    output: Output,
    name: NewestSweepArgument = None,
    *,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    retries: RetriesOption = None,
    share: ShareOption = None,
    dashboard: DashboardOption = False,
) -> int:
    """Go on with a sweep by the plan that is kept of it, with the values that it was begun with."""
    from orchestrator.scenarios.project import SweptProject  # as above
    from orchestrator.scenarios.request import Asked
    from orchestrator.scenarios.resuming import kept_plan, request_again
    from orchestrator.scenarios.sweeping import prepare

    config = load_config(options)
    plan = kept_plan(config.root, name)
    assert config.file is not None  # a sweep was made with it
    project = SweptProject(config.file, (*plan.overrides, *(options.overrides or ())))
    sweep = prepare(project, request_again(plan), lambda one: facts_of(one, output))
    asked = Asked(workers=workers, scheduler=scheduler, retries=retries, dashboard=dashboard, share=share)
    return _work_off(options, output, sweep, asked.work(config.sweep))


def status(options: CommonOptions, output: Output, name: NewestSweepArgument = None) -> int:
    """Show a sweep as it is now: how many members are done, which run, which failed and why."""
    from orchestrator.cli.sweep.views import show_status
    from orchestrator.reports.sweeps import status_record
    from orchestrator.scenarios.results_database import kept_tables
    from orchestrator.scenarios.status import read_sweep

    found = read_sweep(load_config(options).root, name)
    output.write_json(status_record(found, kept_tables(found.folder)))
    show_status(output, found)
    return 0


def cancel(options: CommonOptions, output: Output, name: SweepArgument) -> int:
    """Stop a sweep that runs in another terminal; the same `sweep run` goes on later."""
    from orchestrator.scenarios.holding import ask_to_stop
    from orchestrator.scenarios.status import read_sweep

    found = read_sweep(load_config(options).root, name)
    stopped = ask_to_stop(found.folder)
    output.write_json({"name": found.name}, "stopped" if stopped else "not running")
    output.say(
        f"Stopped {found.name}; the same command goes on with it." if stopped else f"{found.name} is not running."
    )
    return 0


def list_(options: CommonOptions, output: Output) -> int:
    """List the sweeps of this project, newest first."""
    from orchestrator.cli.sweep.views import show_list
    from orchestrator.reports.sweeps import listed_record
    from orchestrator.scenarios.status import list_sweeps, size_of

    found = [(one, size_of(one.folder)) for one in list_sweeps(load_config(options).root)]
    output.write_json({"sweeps": [listed_record(*one) for one in found]}, "listed")
    if found:
        show_list(output, found)
    else:
        output.say(options.same_workspace("No sweep yet: `orchestrator sweep run --vary KEY=VALUES` makes one."))
    return 0


def delete(options: CommonOptions, output: Output, name: SweepArgument, *, yes: DeleteYesOption = False) -> int:
    """Remove a sweep: its databases, results and plan; the history keeps its runs."""
    from orchestrator.scenarios.status import delete_sweep, existing, size_of

    root = load_config(options).root
    folder = existing(root, name)
    if not yes:
        what = f"This removes {folder.path} ({shown_size(size_of(folder))})"
        confirm(output, what, "the history keeps its runs", declined="Nothing was removed.")
    delete_sweep(root, name)
    output.write_json({"name": name}, "deleted")
    output.say(f"Deleted {name}.")
    return 0


def _work_off(options: CommonOptions, output: Output, sweep: PreparedSweep, work: SweepWork) -> int:
    from orchestrator.cli.sweep.progress import SweepProgress  # as above
    from orchestrator.cli.sweep.views import show_outcome
    from orchestrator.reports.sweeps import outcome_record, outcome_status
    from orchestrator.scenarios.results_database import kept_tables
    from orchestrator.scenarios.sweeping import run as run_sweep

    to_run = len(sweep.plan.members) - len(sweep.kept)
    kept = f", {len(sweep.kept):,} of them done" if sweep.kept else ""
    kept += f", {len(sweep.again):,} to be run again: something has changed" if sweep.again else ""
    output.say(Text(f"Sweep {sweep.plan.name} · {plural(to_run + len(sweep.kept), 'member')}{kept}", "bold"))
    with SweepProgress(output.people, sweep.plan, sweep.kept, detail=output.verbosity > 0) as progress:
        outcome = run_sweep(sweep, work, progress)
    output.write_json(outcome_record(outcome, kept_tables(outcome.folder)), ok=outcome_status(outcome) == "done")
    show_outcome(output, outcome, options.carried_by)
    if outcome.stopped:
        return INTERRUPTED
    return 0 if outcome_status(outcome) == "done" else 1


def _prepared(options: CommonOptions, output: Output, asked: Asked) -> tuple[PreparedSweep, SweepWork]:
    from orchestrator.scenarios.project import SweptProject  # as above
    from orchestrator.scenarios.sweeping import prepare

    config = load_config(options)
    if config.file is None or config.simulation is None:
        config.years()  # raises, with the reason
        raise AssertionError
    project = SweptProject(config.file, tuple(options.overrides or ()))
    request = asked.request(config.sweep)
    return prepare(project, request, lambda one: facts_of(one, output)), asked.work(config.sweep)


def _scenarios(one: str | None, several: str | None) -> tuple[str, ...] | None:
    """Return the scenarios that the command line names."""
    from orchestrator.scenarios.values import read_scenarios  # as above

    if one is not None and several is not None:
        raise ConfigurationError(
            "--scenario and --scenarios each name scenarios.", to_fix="name all of them in --scenarios"
        )
    return read_scenarios(several) if several is not None else (one,) if one is not None else None


def _by_key(vary: list[str]) -> dict[str, str]:
    """Return the values of each key as they are written."""
    from orchestrator.scenarios.values import not_key_and_values  # as above

    found: dict[str, str] = {}
    for one in vary:
        key, equals, values = one.partition("=")
        if key.strip() in found:
            raise ConfigurationError(
                f"--vary {key.strip()} is given twice.", to_fix="name all of its values in one --vary"
            )
        if not equals:
            raise not_key_and_values(one)
        found[key.strip()] = values
    return found


def _databases(given: str | None) -> Databases | None:
    if given is not None and given not in DATABASES:
        guess = nearest(given, DATABASES)
        raise ConfigurationError(
            f"--databases is {given!r}, but must be one of {', '.join(DATABASES)}.",
            to_fix=f"write --databases {guess or 'all'}",
        )
    return cast("Databases | None", given)


def _agree_to_drop(output: Output, sweep: PreparedSweep) -> None:
    """Ask whether members that are no longer asked for may go."""
    shown = ", ".join(member.key for member in sweep.dropped[:3])
    more = f" and {len(sweep.dropped) - 3} more" if len(sweep.dropped) > 3 else ""
    confirm(
        output,
        f"The sweep {sweep.plan.name} has {plural(len(sweep.dropped), 'member')} that this command does not name, and "
        f"removes them: {shown}{more}",
        "the others are kept",
        declined="Nothing was run and nothing was removed.",
    )
