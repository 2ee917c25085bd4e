"""Runs of the history: find, list, read and compare them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from orchestrator.core.annotations import Annotations, checked_note, checked_tags
from orchestrator.core.clocks import Deadline, pause
from orchestrator.core.errors import RunNotFoundError
from orchestrator.core.masking import masked
from orchestrator.reports.comparison import Comparison, compare
from orchestrator.storage.base import CRASHED, RUNNING, RunRecord, StorageBackend

if TYPE_CHECKING:
    from orchestrator.storage.models import SweepRecord, WorkflowRun, WorkflowStep

SECONDS_FOR_LAST_WORDS = 3.0
EMPTY = "run `orchestrator simulate`, or `orchestrator runs import` for runs whose events are kept"
EMPTY_WITHOUT_YEARS = (
    "see what state the tables are in with `orchestrator check`: only simulations are recorded, and this project has "
    "no years"
)
SHORT = 8  # characters of an id that tell runs apart


@dataclass(frozen=True)
class ListedRun:
    """A run in short: its ``status`` as it is now, and the stage that it began last, None where it began none."""

    run: WorkflowRun
    status: str
    last_stage: WorkflowStep | None
    annotations: Annotations


@dataclass(frozen=True)
class RunList:
    """Runs, newest first; ``more`` tells whether others that fit were left out.

    ``sweeps`` are those that were run in the same time, newest first: each stands for the runs of its members.
    """

    runs: tuple[ListedRun, ...]
    more: bool
    sweeps: tuple[SweepRecord, ...] = ()


@dataclass(frozen=True)
class FullRun:
    """A run with all that belongs to it, and its ``status`` as it is now."""

    record: RunRecord
    status: str


@dataclass(frozen=True)
class ComparedRuns:
    """Two runs and what differs between them."""

    a: WorkflowRun
    b: WorkflowRun
    comparison: Comparison


def list_runs(
    backend: StorageBackend,
    *,
    scenario: str | None = None,
    statuses: Collection[str] = (),
    since: datetime | None = None,
    tag: str | None = None,
    sweep: str | None = None,
    limit: int,
) -> RunList:
    """Return the newest runs that fit every filter given, at most ``limit``.

    Runs of members are there only where a ``sweep`` is named; else the sweep stands for them.
    """
    stored = {RUNNING if status == CRASHED else status for status in statuses}
    found = backend.runs.list_runs(
        scenario=scenario,
        statuses=stored,
        since=since,
        tag=tag,
        sweep=sweep,
        members=sweep is not None,
        limit=None if stored & {RUNNING} else limit + 1,  # how many of those are alive is not known yet
    )
    fitting = [(run, status) for run, status in with_status(backend, found) if not statuses or status in statuses]
    ids = [run.id for run, _ in fitting[:limit]]
    last, annotations = backend.steps.last_stages(ids), backend.annotations.of_runs(ids)
    runs = tuple(
        ListedRun(run, status, last.get(run.id), annotations.get(run.id, Annotations()))
        for run, status in fitting[:limit]
    )
    alone = sweep is None and scenario is None and tag is None and not statuses
    sweeps = (
        [one for one in backend.sweeps.list_sweeps(limit) if since is None or one.started_at >= since] if alone else []
    )
    if len(fitting) > limit:
        sweeps = [one for one in sweeps if one.started_at >= runs[-1].run.started_at]
    return RunList(runs, len(fitting) > limit, tuple(sweeps))


def read_run(backend: StorageBackend, name: str | None, *, years: bool = True) -> FullRun:
    """Return the run whose id begins with ``name``, the newest one for None; ``years``: the project has some.

    Raises:
        RunNotFoundError: there is none, or there are several.
    """
    run = find_run(backend, name, years=years)
    record = backend.record(run)
    ((_, status),) = with_status(backend, [run])
    return FullRun(record, status)


def read_ended(backend: StorageBackend, run_id: str) -> FullRun:
    """Return a run that has ended, waiting a little for its last words: its history is written after its events."""
    patience = Deadline.after(SECONDS_FOR_LAST_WORDS)
    while (found := read_run(backend, run_id)).status == RUNNING and not patience.expired():
        pause(0.1)
    return found


def compare_runs(backend: StorageBackend, a: str, b: str) -> ComparedRuns:
    """Compare two runs, each named by its id or the beginning of it.

    Raises:
        RunNotFoundError: there is none, or there are several.
    """
    one, other = find_run(backend, a), find_run(backend, b)
    return ComparedRuns(one, other, compare(backend.record(one), backend.record(other)))


def write_note(backend: StorageBackend, name: str, text: str) -> tuple[WorkflowRun, Annotations]:
    """Give a run a note in place of its old one, none for an empty text; return the run and what it has now.

    Raises:
        RunNotFoundError: there is no such run, or there are several.
        ConfigurationError: the note is too long.
    """
    note, run = checked_note(masked(text)), find_run(backend, name)
    backend.annotations.set_note(run.id, note)
    return run, _annotations(backend, run)


def write_tags(
    backend: StorageBackend, name: str, tags: Sequence[str], *, remove: bool
) -> tuple[WorkflowRun, Annotations]:
    """Add tags to those of a run, or remove them; return the run and what it has now.

    Raises:
        RunNotFoundError: there is no such run, or there are several.
        ConfigurationError: one is no tag, or there would be too many.
    """
    given, run = checked_tags(tags), find_run(backend, name)
    old = _annotations(backend, run).tags
    backend.annotations.set_tags(run.id, sorted({*old} - {*given}) if remove else checked_tags((*old, *given)))
    return run, _annotations(backend, run)


def _annotations(backend: StorageBackend, run: WorkflowRun) -> Annotations:
    return backend.annotations.of_runs([run.id]).get(run.id, Annotations())


def find_run(backend: StorageBackend, name: str | None, *, letters: int = 1, years: bool = True) -> WorkflowRun:
    """Return the run whose id begins so, by at least so many ``letters``; the newest where no name is given.

    ``years``: the project has some, so that a simulation of it would be recorded.

    Raises:
        RunNotFoundError: there is none, or there are several, or the name is too short.
    """
    if name is None:
        newest = backend.runs.list_runs(limit=1)
        if not newest:
            raise RunNotFoundError(
                f"The run history {backend.url} is empty.",
                to_fix=EMPTY if years else EMPTY_WITHOUT_YEARS,
            )
        return newest[0]
    if len(name.strip()) < letters:
        raise RunNotFoundError(f"{name!r} is too short for the id of a run.", to_fix=f"give {letters} letters or more")
    found = backend.runs.find(name.strip().lower())
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(run.id[: max(SHORT, len(name) + 4)] for run in found[:5])
        raise RunNotFoundError(f"Several runs begin with {name}: {several}.", to_fix="give more of the id")
    raise RunNotFoundError(f"The run history {backend.url} holds no run {name}.", to_fix="see `orchestrator runs list`")


def newest_running(backend: StorageBackend) -> WorkflowRun:
    """Return the newest run whose process is still there, or may be.

    Raises:
        RunNotFoundError: there is none.
    """
    found = list_runs(backend, statuses=[RUNNING], limit=1).runs
    if not found:
        raise RunNotFoundError(
            "No run is in progress.", to_fix="name a run that has ended, by its id: `orchestrator runs list`"
        )
    return found[0].run


def with_status(backend: StorageBackend, runs: Sequence[WorkflowRun]) -> list[tuple[WorkflowRun, str]]:
    """Return runs with their status as it is now."""
    from orchestrator.storage.crashes import status_of  # SQLAlchemy: a fifth of a second

    sessions = backend.sessions.of_runs(run.id for run in runs if run.status == RUNNING)
    return [(run, status_of(run, sessions.get(run.id))) for run in runs]


def years_of(run: WorkflowRun) -> tuple[int, ...]:
    """Return the years that a run was asked for."""
    years = run.inputs.get("years")
    return tuple(year for year in years if isinstance(year, int)) if isinstance(years, list) else ()
