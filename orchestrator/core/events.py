"""Everything that happens, as plain frozen values.

Events pickle, turn into JSON with :func:`as_record`, and are handed to any ``emit: Callable[[Event], None]``.
``at`` is aware UTC; ``seconds`` are float seconds. ``run_id`` names the run that an event belongs to, so that one
listener may watch several.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import PurePath
from types import UnionType
from typing import TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")
MOST = 2**62  # what every database takes
YEARS_OF_EVENTS = range(1970, 9000)
HEALING_HOOK = "self_healing"  # the name of the hook that heals, which nobody set up


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events.

    ``run_id`` is None outside of a run, as in a plain check. Whoever emits leaves it out:
    :class:`orchestrator.core.run_scope.RunScope` fills it in.
    """

    at: datetime
    run_id: str | None = None


Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Drop an event: the ``emit`` of a caller who does not watch."""


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """Signals that a simulation was asked for and its configuration is valid.

    ``process_started`` tells processes apart that had the same ``pid`` one after the other; ``fresh`` is as asked for.
    Passwords in ``config``, ``command`` and ``note`` are masked; ``versions`` are by package. ``note`` and ``tags`` are
    what whoever started it wrote about it.
    """

    run_id: str = field()  # without a default, unlike its base
    scenario: str
    database: str
    years: tuple[int, ...]
    stages: tuple[str, ...]
    command: str
    pid: int
    fresh: bool = False
    host: str = ""
    process_started: str | None = None
    config: dict[str, object] = field(default_factory=dict)
    versions: dict[str, object] = field(default_factory=dict)
    note: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunFinished(Event):
    """Signals that a run ended; ``status`` is completed, failed, interrupted or cancelled.

    ``outputs`` are the results of a completed run by name, ``traceback`` is that of ``error``.
    """

    run_id: str = field()  # without a default, unlike its base
    status: str
    seconds: float
    error: str | None = None
    traceback: str | None = None
    outputs: dict[str, object] | None = None


@dataclass(frozen=True, kw_only=True)
class DbtStarted(Event):
    """Signals that the dbt process was started; it imports dbt and parses, and :class:`DbtReady` follows.

    ``forked`` by a zygote, it has imported dbt before; ``not_forked`` says why the one that is named did not do it.
    """

    pid: int
    forked: bool = False
    not_forked: str | None = None


@dataclass(frozen=True, kw_only=True)
class DbtReady(Event):
    """Signals that the dbt process imported dbt and parsed the project.

    ``seconds`` are those of the parse alone; what lies before it since :class:`DbtStarted` is the import of dbt.
    """

    seconds: float
    nodes: int
    adapter: str


@dataclass(frozen=True, kw_only=True)
class DbtWarned(Event):
    """Signals a warning of dbt itself, such as a deprecation in the user's project."""

    message: str


@dataclass(frozen=True, kw_only=True)
class SwitchesIgnored(Event):
    """Signals that the environment sets switches of dbt's own command line, which reach no command of ours."""

    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NothingKept(Event):
    """Signals that ``folder``, which keeps the parse between runs, cannot be written: runs go on, and parse anew."""

    folder: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ProjectParsedAgain(Event):
    """Signals that a parse could not be reused for these vars, and why."""

    reason: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class LockWaited(Event):
    """Signals that the mutex of the database is held by somebody else and we wait for it."""

    lock_path: str
    pid: int | None
    command: str | None
    since: datetime | None
    timeout: float | None


@dataclass(frozen=True, kw_only=True)
class LockAcquired(Event):
    """Signals that this process now holds the mutex of the database."""

    lock_path: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class LockReleased(Event):
    """Signals that the mutex is free again."""

    lock_path: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class DatabaseSetAside(Event):
    """Signals that a database file was moved away, its ``.wal`` with it, so that a new one can be built."""

    database: str
    moved_to: str


@dataclass(frozen=True, kw_only=True)
class StepStarted(Event):
    """Signals that a step began; ``nodes`` is how many nodes it will build, ``detail`` what it works on."""

    step: str
    nodes: int = 0
    detail: str | None = None


@dataclass(frozen=True, kw_only=True)
class StepFinished(Event):
    """Signals that a step ended."""

    step: str
    started_at: datetime
    completed_at: datetime
    seconds: float
    success: bool
    error: str | None = None
    detail: str | None = None


@dataclass(frozen=True, kw_only=True)
class HookStarted(Event):
    """Signals that a hook is about to be called."""

    hook_type: str
    name: str
    year: int | None = None
    stage: str | None = None


@dataclass(frozen=True, kw_only=True)
class HookFinished(Event):
    """Signals that a hook returned (``success``) or raised; ``on_error`` says what a failure entails."""

    hook_type: str
    name: str
    seconds: float
    success: bool
    on_error: str
    error: str | None = None
    year: int | None = None
    stage: str | None = None


@dataclass(frozen=True, kw_only=True)
class YearsPurged(Event):
    """Signals that rows of ``from_year`` and later were removed before they are built again.

    ``years`` are the simulated years that went with them, ``forgone`` those that this run does not simulate again.
    """

    from_year: int
    rows: int
    tables: tuple[str, ...]
    seconds: float
    years: tuple[int, ...] = ()
    forgone: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StartFound(Event):
    """Signals where a run begins to build, and the fingerprint of what decides its result."""

    year: int
    stage: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class RunResumed(Event):
    """Signals that a run goes on at a stage of a year, because what comes before it is done.

    ``previous_run_id`` is the run that did the last of it, None where the ledger does not name it. ``ending`` tells
    that the stage is done, too, and only the hooks are left which follow it.
    """

    year: int
    stage: str
    previous_run_id: str | None = None
    ending: bool = False


@dataclass(frozen=True, kw_only=True)
class WholeRangeRun(Event):
    """Signals that a run goes through all ``years``, because no single year can be taken out of these models."""

    models: tuple[str, ...]
    years: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class WholeYearRun(Event):
    """Signals that finished stages of a year are run again, because ``changed_by`` changes rows that others built."""

    year: int
    changed_by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ChangesFound(Event):
    """Signals what changed since the years in the database were simulated, so that they are simulated anew."""

    changes: tuple[str, ...]
    from_year: int


@dataclass(frozen=True, kw_only=True)
class TablesLost(Event):
    """Signals that tables do not exist any more that finished stages built, so that these stages are run again."""

    tables: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OtherScenariosFound(Event):
    """Signals that the database of a run holds ``years`` of other ``scenarios``, some of which it may replace.

    ``database`` is its file, None for a server.
    """

    scenario: str
    scenarios: tuple[str, ...]
    years: tuple[int, ...]
    database: str | None


@dataclass(frozen=True, kw_only=True)
class InputsChanged(Event):
    """Signals that ``files`` were written while a run went on.

    ``stage`` of ``year`` read them: its rows, and those of all later years, may be of another state of the files than
    what the run notes, and that year is simulated again by the next run. Both None: no stage read them since; at the
    end of a run, its results are not of what the project is by then.
    """

    files: tuple[str, ...]
    year: int | None = None
    stage: str | None = None


@dataclass(frozen=True, kw_only=True)
class RowsLost(Event):
    """Signals that a table does not hold the rows of ``year`` that it held when that year was simulated.

    ``whole``: it has no years, and ``year`` built all of it. ``of`` is ``rows``, or ``view`` where it is another
    view, and ``file`` or ``files`` where what that year wrote outside of the database is not what it was. ``read``:
    ``table`` is a file that was written while that year read it.
    """

    year: int
    table: str
    expected: int
    found: int
    whole: bool = False
    of: str = "rows"


@dataclass(frozen=True, kw_only=True)
class YearStarted(Event):
    """Signals that a year began."""

    year: int


@dataclass(frozen=True, kw_only=True)
class YearFinished(Event):
    """Signals that every stage of a year is done."""

    year: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StageStarted(Event):
    """Signals that a stage of a year began."""

    year: int
    stage: str
    command: str


@dataclass(frozen=True, kw_only=True)
class StageFinished(Event):
    """Signals that a stage of a year ended; dbt was at it for ``dbt_seconds``, the rest went to the ledger.

    ``replayed`` tells that the statements of an earlier year were sent again, with the SQL of this one.
    """

    year: int
    stage: str
    started_at: datetime
    seconds: float
    dbt_seconds: float
    nodes: int
    replayed: bool
    success: bool
    error: str | None = None


@dataclass(frozen=True)
class TableState:
    """Content of a table: ``rows``, and a ``digest`` of them that does not depend on their order.

    In a table of years, only the rows of one. The digest is None where the database cannot make one; it compares rows
    written by the same version of the database.
    """

    table: str
    rows: int
    digest: str | None


@dataclass(frozen=True, kw_only=True)
class StageCheckpointed(Event):
    """Signals what the tables hold that a finished stage built."""

    year: int
    stage: str
    tables: tuple[TableState, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ReplayDeclined(Event):
    """Signals why a stage, or the rest of one, is run by dbt and not replayed; once for each reason."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class TestWarned(Event):
    """Signals that a test of severity warn found ``rows`` rows; ``query`` is the file with the SQL that shows them."""

    __test__ = False

    year: int
    stage: str
    name: str
    rows: int
    query: str | None


@dataclass(frozen=True, kw_only=True)
class CommandStarted(Event):
    """Signals that dbt begins a command over ``nodes`` nodes."""

    command: str
    nodes: int


@dataclass(frozen=True, kw_only=True)
class NodeStarted(Event):
    """Signals that dbt begins with one node."""

    unique_id: str
    name: str
    resource_type: str


@dataclass(frozen=True, kw_only=True)
class NodeFinished(Event):
    """Signals that dbt is done with one node; ``status`` is dbt's own word, ``error`` its message where it failed.

    ``sql_seconds`` are those of its statements, as dbt timed them; the rest of ``seconds`` is dbt's own work.
    """

    unique_id: str
    name: str
    resource_type: str
    status: str
    seconds: float
    sql_seconds: float
    error: str | None = None


EVENT_TYPES: dict[str, type[Event]] = {cls.__name__: cls for cls in Event.__subclasses__()}


def as_record(event: Event) -> dict[str, object]:
    """Turn an event into a flat dict of JSON values, its class name under ``event`` first.

    >>> from datetime import timezone
    >>> as_record(YearStarted(at=datetime(2025, 1, 1, tzinfo=timezone.utc), year=2025))
    {'event': 'YearStarted', 'at': '2025-01-01T00:00:00+00:00', 'run_id': None, 'year': 2025}
    """
    fields = {f.name: jsonable(getattr(event, f.name)) for f in dataclasses.fields(event)}
    return {"event": type(event).__name__, **fields}


def from_record(record: Mapping[str, object]) -> Event | None:
    """Make the event that :func:`as_record` wrote; None where this version knows no such event.

    Fields that are not there get their defaults, those that are not known are left out.

    Raises:
        ValueError: a field that has no default is not there, or a value is of another kind.

    >>> from_record({"event": "YearStarted", "at": "2025-01-01T00:00:00+00:00", "year": 2025, "new": 1}).year
    2025
    """
    cls = EVENT_TYPES.get(str(record.get("event")))
    return None if cls is None else _made(cls, record)


def _made(cls: type[T], record: Mapping[str, object]) -> T:
    hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable
    fields = [f.name for f in dataclasses.fields(cls) if f.name in record]  # type: ignore[arg-type]
    try:
        return cls(**{name: _value(hints[name], record[name]) for name in fields})
    except TypeError as error:
        raise ValueError(f"{cls.__name__}: {error}") from error


@cache
def _hints(cls: type) -> dict[str, object]:
    """Return the types of an event's fields, which take longer to find than the event to be read."""
    return get_type_hints(cls)


def _value(hint: object, value: object) -> object:
    """Turn a JSON value into what a field of an event holds."""
    inner = get_args(hint)
    if get_origin(hint) is UnionType:
        return None if value is None else _value(inner[0], value)
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_value(inner[0], item) for item in value)
    if hint is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        if moment.year not in YEARS_OF_EVENTS:  # those at the ends cannot be shown in every time zone
            raise ValueError(f"{value!r} is not the time of an event")
        return moment
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _made(hint, value)
    if hint in (int, float) and type(value) in (int, float) and not abs(value) < MOST:  # type: ignore[arg-type]
        raise ValueError(f"{str(value)[:40]} is no number of an event")
    if hint is float and type(value) is int:
        return float(value)
    plain = get_origin(hint) or hint
    if not isinstance(plain, type) or not isinstance(value, plain):
        raise ValueError(f"{value!r} is not {hint}")
    return value


def jsonable(value: object) -> object:
    """Turn a value into what JSON can say: dates as ISO 8601, decimals as numbers, dataclasses as objects."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Enum):
        return jsonable(value.value)
    if isinstance(value, PurePath):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    return value
