"""Add up where the time of a run went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass

from orchestrator.core.events import (
    HEALING_HOOK,
    DbtReady,
    DbtStarted,
    Event,
    HookFinished,
    HookStarted,
    LockAcquired,
    NodeFinished,
    NodeStarted,
    ProjectParsedAgain,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepFinished,
    YearFinished,
    YearsPurged,
    YearStarted,
)


@dataclass(frozen=True)
class Seconds:
    """Seconds by what they were spent on; each second is counted once, so that the parts add up.

    ``start_up`` is this program and the import of dbt, ``sql`` the statements of the stages, ``dbt`` the rest of
    what dbt did in them, ``waiting`` that for the database, ``closing`` what followed the run, above all the end of
    the dbt process, ``other`` the ledger and all that has no name.
    """

    start_up: float = 0.0
    parse: float = 0.0
    healing: float = 0.0
    sql: float = 0.0
    dbt: float = 0.0
    hooks: float = 0.0
    waiting: float = 0.0
    purge: float = 0.0
    closing: float = 0.0
    other: float = 0.0

    @property
    def total(self) -> float:
        """Return the sum."""
        return sum(map(float, astuple(self)))


@dataclass(frozen=True)
class YearTime:
    """One finished year."""

    year: int
    seconds: Seconds


@dataclass(frozen=True)
class RunTime:
    """A run: ``seconds`` of the whole program, its finished ``years`` contained."""

    seconds: Seconds
    years: tuple[YearTime, ...]


class TimeSpent:
    """A listener that adds up seconds; ``since_start`` gives those since the program began.

    While dbt starts, the program goes on. What it does meanwhile is counted as what it is, and only the time in
    which it did nothing else is start-up or parse: that which was waited for.
    """

    def __init__(self, since_start: Callable[[], float]) -> None:
        self._since_start = since_start
        self._spent: dict[str, float] = {}
        self._year: dict[str, float] | None = None
        self._years: list[YearTime] = []
        self._run_ended: float | None = None
        self._in_hook: float | None = None
        self._nodes: _Nodes | None = None
        self._parsed_again = 0.0
        self._dbt_started: float | None = None
        self._dbt_starts: list[tuple[float, float, float]] = []
        self._busy: list[tuple[float, float]] = []

    def __call__(self, event: Event) -> None:
        """Add the seconds of one event."""
        match event:
            case RunStarted() | RunFinished():
                self._run(event)
            case DbtStarted() | DbtReady():
                self._dbt(event)
            case LockAcquired() | YearsPurged():
                self._work("waiting" if isinstance(event, LockAcquired) else "purge", event, event.seconds)
            case StepFinished():
                self._work("healing", event, event.seconds)
                if self._in_hook is not None:
                    self._in_hook += event.seconds
            case HookStarted() | HookFinished() if event.name != HEALING_HOOK:
                self._hook(event)
            case YearStarted() | YearFinished():
                self._year_of(event)
            case _:
                self._in_stage(event)

    def report(self) -> RunTime:
        """Return what was spent on what, until now."""
        spent = dict(self._spent)
        for started, imported, ready in self._dbt_starts:
            spent["start_up"] = spent.get("start_up", 0.0) + self._idle(started, imported)
            spent["parse"] = spent.get("parse", 0.0) + self._idle(imported, ready)
        now = self._since_start()
        if self._run_ended is not None:
            spent["closing"] = now - self._run_ended
        return RunTime(_with_rest(spent, now), tuple(self._years))

    def _run(self, event: RunStarted | RunFinished) -> None:
        if isinstance(event, RunStarted):
            self._work("start_up", event, self._since_start())
        else:
            self._run_ended = self._since_start()

    def _dbt(self, event: DbtStarted | DbtReady) -> None:
        at = event.at.timestamp()
        if isinstance(event, DbtStarted):
            self._dbt_started = at
        elif self._dbt_started is not None:
            self._dbt_starts.append((self._dbt_started, max(self._dbt_started, at - event.seconds), at))
            self._dbt_started = None

    def _hook(self, event: HookStarted | HookFinished) -> None:
        if isinstance(event, HookStarted):
            self._in_hook = 0.0
            return
        healed, self._in_hook = self._in_hook or 0.0, None
        self._work("hooks", event, event.seconds, without=healed)

    def _in_stage(self, event: Event) -> None:
        match event:
            case StageStarted():
                self._nodes, self._parsed_again = _Nodes(), 0.0
            case NodeStarted() | NodeFinished() if self._nodes is not None:
                self._nodes(event)
            case ProjectParsedAgain() if self._nodes is not None:
                self._parsed_again += event.seconds
            case StageFinished() if self._nodes is not None:
                sql = min(self._nodes.sql_seconds(), event.dbt_seconds)
                parse = min(self._parsed_again, event.dbt_seconds - sql)
                self._add("sql", sql)
                self._add("parse", parse)
                self._work("dbt", event, event.dbt_seconds, without=sql + parse)
                self._nodes = None
            case _:
                pass

    def _year_of(self, event: YearStarted | YearFinished) -> None:
        if isinstance(event, YearStarted):
            self._year = {}
        elif self._year is not None:
            self._years.append(YearTime(event.year, _with_rest(self._year, event.seconds)))
            self._year = None

    def _work(self, part: str, event: Event, seconds: float, *, without: float = 0.0) -> None:
        """Add what ended with an event; ``without`` of its seconds were added as something else."""
        at = event.at.timestamp()
        self._busy.append((at - seconds, at))
        self._add(part, max(0.0, seconds - without))

    def _add(self, part: str, seconds: float) -> None:
        for spent in (self._spent, self._year):
            if spent is not None:
                spent[part] = spent.get(part, 0.0) + seconds

    def _idle(self, start: float, end: float) -> float:
        """Return the seconds between two moments in which the program itself did nothing."""
        idle, reached = 0.0, start
        for began, ended in sorted(self._busy):
            idle += max(0.0, min(began, end) - reached)
            reached = max(reached, ended)
        return idle + max(0.0, end - reached)


class _Nodes:
    """The nodes of one stage, which may run side by side."""

    def __init__(self) -> None:
        self._running: dict[str, float] = {}
        self._first_began = 0.0
        self._together = 0.0
        self._each = 0.0
        self._sql = 0.0

    def __call__(self, event: NodeStarted | NodeFinished) -> None:
        at = event.at.timestamp()
        if isinstance(event, NodeStarted):
            if not self._running:
                self._first_began = at
            self._running[event.unique_id] = at
            return
        began = self._running.pop(event.unique_id, None)
        if began is None:
            return
        self._each += at - began
        self._sql += event.sql_seconds
        if not self._running:
            self._together += at - self._first_began

    def sql_seconds(self) -> float:
        """Return the seconds of their statements, as much shorter as the nodes were by running side by side."""
        return self._sql * min(1.0, self._together / self._each) if self._each > 0 else 0.0


def _with_rest(spent: dict[str, float], total: float) -> Seconds:
    return Seconds(**{**spent, "other": max(0.0, total - sum(spent.values()))})
