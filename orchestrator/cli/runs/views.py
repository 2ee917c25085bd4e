"""Runs of the history for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.output import Output
from orchestrator.cli.runs.timeline import show_timeline
from orchestrator.cli.summary import plain_table, show_summary
from orchestrator.core.annotations import Annotations
from orchestrator.core.clocks import utc_now
from orchestrator.core.formats import NOTHING, shown_path, shown_seconds, shown_time
from orchestrator.core.text import plural, shown_years
from orchestrator.reports.results import stored_summary
from orchestrator.reports.run_history import SHORT, FullRun, RunList, years_of
from orchestrator.reports.runs import last_stage, reached, scenario_label
from orchestrator.storage.base import CRASHED, RUNNING, RunRecord

if TYPE_CHECKING:
    from orchestrator.storage.models import SweepRecord, WorkflowRun, WorkflowStep

STYLES = {
    "completed": "green",
    "failed": "red",
    "crashed": "red",
    "interrupted": "yellow",
    "cancelled": "yellow",
    "refused": "yellow",
    "running": "cyan",
}
NOTE_SHOWN = 30  # characters
LOOK_AGAIN = "`orchestrator runs import` looks at its events again"


def show_list(output: Output, found: RunList) -> None:
    """Write a line for each run, and one for each sweep in the place of its members."""
    runs, sweeps = found.runs, list(found.sweeps)
    table = plain_table()
    for heading in ("Run", "Status", "Scenario", "Years", "Started", "Seconds"):
        least = {"Run": SHORT, "Status": len("interrupted")}.get(heading)
        table.add_column(
            heading, justify="right" if heading == "Seconds" else "left", no_wrap=heading != "Scenario", min_width=least
        )
    show_reached = any(listed.status != "completed" and listed.last_stage is not None for listed in runs)
    if show_reached:
        table.add_column("Reached")
    annotated = any(listed.annotations != Annotations() for listed in runs)
    if annotated:
        table.add_column("Tags, note")
    blank = [""] * (show_reached + annotated)
    for listed in runs:
        run, status = listed.run, listed.status
        while sweeps and sweeps[0].started_at > run.started_at:
            table.add_row(*_sweep_row(sweeps.pop(0)), *blank)
        seconds = NOTHING if run.duration_seconds is None else f"{run.duration_seconds:,.1f}"
        table.add_row(
            run.id[:SHORT],
            Text(status, STYLES.get(status, "")),
            scenario_label(run) or NOTHING,
            shown_years(years_of(run)) or NOTHING,
            f"{run.started_at.astimezone():%Y-%m-%d %H:%M}",
            seconds,
            *(["" if status == "completed" else _reached(listed.last_stage) or NOTHING] if show_reached else []),
            *([_in_short(listed.annotations)] if annotated else []),
        )
    for sweep in sweeps:
        table.add_row(*_sweep_row(sweep), *blank)
    output.show(table)


def _sweep_row(sweep: SweepRecord) -> tuple[Text | str, ...]:
    members = sum(count for count in sweep.counts.values() if isinstance(count, int))
    years = sweep.plan.get("years")
    shown = "–".join(map(str, dict.fromkeys(years))) if isinstance(years, list) and len(years) == 2 else NOTHING
    return (
        "sweep",
        Text(sweep.status, STYLES.get(sweep.status, "")),
        f"{sweep.name}: {plural(members, 'member')}",
        shown,
        f"{sweep.started_at.astimezone():%Y-%m-%d %H:%M}",
        NOTHING if sweep.duration_seconds is None else f"{sweep.duration_seconds:,.1f}",
    )


def show_run(output: Output, found: FullRun, *, advice: str) -> None:
    """Write all of a run: what it was asked for, its steps on a line of time, what it has to show."""
    record, status = found.record, found.status
    run = record.run
    title = Text.assemble((f"Run {run.id}  ", "bold"), (status, f"bold {STYLES.get(status, '')}"))
    output.say(title)
    for name, value in _facts(record, status):
        output.say(Text.assemble((f"{name:<13}", "dim"), value))
    seen = record.session.seen_at if record.session is not None else run.started_at
    running = status == RUNNING
    show_timeline(output, record.steps, run.completed_at or (utc_now() if running else seen), running=running)
    show_summary(output, stored_summary(record))
    if status == CRASHED:
        output.say()
        output.say(f"Its process has ended without reporting a result; {advice}.")
    if run.error_message:
        output.say()
        output.say(Text.assemble(("Error: ", "bold red"), run.error_message))
        if run.traceback and output.verbosity:
            output.say(Text(run.traceback.rstrip(), "dim"))


def show_start(output: Output, run: WorkflowRun) -> None:
    """Write which run is followed."""
    what = f"{scenario_label(run) or NOTHING}, {shown_years(years_of(run)) or NOTHING}"
    output.say(Text(f"Run {run.id} · {what} · started {shown_time(run.started_at)}", "bold"))


def show_end(output: Output, found: FullRun, status: str) -> None:
    """Write how a run ended that was followed."""
    run = found.record.run
    if status == CRASHED:
        output.say(Text("Its process has ended without reporting a result.", STYLES[CRASHED]))
        return
    output.say(Text(f"{status}, {shown_seconds(run.duration_seconds)}", STYLES.get(status, "")))
    if run.error_message:
        output.say(Text.assemble(("Error: ", "bold red"), run.error_message))


def _facts(record: RunRecord, status: str) -> list[tuple[str, str]]:
    run = record.run
    stage = _reached(last_stage(record.steps))
    session = record.session
    found = [
        ("scenario", scenario_label(run) or NOTHING),
        ("years", shown_years(years_of(run)) or NOTHING),
        *((("variables", values),) if (values := _variables(run)) else ()),
        ("started", f"{shown_time(run.started_at)}, {shown_seconds(run.duration_seconds)}"),
        ("command", str(run.inputs.get("command", NOTHING))),
        ("process", NOTHING if session is None else f"{session.pid} on {session.host}"),
        ("database", shown_path(run.database)),
        ("fingerprint", run.fingerprint or NOTHING),
        ("versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
    ]
    if record.annotations.tags:
        found.append(("tags", ", ".join(record.annotations.tags)))
    if record.annotations.note is not None:
        found.append(("note", record.annotations.note))
    if run.resumed_from is not None:
        found.append(("resumed from", run.resumed_from))
    if status != "completed" and stage:
        found.append(("reached", stage))
    return found


def _variables(run: WorkflowRun) -> str:
    """Return the variables that the configuration gave a value, with their values."""
    given = run.config_snapshot.get("vars")
    return ", ".join(f"{name}={value}" for name, value in given.items()) if isinstance(given, dict) else ""


def _in_short(annotations: Annotations) -> str:
    r"""Return the tags and the beginning of a note, as much as a line of a list has room for.

    >>> _in_short(Annotations("first line\nsecond", ("a", "b"))), _in_short(Annotations("x" * 50))
    ('#a #b first line…', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxx…')
    """
    line, _, more = (annotations.note or "").partition("\n")
    short = f"{line[: NOTE_SHOWN - 1].rstrip()}…" if more or len(line) > NOTE_SHOWN else line
    return " ".join([*(f"#{tag}" for tag in annotations.tags), *([short] if short else [])])


def _reached(last: WorkflowStep | None) -> str:
    at = reached(last)
    return "" if at is None else f"{at['year']} {at['stage']}"
