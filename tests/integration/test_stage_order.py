"""What a stage reads before a later stage of the same year builds it is that of the year before, always."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator import Hook, HookContext, HookError, HookType
from orchestrator.core.errors import ContinuityError
from orchestrator.core.events import RunResumed, StageFinished, WholeRangeRun
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

Prepare = Callable[[str], Workspace]
STAGES = """stages:
  - {name: look, select: "tag:LOOK", later_years_only: true}
"""
SEEN = "select {{ var('water_year') }} as water_year, max(year) as before from {{ READ }}"
LATEST = "select {{ var('water_year') }} as year, sum(volume) as volume from {{ ref('inflow') }}"
RIGHT = [(2001, 2000), (2002, 2001)]


def make(fresh: Prepare, kind: str = "table", read: str = "ref('latest')") -> Workspace:
    """Prepare a reservoir whose first stage reads what its last one builds."""
    workspace = fresh("reservoir")
    for name, tag, materialized, text in (
        ("latest", "BALANCE", kind, LATEST),
        ("seen", "LOOK", "incremental", SEEN.replace("READ", read)),
    ):
        model = workspace.root / "dbt" / "models" / "yearly" / f"{name}.sql"
        model.write_text(f"{{{{ config(materialized='{materialized}', tags=['{tag}']) }}}} {text}")
    workspace.config.write_text(workspace.config.read_text().replace("stages:\n", STAGES))
    return workspace


def run(workspace: Workspace, *hooks: Hook, end: int | None = None, again: int | None = None) -> list[int]:
    """Simulate, from a year on again; return the years of which stages ran."""
    workspace.events.clear()
    with workspace.orchestrator() as orchestrator:
        for hook in hooks:
            orchestrator.hooks.register_hook(hook)
        orchestrator.execute_multi_year_simulation(None, end, from_year=again)
    return sorted({event.year for event in workspace.events if isinstance(event, StageFinished)})


def seen(workspace: Workspace) -> list[tuple[object, ...]]:
    """Return which year each year has read."""
    return list(workspace.sql("select * from seen order by all"))


def whole(workspace: Workspace) -> list[str]:
    """Return because of which models the last run began at the first year."""
    return [name for event in workspace.events if isinstance(event, WholeRangeRun) for name in event.models]


@pytest.mark.parametrize(
    ("kind", "read"), [("table", "ref('latest')"), ("view", "ref('latest')"), ("table", "ref('through')")]
)
def test_a_year_that_is_run_again_reads_the_year_before(fresh: Prepare, kind: str, read: str) -> None:
    """Nothing of that is left once the year has built it: the run begins at the first year, and says why."""
    workspace = make(fresh, kind, read)
    through = workspace.root / "dbt" / "models" / "yearly" / "through.sql"
    through.write_text("{{ config(materialized='ephemeral') }} select * from {{ ref('latest') }}")
    run(workspace)
    assert seen(workspace) == RIGHT
    assert run(workspace, again=2002) == [2000, 2001, 2002]
    assert (seen(workspace), whole(workspace)) == (RIGHT, ["latest"])
    workspace.sql("delete from inflow where water_year = 2002")
    assert run(workspace) == [2000, 2001, 2002]
    assert seen(workspace) == RIGHT
    assert run(workspace) == []


def test_an_edited_table_that_the_next_year_reads_is_not_read(fresh: Prepare) -> None:
    """The last year alone cannot make it again."""
    workspace = make(fresh)
    run(workspace, end=2001)
    workspace.sql("update latest set year = 1000")
    assert run(workspace) == [2000, 2001, 2002]
    assert seen(workspace) == RIGHT


def test_years_follow_and_resume_as_ever(fresh: Prepare) -> None:
    """As long as nothing of the year has been built that it reads."""

    def stop(context: HookContext) -> None:
        if (context.year, context.stage) == (2001, "flows"):
            raise RuntimeError("stop here")

    workspace = make(fresh)
    run(workspace, end=2000)
    with pytest.raises(HookError):
        run(workspace, Hook(HookType.PRE_STAGE, stop, name="stop"))
    assert run(workspace) == [2001, 2002]
    assert (seen(workspace), whole(workspace)) == (RIGHT, [])


@pytest.mark.parametrize("kind", [HookType.POST_SIMULATION, HookType.POST_YEAR])
def test_a_hook_at_the_end_is_called_again_alone(fresh: Prepare, kind: HookType) -> None:
    """No finished stage is run again because it failed."""
    calls: list[object] = []

    def fail_once(context: HookContext) -> None:
        if kind is HookType.POST_SIMULATION or context.year == 2002:
            calls.append(context.year)
            if len(calls) == 1:
                raise RuntimeError("not today")

    workspace, hook = fresh("reservoir"), Hook(kind, fail_once, name="last")
    with pytest.raises(HookError):
        run(workspace, hook)
    assert run(workspace, hook) == []
    assert len(calls) == 2
    assert [event.ending for event in workspace.events if isinstance(event, RunResumed)] == [True]
    assert run(workspace, hook) == []
    assert len(calls) == 2


def test_a_shorter_range_is_done_although_a_longer_one_failed(fresh: Prepare) -> None:
    """Unless the year behind it has replaced what its last year built."""

    def stop(context: HookContext) -> None:
        if (context.year, context.stage) == (2002, "balance"):
            raise RuntimeError("stop here")

    workspace, hook = make(fresh), Hook(HookType.PRE_STAGE, stop, name="stop")
    run(workspace, end=2001)
    with pytest.raises(HookError):
        run(workspace, hook)
    assert run(workspace, end=2001) == []
    workspace.sql("update latest set volume = 0")
    with workspace.orchestrator() as orchestrator:
        orchestrator.execute_multi_year_simulation(None, 2001, forgo_years=True)
    assert seen(workspace) == RIGHT[:1]
    assert workspace.sql("select volume > 0 from latest") == [(True,)]


def test_a_view_in_place_of_a_table_is_no_table(fresh: Prepare) -> None:
    """What somebody has put there is replaced."""
    workspace = make(fresh)
    run(workspace)
    workspace.sql("drop table latest", "create view latest as select 2002 as year, 99 as volume")
    assert run(workspace) == [2000, 2001, 2002]
    assert workspace.sql("select volume <> 99 from latest") == [(True,)]


def sending(kind: HookType, statement: str, year: int | None = None, stage: str | None = None) -> Hook:
    """Make a hook that sends a statement, in one year or always."""

    def send(context: HookContext) -> None:
        if year in (None, context.year):
            context.execute(statement)

    return Hook(kind, send, name=kind.value, stage=stage)


@pytest.mark.parametrize(
    "statement",
    [
        "delete from inflow where lake = 'upper'",
        "insert into inflow select * from inflow where water_year = 2001",
        "update latest set volume = 7",
    ],
)
def test_what_the_last_hook_changes_belongs_to_the_years(fresh: Prepare, statement: str) -> None:
    """In whichever year, and however many rows: nothing is to be done afterwards."""
    workspace, hook = make(fresh), sending(HookType.POST_SIMULATION, statement)
    assert run(workspace, hook) == [2000, 2001, 2002]
    assert run(workspace, hook) == []


def test_what_the_first_hook_changes_in_a_table_without_years_stays(fresh: Prepare) -> None:
    """It is called before each run, and what it leaves is what there should be."""
    workspace = make(fresh)
    run(workspace)
    hook = sending(HookType.PRE_SIMULATION, "update latest set volume = 7")
    assert run(workspace, hook) == []
    assert run(workspace, hook) == []
    workspace.sql("update lake_level set level = level + 1 where water_year = 2002")
    assert 2002 in run(workspace, hook)


def test_a_hook_that_is_repeated_may_not_change_other_years(fresh: Prepare) -> None:
    """As little as one that is called for the first time."""

    def fail(context: HookContext) -> None:
        if context.year == 2002:
            raise RuntimeError("not today")

    workspace = fresh("reservoir")
    with pytest.raises(HookError):
        run(workspace, Hook(HookType.POST_YEAR, fail, name="last"))
    worse = sending(HookType.POST_YEAR, "delete from inflow where water_year = 2000", year=2002)
    with pytest.raises(ContinuityError, match="inflow has 0 rows of 2000"):
        run(workspace, worse)


def test_hooks_at_the_end_of_a_range_cost_no_later_year(fresh: Prepare) -> None:
    """Nothing is removed where years have followed since."""

    def fail(context: HookContext) -> None:
        raise RuntimeError("not today")

    workspace = fresh("reservoir")
    with pytest.raises(HookError):
        run(workspace, Hook(HookType.POST_SIMULATION, fail, name="last"), end=2000)
    run(workspace, end=2001)
    whole = workspace.sql("select count(*) from inflow")
    workspace.sql("insert into inflow select * replace (2002 as water_year) from inflow where water_year = 2001")
    assert run(workspace, end=2000) == []
    assert workspace.sql("select count(*) from inflow where water_year < 2002") == whole


def test_a_year_without_stages_has_hooks(fresh: Prepare) -> None:
    """Where all stages belong to the first year, the hooks at the end are called for the last."""
    workspace, calls = fresh("reservoir"), []

    def fail_once(context: HookContext) -> None:
        calls.append(context.year)
        if len(calls) == 1:
            raise RuntimeError("not today")

    text = workspace.config.read_text().partition("stages:")[0]
    workspace.config.write_text(text + 'stages: [{name: flows, select: "tag:FLOWS", first_year_only: true}]\n')
    hook = Hook(HookType.POST_SIMULATION, fail_once, name="last")
    with pytest.raises(HookError):
        run(workspace, hook)
    assert run(workspace, hook) == []
    assert len(calls) == 2
    assert run(workspace, hook) == []
    assert len(calls) == 2
