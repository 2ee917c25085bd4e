"""A run with all that a page shows of it: its grid, its line of time, its values, why dbt ran what it did."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import RunNotFoundError, StorageError
from orchestrator.core.events import Event, ReplayDeclined, jsonable
from orchestrator.core.masking import MASK
from orchestrator.core.untrusted import is_file_name
from orchestrator.reports.event_text import is_trouble, told
from orchestrator.reports.run_history import FullRun, read_run
from orchestrator.reports.run_progress import Grid, grid_of
from orchestrator.reports.runs import overrides_of
from orchestrator.reports.timeline import Bar, timeline
from orchestrator.storage.base import RUNNING, StorageBackend
from orchestrator.storage.following import EventFollower
from orchestrator.storage.importing import EVENTS

if TYPE_CHECKING:
    from orchestrator.storage.models import WorkflowRun

MOST_READS = 16  # of a megabyte each
FLAGS_LEFT_OUT = ("--fresh", "--yes", "--json", "-q", "--quiet", "-v", "-vv", "--verbose")
OPTIONS_LEFT_OUT = ("--from-year", "--from-stage", "--note", "--tag", "--config")


@dataclass(frozen=True)
class EventLine:
    """One event in words; ``trouble`` tells whether somebody should see it."""

    at: datetime
    text: str
    trouble: bool


@dataclass(frozen=True)
class RunPage:
    """A run: ``values`` are the variables that it was given, ``reasons`` why stages were run by dbt and not replayed.

    ``lines`` are the newest of what happened, of ``events`` in all; none where its events are not kept here.
    """

    found: FullRun
    grid: Grid
    bars: tuple[Bar, ...]
    values: dict[str, object]
    beside: dict[str, object]
    replayed: tuple[int, ...]
    reasons: tuple[str, ...]
    lines: tuple[EventLine, ...]
    events: int


def find_full_run(backend: StorageBackend, runs_dir: Path, name: str) -> FullRun:
    """Return the run whose id begins with ``name``, by its events where it has just begun and is not recorded yet.

    Raises:
        RunNotFoundError: there is none, or there are several.
    """
    from orchestrator.storage.crashes import status_of  # SQLAlchemy: a fifth of a second
    from orchestrator.storage.importing import read_run as read_events_of

    try:
        return read_run(backend, name)
    except RunNotFoundError:
        file = runs_dir / name / EVENTS
        if not is_file_name(name) or not file.is_file():
            raise
        record = read_events_of(file)
        record.run.inputs = {key: jsonable(value) for key, value in record.run.inputs.items()}  # as if it were stored
        return FullRun(record, status_of(record.run, record.session))


def run_page(found: FullRun, runs_dir: Path, *, most_lines: int) -> RunPage:
    """Put together what is known of a run."""
    record, status = found.record, found.status
    run = record.run
    running = status == RUNNING
    seen = record.session.seen_at if record.session is not None else run.started_at
    until = run.completed_at or (utc_now() if running else seen)
    events = read_events(runs_dir, run.id)
    lines = [EventLine(e.at, text, is_trouble(e)) for e in events if (text := told(e)) is not None]
    variables = run.config_snapshot.get("vars")
    replayed = {step.year for step in record.steps if step.year and (step.detail or "").endswith("replayed")}
    return RunPage(
        found,
        grid_of(record, status),
        timeline(record.steps, until, running=running),
        variables if isinstance(variables, dict) else {},
        overrides_of(run),
        tuple(sorted(replayed)),
        tuple(dict.fromkeys(event.reason for event in events if isinstance(event, ReplayDeclined))),
        tuple(lines[-most_lines:]),
        len(lines),
    )


def read_events(runs_dir: Path, run_id: str) -> list[Event]:
    """Return the events of a run as far as they are kept; none where they are not."""
    found: list[Event] = []
    with suppress(StorageError), EventFollower(runs_dir / run_id / EVENTS) as events:
        for _ in range(MOST_READS):
            some = events.new_events()
            if not some and events.at_end():
                break
            found += some
    return found


def shown_command(run: WorkflowRun) -> str:
    """Return the command of a run as a person would type it, without where the program lies.

    >>> from types import SimpleNamespace as R
    >>> shown_command(R(inputs={"command": "/opt/x/bin/orchestrator simulate 2025"}))
    'orchestrator simulate 2025'
    """
    command = str(run.inputs.get("command", ""))
    program, blank, rest = command.partition(" simulate")
    ours = program.endswith(("/orchestrator", "orchestrator/__main__.py"))
    return f"orchestrator simulate{rest}" if blank and ours else command


def arguments_again(run: WorkflowRun) -> list[str] | None:
    """Return the arguments with which a run goes on where it stopped: its own, without those that begin anew.

    The configuration file is left out; it is for the caller to name. None where it was no command of ours, or was given
    a secret, which is not kept.

    >>> from types import SimpleNamespace as R
    >>> line = "/bin/orchestrator simulate 2025-2029 --fresh --set 'a=1 2' --database x.duckdb"
    >>> arguments_again(R(inputs={"command": line}, database="/home/me/x.duckdb"))
    ['simulate', '2025-2029', '--set', 'a=1 2', '--database', '/home/me/x.duckdb']
    >>> arguments_again(R(inputs={"command": "notebook.py"})), arguments_again(R(inputs={"command": "simulate ***"}))
    (None, None)
    """
    command = str(run.inputs.get("command", ""))
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if "simulate" not in words[:3] or MASK in command:
        return None
    found: list[str] = []
    waiting = iter(words[words.index("simulate") :])
    for word in waiting:
        name, equals, value = word.partition("=")
        if word in FLAGS_LEFT_OUT:
            continue
        if name in OPTIONS_LEFT_OUT or name == "--database":
            value = value if equals else next(waiting, "")
            found += [] if name in OPTIONS_LEFT_OUT else [name, run.database or value]
            continue
        found.append(word)
    return found
