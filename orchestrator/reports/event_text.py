"""Events of a run in words, a line each."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator.core.events import (
    ChangesFound,
    CommandStarted,
    DatabaseSetAside,
    DbtReady,
    DbtStarted,
    DbtWarned,
    Event,
    HookFinished,
    HookStarted,
    InputsChanged,
    LockAcquired,
    LockReleased,
    LockWaited,
    NodeFinished,
    NodeStarted,
    OtherScenariosFound,
    ProjectParsedAgain,
    ReplayDeclined,
    RowsLost,
    RunFinished,
    RunResumed,
    RunStarted,
    StageCheckpointed,
    StageFinished,
    StageStarted,
    StartFound,
    StepFinished,
    StepStarted,
    TablesLost,
    TestWarned,
    WholeRangeRun,
    WholeYearRun,
    YearFinished,
    YearsPurged,
    YearStarted,
)
from orchestrator.core.formats import (
    purge_text,
    resumed_at,
    shown_seconds,
    told_loss,
    told_other_scenarios,
    told_written,
    whole_year,
)
from orchestrator.core.text import plural, shown_years

BEGINNINGS = (
    CommandStarted,
    HookStarted,
    LockAcquired,
    LockReleased,
    NodeStarted,
    OtherScenariosFound,
    StageCheckpointed,
    StageStarted,
    StartFound,
    StepStarted,
    YearStarted,
)
"""Events of which another one tells the end, or which tell a person nothing."""
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


def told(event: Event) -> str | None:
    """Return an event in words, None where it is not worth a line."""
    if isinstance(event, BEGINNINGS) or (isinstance(event, NodeFinished) and event.error is None):
        return None
    return _of_run(event) or _of_work(event) or _other(event)


def is_trouble(event: Event) -> bool:
    """Tell whether an event is one that somebody should see."""
    match event:
        case StepFinished() | StageFinished() | HookFinished():
            return not event.success
        case RunFinished():
            return event.status != "completed"
        case NodeFinished():
            return event.error is not None
        case _:
            return isinstance(event, (TestWarned, DbtWarned, RowsLost, TablesLost, InputsChanged, OtherScenariosFound))


def _of_run(event: Event) -> str | None:
    match event:
        case RunStarted():
            return f"Started: {shown_years(event.years)}, scenario {event.scenario}"
        case RunFinished():
            return f"{event.status.capitalize()} after {shown_seconds(event.seconds)}"
        case RunResumed():
            return f"Resumed {resumed_at(event.year, event.stage, ending=event.ending)}"
        case YearFinished():
            return f"{event.year} done in {shown_seconds(event.seconds)}"
        case StageFinished():
            how = "replayed" if event.replayed else plural(event.nodes, "node")
            end = f", {how}" if event.success else f" failed: {event.error}"
            return f"{event.year} {event.stage}: {shown_seconds(event.seconds)}{end}"
        case YearsPurged():
            return f"Removed {purge_text(event.rows, event.from_year, len(event.tables), event.years, event.forgone)}"
        case ChangesFound():
            return f"Starts at {event.from_year} again, because of changes: {'; '.join(event.changes)}"
        case TablesLost():
            return f"Tables are gone: {', '.join(event.tables)}"
        case RowsLost():
            return told_loss(
                event.table, event.year, expected=event.expected, found=event.found, whole=event.whole, of=event.of
            )
        case _:
            return None


def _of_work(event: Event) -> str | None:
    match event:
        case DbtStarted():
            return f"dbt started (process {event.pid})"
        case DbtReady():
            return f"dbt is ready: {plural(event.nodes, 'node')}, parsed in {shown_seconds(event.seconds)}"
        case StepFinished():
            detail = f", {event.detail}" if event.detail else ""
            end = detail if event.success else f" failed: {event.error}"
            return f"{event.step}: {shown_seconds(event.seconds)}{end}"
        case HookFinished():
            end = "" if event.success else f" failed: {event.error}"
            return f"Hook {event.name} ({event.hook_type}): {shown_seconds(event.seconds)}{end}"
        case NodeFinished():
            return f"{event.name} failed: {event.error}"
        case TestWarned():
            return f"Test {event.name} warned: {plural(event.rows, 'row')} in {event.year}"
        case ReplayDeclined():
            return f"Run by dbt, not replayed: {event.reason}"
        case ProjectParsedAgain():
            return f"dbt read the project again ({event.reason}): {shown_seconds(event.seconds)}"
        case DbtWarned():
            return f"dbt warns: {event.message}"
        case _:
            return None


def _other(event: Event) -> str:
    match event:
        case OtherScenariosFound():
            where = "The database" if event.database is None else Path(event.database).name
            return told_other_scenarios(event.scenarios, event.years, event.scenario, where)
        case InputsChanged():
            return told_written(event.files, event.year)
        case WholeRangeRun():
            return f"Starts at {event.years[0]}: no single year can be taken out of {', '.join(event.models)}"
        case WholeYearRun():
            return f"Starts {whole_year(event.year, event.changed_by)}"
        case LockWaited():
            return f"Waits for the database, which process {event.pid} has open"
        case DatabaseSetAside():
            return "The database file was moved aside"
        case _:
            return _WORD.sub(" ", type(event).__name__)
