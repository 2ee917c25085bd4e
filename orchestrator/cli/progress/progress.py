"""Show a run while it goes on: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from orchestrator.cli.progress.status_line import MakeClock, StatusLine
from orchestrator.cli.progress.year_table import YearTable
from orchestrator.core.clocks import stopwatch
from orchestrator.core.events import (
    HEALING_HOOK,
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
    LockWaited,
    NodeFinished,
    NodeStarted,
    NothingKept,
    OtherScenariosFound,
    ProjectParsedAgain,
    RowsLost,
    RunFinished,
    RunResumed,
    RunStarted,
    StageFinished,
    StageStarted,
    StepFinished,
    StepStarted,
    SwitchesIgnored,
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
    shown_path,
    told_loss,
    told_other_scenarios,
    told_written,
    whole_year,
)
from orchestrator.core.text import plural

DONE, FAILED, WARNED = ("✓", "green"), ("✗", "red"), ("!", "yellow")
STEP_WIDTH = 17
CHANGES_SHOWN = 5
BAD = ("error", "fail", "runtime error", "partial success", "skipped")


class Progress:
    """A listener that writes what happens to a console; ``detail`` adds nodes, hooks and dbt's warnings.

    As a context manager it keeps a live line at the bottom while the console is a terminal. What is finished
    stays as a line of its own; nothing is written twice. ``clock`` starts when something begins and gives the seconds
    since then.
    """

    def __init__(self, console: Console, *, detail: bool = False, clock: MakeClock = stopwatch) -> None:
        self._console = console
        self._detail = detail
        self._clock = clock
        self._status = StatusLine(plain=not console.encoding.lower().startswith("utf"), clock=clock)
        self._years: YearTable | None = None
        self._dbt_started: DbtStarted | None = None
        self._since_dbt_started = clock()
        self._waiting_for: str | None = None
        self._last_step: tuple[str, str | None] | None = None
        self._step_nodes = 0
        self._live: Live | None = None
        self._ignored: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        console = self._console
        if console.is_terminal and not console.is_dumb_terminal and not console.quiet:
            self._live = Live(
                self._status,
                console=console,
                refresh_per_second=10,
                transient=True,
                redirect_stdout=_same_terminal("stdout"),
                redirect_stderr=_same_terminal("stderr"),
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the live line away while something is asked."""
        live = self._live
        if live is not None:
            live.stop()
        try:
            yield
        finally:
            if live is not None:
                live.start()

    def busy(self, label: str) -> None:
        """Show on the live line what goes on where no event tells."""
        self._status.show(label)

    def foresee(self, words: Callable[[], str]) -> None:
        """Add to the live line how long all of it takes from now, until something new begins."""
        self._status.foresee(words)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case DbtStarted() | DbtReady():
                self._dbt(event)
            case LockWaited() | LockAcquired():
                self._lock(event)
            case StepStarted() | StepFinished():
                self._step(event)
            case CommandStarted() | NodeStarted() | NodeFinished():
                self._node(event)
            case RunStarted():
                self._years = YearTable(event.stages, event.years, self._console)
            case YearStarted() | YearFinished() | StageStarted() | StageFinished() | RunFinished():
                self._year(event)
            case WholeYearRun():
                self._line(Text(f"starting {whole_year(event.year, event.changed_by)}"), *WARNED)
            case YearsPurged() | RunResumed() | ChangesFound() | TablesLost() | RowsLost():
                self._start(event)
            case WholeRangeRun() | InputsChanged():
                self._start(event)
            case _:
                self._further(event)

    def _idle(self) -> None:
        """Show what goes on in the background: dbt's start, or nothing."""
        if self._dbt_started is None:
            self._status.clear()
        else:
            self._status.show("starting dbt and parsing the project", elapsed=self._since_dbt_started)

    def _dbt(self, event: DbtStarted | DbtReady) -> None:
        if isinstance(event, DbtStarted):
            self._dbt_started, self._since_dbt_started = event, self._clock()
            self._idle()
            return
        seconds = event.seconds
        if self._dbt_started is not None:
            seconds = (event.at - self._dbt_started.at).total_seconds()
        self._dbt_started = None
        self._idle()
        self._step_line("start dbt", seconds, f"{plural(event.nodes, 'node')} parsed")

    def _lock(self, event: LockWaited | LockAcquired) -> None:
        if isinstance(event, LockAcquired):
            waited, self._waiting_for = self._waiting_for, None
            self._idle()
            if waited is not None:
                self._step_line("wait", event.seconds, f"until {waited} finished")
            return
        holder = "another process" if event.pid is None else f"pid {event.pid}"
        self._waiting_for = holder
        who = f"{holder} ({event.command})" if event.command else holder
        limit = "" if event.timeout is None else f", giving up after {event.timeout:g} s"
        held = "" if event.since is None else f", running for {(event.at - event.since).total_seconds():.0f} s"
        self._status.show(f"waiting for {holder}{limit}")
        self._line(Text(f"waiting for {who}{held}{limit}"), *WARNED)

    def _step(self, event: StepStarted | StepFinished) -> None:
        if isinstance(event, StepStarted):
            self._step_nodes = event.nodes
            label = event.step if event.detail is None else f"{event.step} {event.detail}"
            self._status.show(label, nodes=event.nodes, counting_on=True)
            return
        self._idle()
        detail = event.detail
        if detail is None and self._step_nodes:
            detail = plural(self._step_nodes, "node")
        if event.success and (event.step, detail) == self._last_step:
            return  # the second look, under the mutex, saw what the first one saw
        self._last_step = (event.step, detail)
        if not event.success:
            outcome = "stopped" if event.error == KeyboardInterrupt.__name__ else "failed"
            detail = outcome if event.detail is None else f"{event.detail}: {outcome}"
        self._step_line(event.step, event.seconds, detail, success=event.success)

    def _year(self, event: YearStarted | YearFinished | StageStarted | StageFinished | RunFinished) -> None:
        if self._years is None:
            return
        match event:
            case YearStarted():
                if (head := self._years.begin(event.year)) is not None:
                    self._line(head)
            case YearFinished():
                self._line(self._years.row(event.seconds), *DONE)
                self._idle()
            case StageStarted():
                self._status.show(f"{self._years.place(event.year)}  {event.stage}")
                if self._detail:
                    self._line(Text(f"{event.year} {event.stage}", "bold"))
            case StageFinished():
                self._years.stage_ended(event.stage, event.seconds if event.success else None)
                self._idle()
            case RunFinished() if event.status != "completed":
                row = self._years.unfinished_row("failed" if event.status == "failed" else "stopped")
                if row is not None:
                    self._line(row, *FAILED)
            case _:
                pass

    def _start(
        self,
        event: YearsPurged | RunResumed | ChangesFound | TablesLost | RowsLost | WholeRangeRun | InputsChanged,
    ) -> None:
        match event:
            case InputsChanged():
                self._line(Text(told_written(event.files, event.year)), *WARNED)
            case WholeRangeRun():
                if self._years is not None:
                    self._years.expect(event.years)
                names = ", ".join(event.models)
                self._line(Text(f"starting at {event.years[0]}: no single year can be taken out of {names}"), *WARNED)
            case YearsPurged():
                purge = purge_text(event.rows, event.from_year, len(event.tables), event.years, event.forgone)
                self._step_line("purge", event.seconds, purge)
            case RunResumed():
                where = resumed_at(event.year, event.stage, ending=event.ending)
                self._line(Text(f"resuming {where}"), *DONE)
            case ChangesFound():
                self._changes(f"starting at {event.from_year} again, because since the last run", event.changes)
            case TablesLost():
                gone = tuple(f"table {name} is gone" for name in event.tables)
                self._changes("finished stages are run again, because since the last run", gone)
            case RowsLost():
                lost = told_loss(
                    event.table, event.year, expected=event.expected, found=event.found, whole=event.whole, of=event.of
                )
                self._line(Text(f"{lost}, so {event.year} is simulated again"), *WARNED)

    def _further(self, event: Event) -> None:
        match event:
            case OtherScenariosFound():
                where = shown_path(event.database)
                self._line(Text(told_other_scenarios(event.scenarios, event.years, event.scenario, where)), *WARNED)
            case DatabaseSetAside():
                self._line(Text(f"moved {shown_path(event.database)} to {shown_path(event.moved_to)}"), *DONE)
            case HookStarted() if event.name != HEALING_HOOK:
                self._status.show(f"hook {event.name}")
            case HookFinished():
                self._hook(event)
            case SwitchesIgnored() if event.names != self._ignored:
                self._ignored = event.names
                self._line(Text(_ignored_switches(event.names)), *WARNED)
            case NothingKept():
                kept = f"{shown_path(event.folder)} cannot be written ({event.reason}), so the parse is not kept"
                self._line(Text(f"{kept} for the next run"), *WARNED)
            case DbtWarned() if self._detail:
                self._line(Text(f"dbt: {event.message}"), *WARNED)
            case TestWarned():
                self._line(Text(f"test {event.name} found {plural(event.rows, 'row')} ({event.year})"), *WARNED)
            case ProjectParsedAgain() if self._detail:
                self._step_line("parse again", event.seconds, event.reason)
            case _:
                pass

    def _changes(self, what_follows: str, changes: tuple[str, ...]) -> None:
        shown = changes if self._detail else changes[:CHANGES_SHOWN]
        self._line(Text(what_follows), *WARNED)
        for change in shown:
            self._line(Text(f"    {change}"))
        if len(changes) > len(shown):
            self._line(Text(f"    and {len(changes) - len(shown)} more (-v shows them)"))

    def _hook(self, event: HookFinished) -> None:
        if event.name == HEALING_HOOK:
            return
        self._idle()
        when = " ".join(str(part) for part in (event.hook_type, event.year, event.stage) if part is not None)
        if not event.success and event.on_error == "warn":
            self._line(Text(f"hook {event.name} ({when}) failed, the run goes on: {event.error}"), *WARNED)
        elif self._detail:
            self._step_line("hook", event.seconds, f"{event.name} ({when})", success=event.success)

    def _node(self, event: CommandStarted | NodeStarted | NodeFinished) -> None:
        match event:
            case CommandStarted():
                self._status.expect(event.nodes)
            case NodeStarted():
                self._status.node_started(event.unique_id, event.name)
            case NodeFinished():
                self._status.node_finished(event.unique_id)
                if self._detail:
                    self._node_line(event)

    def _node_line(self, event: NodeFinished) -> None:
        bad = event.status in BAD
        line = f"    {event.seconds:6.2f} s  {event.resource_type} {event.name}"
        self._line(Text(line + (f"  {event.status}" if bad else ""), "red" if bad else "dim"))

    def _step_line(self, name: str, seconds: float, detail: str | None, *, success: bool = True) -> None:
        line = f"{name:<{STEP_WIDTH}} {seconds:6.2f} s"
        self._line(Text(f"{line}   {detail}" if detail else line), *(DONE if success else FAILED))

    def _line(self, text: Text, mark: str = " ", style: str = "") -> None:
        line = Text.assemble((mark, style), " ", text)
        self._console.print(line, soft_wrap=self._live is None)


def _ignored_switches(names: tuple[str, ...]) -> str:
    """Return the line about switches of dbt's command line.

    >>> _ignored_switches(("DBT_EMPTY",))
    'DBT_EMPTY is set in the environment and has no effect here: the configuration alone decides what dbt does'
    """
    verbs = "is set in the environment and has" if len(names) == 1 else "are set in the environment and have"
    return f"{', '.join(names)} {verbs} no effect here: the configuration alone decides what dbt does"


def _same_terminal(name: str) -> bool:
    """Tell whether what others write to a standard stream would land in the live display."""
    stream = sys.stdout if name == "stdout" else sys.stderr
    return stream is not None and stream.isatty()
