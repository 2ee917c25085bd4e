"""Rows that something else has changed in what stages build: in tables without years, and in years half done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator import Hook, HookContext, HookError, HookType, YearSequenceError
from orchestrator.core.events import RowsLost, StageFinished
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

Prepare = Callable[[str], Workspace]
TOTALS = "select sum(volume) as volume, max(water_year) as newest from {{ ref('inflow') }}"
DEEPEST = "select lake, max(level) as level from {{ ref('lake_level') }} group by lake"


@pytest.fixture
def summed(fresh: Prepare) -> Workspace:
    """A reservoir with a table that each stage builds anew in each year; not simulated yet."""
    workspace = fresh("reservoir")
    for name, tag, text in (("totals", "FLOWS", TOTALS), ("deepest", "BALANCE", DEEPEST)):
        model = workspace.root / "dbt" / "models" / "yearly" / f"{name}.sql"
        model.write_text(f"{{{{ config(materialized='table', tags=['{tag}']) }}}} {text}")
    return workspace


def run(workspace: Workspace, *hooks: Hook, end: int | None = None, start: int | None = None) -> list[str]:
    """Simulate with these hooks; return the stages that ran."""
    workspace.events.clear()
    with workspace.orchestrator() as orchestrator:
        for hook in hooks:
            orchestrator.hooks.register_hook(hook)
        orchestrator.execute_multi_year_simulation(start, end)
    return [f"{event.year} {event.stage}" for event in workspace.events if isinstance(event, StageFinished)]


def lost(workspace: Workspace) -> list[tuple[int, str, int, int]]:
    """Return what the last run found lost."""
    found = [event for event in workspace.events if isinstance(event, RowsLost)]
    return [(event.year, event.table, event.expected, event.found) for event in found]


def stages(*years: int) -> list[str]:
    """Return all stages of these years."""
    return [f"{year} {stage}" for year in years for stage in ("flows", "balance", "checks")]


def stopping(year: int, stage: str) -> Hook:
    """Make a hook that ends a run before a stage of a year."""

    def stop(context: HookContext) -> None:
        if (context.year, context.stage) == (year, stage):
            raise RuntimeError("stop here")

    return Hook(HookType.PRE_STAGE, stop, name="stop")


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("update totals set volume = 0", "totals"),
        ("insert into totals from totals", "totals"),
        ("delete from deepest", "deepest"),
    ],
)
def test_a_table_without_years_is_built_again(summed: Workspace, statement: str, table: str) -> None:
    """The year that built it last is simulated again, and says why; then nothing is to be done."""
    run(summed)
    before = summed.digests()
    summed.sql(statement)
    assert run(summed) == stages(2002)
    assert [loss[:2] for loss in lost(summed)] == [(2002, table)]
    assert summed.digests() == before
    assert run(summed) == []


def test_years_do_not_follow_a_changed_table(summed: Workspace) -> None:
    """A range behind it is refused; what the message says to run, runs."""
    run(summed, end=2001)
    summed.sql("update totals set volume = 0")
    with pytest.raises(YearSequenceError, match="totals holds other values than when 2001 built it") as caught:
        run(summed, start=2002, end=2002)
    assert "orchestrator simulate 2001-2002" in str(caught.value.to_fix)
    assert run(summed, start=2001, end=2002) == stages(2001, 2002)


@pytest.mark.parametrize(
    "statement",
    [
        "update totals set volume = 0",
        "update inflow set volume = 0 where water_year = 2001",
        "delete from inflow where water_year = 2001",
    ],
)
def test_a_year_half_done_is_compared(summed: Workspace, statement: str) -> None:
    """What finished stages of it have left, in tables of years and in others."""
    with pytest.raises(HookError):
        run(summed, stopping(2001, "balance"), end=2001)
    summed.sql(statement)
    assert run(summed, end=2001)[-3:] == stages(2001)
    assert [year for year, *_ in lost(summed)] == [2001]


def test_a_year_half_done_that_nobody_changed_goes_on(summed: Workspace) -> None:
    """At the stage where it stopped; also a second time, after which changes are still found."""
    for _ in range(2):
        with pytest.raises(HookError):
            run(summed, stopping(2001, "balance"))
    summed.sql("update inflow set volume = 0 where water_year = 2001")
    with pytest.raises(HookError):
        run(summed, stopping(2001, "flows"))
    assert [year for year, *_ in lost(summed)] == [2001]
    assert run(summed) == stages(2001, 2002)


def test_what_the_stage_built_that_was_cut_off_is_no_change(summed: Workspace) -> None:
    """It builds that again; what other stages have left is compared."""
    run(summed, end=2000)
    with pytest.raises(HookError):
        run(summed, stopping(2001, "flows"))
    summed.sql("update totals set volume = 0")
    with pytest.raises(HookError):
        run(summed, stopping(2001, "balance"))
    assert lost(summed) == []
    summed.sql("update deepest set level = 0")
    assert run(summed)[0] == "2001 balance"
    assert lost(summed) == []


def test_what_hooks_leave_is_what_there_should_be(summed: Workspace) -> None:
    """Between stages, after a year and after the last one."""

    def change(context: HookContext) -> None:
        context.execute("update totals set volume = volume + 1")
        context.execute("update deepest set level = level + 1")

    hooks = [Hook(kind, change, name=kind.value) for kind in (HookType.POST_YEAR, HookType.POST_SIMULATION)]
    hooks.append(Hook(HookType.POST_STAGE, change, name="between", stage="balance"))
    run(summed, *hooks, end=2001)
    assert run(summed, end=2001) == []
    assert run(summed, end=2002) == stages(2002)
    assert lost(summed) == []


def test_what_hooks_of_dbt_change_is_not_compared(summed: Workspace) -> None:
    """It is meant to change: a log, say."""
    model = summed.root / "dbt" / "models" / "yearly" / "deepest.sql"
    hook = "post_hook='update {{ ref(\"totals\") }} set volume = 1'"
    model.write_text(model.read_text().replace("materialized", f"{hook}, materialized"))
    run(summed, end=2001)
    summed.sql("update totals set volume = 2")
    assert run(summed, end=2001) == []
