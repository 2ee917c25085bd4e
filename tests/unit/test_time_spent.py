"""Where the time went: every second is counted once, and the parts add up to the whole."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from orchestrator.cli.output import Output
from orchestrator.cli.time_table import show_time_spent
from orchestrator.core.events import (
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
from orchestrator.reports.time_spent import RunTime, Seconds, TimeSpent, YearTime

BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Story:
    """Events told to a listener; the program began two seconds before the run."""

    def __init__(self) -> None:
        self.now = 2.0
        self.listener = TimeSpent(lambda: self.now)
        self.tell(0, RunStarted, run_id="r", scenario="s", database="d", years=(), stages=(), command="c", pid=1)

    def tell(self, at: float, kind: type[Event], **values: object) -> None:
        """Tell one event that happened ``at`` seconds after the run began."""
        self.now = max(self.now, at + 2.0)
        self.listener(kind(at=BEGIN + timedelta(seconds=at), **values))  # type: ignore[arg-type]

    def hook(self, start: float, end: float, name: str = "mine") -> None:
        """Tell of a hook from its start to its end."""
        self.tell(start, HookStarted, hook_type="pre_simulation", name=name)
        self.hook_ended(start, end, name)

    def hook_ended(self, start: float, end: float, name: str = "mine") -> None:
        """Tell that a hook ended."""
        known = {"hook_type": "pre_simulation", "name": name, "success": True, "on_error": "abort"}
        self.tell(end, HookFinished, seconds=end - start, **known)

    def step(self, start: float, end: float) -> None:
        """Tell that a healing step ended."""
        began, ended = (BEGIN + timedelta(seconds=second) for second in (start, end))
        times = {"started_at": began, "completed_at": ended, "seconds": end - start}
        self.tell(end, StepFinished, step="check_tables", success=True, **times)

    def node(self, name: str, start: float | None, end: float | None, sql: float = 0.0) -> None:
        """Tell that a node began, or ended, or both."""
        node = {"unique_id": name, "name": name, "resource_type": "model"}
        if start is not None:
            self.tell(start, NodeStarted, **node)
        if end is not None:
            self.tell(end, NodeFinished, **node, status="success", seconds=0.0, sql_seconds=sql)

    def stage(self, start: float, end: float, dbt_seconds: float) -> None:
        """Tell that a stage ended."""
        at = BEGIN + timedelta(seconds=start)
        known = {"year": 2025, "stage": "s", "nodes": 1, "replayed": False, "success": True}
        self.tell(end, StageFinished, started_at=at, seconds=end - start, dbt_seconds=dbt_seconds, **known)

    def dbt_ready(self, at: float, parse: float) -> None:
        """Tell that dbt is up; ``parse`` are the seconds of its parse."""
        self.tell(at, DbtReady, seconds=parse, nodes=1, adapter="duckdb")

    def spent(self, end: float) -> Seconds:
        """End the run and return what it spent."""
        self.tell(end, RunFinished, run_id="r", status="completed", seconds=end)
        report = self.listener.report().seconds
        assert report.total == pytest.approx(end + 2.0)
        return report


def test_a_start_in_the_background_is_what_was_waited_for() -> None:
    """What the program did while dbt imported and parsed is not counted a second time."""
    story = Story()
    story.tell(1, DbtStarted, pid=1)
    story.tell(1.5, LockAcquired, lock_path="l", seconds=0.5)
    story.tell(1.5, HookStarted, hook_type="pre_simulation", name="self_healing")
    story.step(2, 3)
    story.hook_ended(1.5, 3, "self_healing")
    story.hook(4, 7)
    story.dbt_ready(8, parse=3)
    spent = story.spent(10)
    assert spent.waiting == pytest.approx(0.5) and spent.healing == pytest.approx(1) and spent.hooks == pytest.approx(3)
    assert spent.start_up == pytest.approx(2 + 0.5 + 1)  # before the run, 1.5 to 2 and 3 to 4
    assert spent.parse == pytest.approx(1)  # 7 to 8: the hook worked meanwhile
    assert spent.other == pytest.approx(1 + 2)


def test_a_start_before_the_run_is_not_counted_twice() -> None:
    """A dbt process that is started before the run shares that time with the program's own start."""
    story = Story()
    story.tell(-1, DbtStarted, pid=1)
    story.dbt_ready(3, parse=1)
    spent = story.spent(3)
    assert (spent.start_up, spent.parse) == pytest.approx((2 + 2, 1))


def test_a_stage_is_sql_dbt_and_ledger() -> None:
    """What dbt's statements did not take of its time is dbt's; a parse is a parse; the rest is the ledger's."""
    story = Story()
    story.tell(0, YearStarted, year=2025)
    story.tell(0, StageStarted, year=2025, stage="s", command="run")
    story.tell(1, ProjectParsedAgain, reason="r", seconds=1.0)
    story.node("a", 1, 3, sql=1.5)
    story.node("b", 3, 4, sql=0.5)
    story.stage(0, 5, dbt_seconds=4.5)
    story.hook(5, 6)
    story.tell(7, YearFinished, year=2025, seconds=7.0)
    spent = story.spent(7)
    assert (spent.sql, spent.dbt, spent.parse, spent.hooks) == pytest.approx((2.0, 1.5, 1.0, 1.0))
    (year,) = story.listener.report().years
    assert year.year == 2025 and year.seconds.total == pytest.approx(7)
    assert year.seconds.other == pytest.approx(1.5)
    assert (year.seconds.sql, year.seconds.dbt, year.seconds.parse, year.seconds.hooks) == pytest.approx((2, 1.5, 1, 1))


def test_nodes_side_by_side_share_the_time_that_passed() -> None:
    """Two nodes of two seconds each that ran at once took two seconds, half of them SQL."""
    story = Story()
    story.tell(0, StageStarted, year=2025, stage="s", command="run")
    story.node("a", 1, None)
    story.node("b", 1, None)
    story.node("a", None, 3, sql=1.0)
    story.node("b", None, 3, sql=1.0)
    story.node("skipped", None, 3)
    story.stage(0, 3, dbt_seconds=3)
    spent = story.spent(3)
    assert (spent.sql, spent.dbt) == pytest.approx((1.0, 2.0))


def test_healing_by_a_hook_is_healing() -> None:
    """A hook that heals is counted without that; what follows the run is its closing."""
    story = Story()
    story.tell(0, HookStarted, hook_type="pre_simulation", name="mine")
    story.step(1, 3)
    story.hook_ended(0, 4)
    story.tell(5, YearsPurged, from_year=2025, rows=1, tables=("t",), seconds=1.0)
    spent = story.spent(5)
    assert (spent.healing, spent.hooks, spent.purge, spent.other) == pytest.approx((2, 2, 1, 0))
    story.now += 0.5
    closed = story.listener.report().seconds
    assert (closed.closing, closed.total) == pytest.approx((0.5, 7.5))


def shown(
    time: RunTime, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> list[list[str]]:
    """Return the words of each line of the closing table in a terminal of a width."""
    monkeypatch.setenv("COLUMNS", str(width))
    show_time_spent(Output(json=False, verbosity=0, quiet=False), time)
    lines = capsys.readouterr().out.splitlines()[1:]
    assert max(map(len, lines)) <= width
    return [line.split() for line in lines]


def test_the_table_adds_up(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounded parts add up to the rounded total, in every column; what took no time has no row."""
    year = YearTime(2025, Seconds(sql=0.25, dbt=0.25, other=0.07))
    time = RunTime(Seconds(start_up=0.25, sql=0.25, dbt=0.25, hooks=0.001, other=0.269), (year,))
    assert shown(time, 80, capsys, monkeypatch) == [
        ["Where", "the", "time", "went", "seconds", "share", "2025"],
        ["start-up", "0.3", "25%"],
        ["SQL", "0.2", "25%", "0.3"],
        ["dbt", "itself", "0.2", "24%", "0.2"],
        ["ledger", "and", "other", "0.3", "26%", "0.1"],
        ["total", "1.0", "100%", "0.6"],
    ]


def test_years_that_do_not_fit_leave_a_gap(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many years the first and the last are shown; a terminal that is too narrow shows none."""
    years = tuple(YearTime(2025 + n, Seconds(sql=1.0)) for n in range(30))
    time = RunTime(Seconds(sql=30.0), years)
    assert shown(time, 80, capsys, monkeypatch)[0][6:] == ["2025", "2026", "2027", "2028", "…", "2052", "2053", "2054"]
    assert shown(time, 250, capsys, monkeypatch)[0][6:] == [str(year.year) for year in years]
    assert shown(time, 40, capsys, monkeypatch)[0] == ["Where", "the", "time", "went", "seconds", "share"]
