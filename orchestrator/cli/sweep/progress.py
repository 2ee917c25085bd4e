"""Show a sweep while it runs: a live table on a terminal, a line for each member that ends elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.core.clocks import stopwatch
from orchestrator.core.formats import shown_seconds, shown_size
from orchestrator.core.text import plural
from orchestrator.scenarios.happenings import Happening, MemberEnded, MemberReached
from orchestrator.scenarios.state import MemberState

if TYPE_CHECKING:
    from orchestrator.scenarios.plan import SweepPlan

RUNNING_SHOWN, FAILURES_SHOWN, MESSAGE_SHOWN = 12, 3, 100
DONE, FAILED, AGAIN, STOPPED = ("✓", "green"), ("✗", "red"), ("!", "yellow"), ("-", "yellow")
MARKS = {"done": DONE, "failed": FAILED, "cancelled": STOPPED}


class SweepProgress:
    """Takes what happens in a sweep and shows it; as a context manager it keeps a live table while on a terminal."""

    def __init__(
        self,
        console: Console,
        plan: SweepPlan,
        kept: Sequence[str],
        *,
        detail: bool = False,
        clock: Callable[[], Callable[[], float]] = stopwatch,
    ) -> None:
        self._console = console
        self._detail = detail
        self._clock = clock
        self._elapsed = clock()
        self._total = len(plan.members)
        self._kept = len(kept)
        self._counts = {"done": len(kept), "failed": 0, "cancelled": 0}
        self._running: dict[str, tuple[str, Callable[[], float]]] = {}
        self._failures: list[tuple[str, str]] = []
        self._workers = 0
        self._memory: int | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        console = self._console
        if console.is_terminal and not console.is_dumb_terminal and not console.quiet:
            self._live = Live(get_renderable=self._table, console=console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def __call__(self, happening: Happening) -> None:
        """Show one thing that happened."""
        if isinstance(happening, MemberReached):
            _, since = self._running.get(happening.key, ("", self._clock()))
            where = "starts" if happening.year is None else f"{happening.year}, {happening.stage}"
            self._running[happening.key] = (where, since)
        elif isinstance(happening, MemberEnded):
            self._ended(happening)
        else:
            self._workers, self._memory = happening.count, happening.memory

    def remaining(self) -> float | None:
        """Return the seconds that are expected to be left, None where nothing has ended yet."""
        ended = self._counts["done"] + self._counts["failed"] - self._kept
        left = self._total - sum(self._counts.values())
        return self._elapsed() / ended * left if ended > 0 else None

    def _ended(self, happening: MemberEnded) -> None:
        key, state = happening.key, happening.state
        self._running.pop(key, None)
        if happening.again:
            self._line(AGAIN, f"{key}  attempt {state.attempts} failed and is tried again: {_first_line(state)}")
            return
        self._counts[state.status] = self._counts.get(state.status, 0) + 1
        if state.status == "failed":
            self._failures.append((key, _first_line(state)))
        if self._live is not None and state.status != "failed" and not self._detail:
            return
        if state.status == "cancelled" and not self._detail:
            return
        count = f"{self._counts['done']:,} of {self._total:,}"
        said = f"{shown_seconds(state.seconds)}  {count}" if state.status == "done" else _first_line(state)
        self._line(MARKS.get(state.status, STOPPED), f"{key}  {said}")

    def _line(self, mark: tuple[str, str], text: str) -> None:
        self._console.print(Text.assemble(mark, " ", text), soft_wrap=not self._console.is_terminal)

    def _table(self) -> RenderableType:
        """Return the live table: a line of sums, the members that run, and the last that failed."""
        parts: list[RenderableType] = [self._sums()]
        if self._running:
            table = Table.grid(padding=(0, 2))
            for key, (where, since) in list(self._running.items())[:RUNNING_SHOWN]:
                table.add_row(Text("·", "cyan"), Text(key), Text(where, "dim"), Text(shown_seconds(since()), "dim"))
            parts.append(table)
            if len(self._running) > RUNNING_SHOWN:
                parts.append(Text(f"  and {len(self._running) - RUNNING_SHOWN} more", "dim"))
        parts += [Text.assemble(FAILED, f" {key}  {why}") for key, why in self._failures[-FAILURES_SHOWN:]]
        return Group(*parts)

    def _sums(self) -> Text:
        counts, left = self._counts, self.remaining()
        parts = [f"{counts['done']:,} of {self._total:,} done"]
        parts += [f"{counts['failed']:,} failed"] if counts["failed"] else []
        parts += [f"{len(self._running):,} running"] if self._running else []
        parts.append(shown_seconds(self._elapsed()))
        parts += [f"about {shown_seconds(left)} left"] if left is not None else []
        if self._workers:
            memory = "" if self._memory is None else f", {shown_size(self._memory)}"
            parts.append(f"{plural(self._workers, 'worker')}{memory}")
        return Text(" · ".join(parts), "bold")


def _first_line(state: MemberState) -> str:
    text = (state.message or "no reason given").split("\n", 1)[0]
    return text if len(text) <= MESSAGE_SHOWN else f"{text[: MESSAGE_SHOWN - 1]}…"
