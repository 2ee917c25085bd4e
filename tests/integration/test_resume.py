"""Runs that go on where an earlier one stopped, and runs that must not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import (
    Hook,
    HookContext,
    HookError,
    HookType,
    SimulationResult,
    TestFailedError,
    YearSequenceError,
    create_orchestrator,
)
from orchestrator.core.errors import ContinuityError
from orchestrator.core.events import (
    ChangesFound,
    Event,
    HookStarted,
    RowsLost,
    RunResumed,
    StageFinished,
    TablesLost,
    YearsPurged,
    YearStarted,
)
from tests.integration.test_staleness import edit
from tests.support.workspaces import WarmWorkspace, Workspace

pytestmark = pytest.mark.slow

Fresh = Callable[[str], Workspace]
KILLED_AT = """
import os, signal
from orchestrator import Hook, HookType, create_orchestrator
def die(context):
    if (context.year, context.stage) == {moment!r}:
        os.kill(os.getpid(), signal.SIGKILL)
hooks = [Hook(HookType.{hook_type}, die, name="die")]
create_orchestrator("config/simulation.yaml", hooks=hooks).execute_multi_year_simulation()
"""


def run(workspace: WarmWorkspace, *years: int, fresh: bool = False) -> SimulationResult:
    """Run a range with the warm orchestrator."""
    return workspace.again(*years, fresh=fresh)


def stages(workspace: Workspace) -> list[tuple[int, str]]:
    """Return what was run, in order."""
    return [(event.year, event.stage) for event in workspace.events if isinstance(event, StageFinished)]


def restarted(workspace: Workspace) -> list[str]:
    """Return what was told to have changed since the last run."""
    return [change for event in workspace.events if isinstance(event, ChangesFound) for change in event.changes]


def cut_off(workspace: WarmWorkspace, year: int, stage: str) -> None:
    """Make the database as a run leaves it that stops right after a stage."""

    def stop(context: HookContext) -> None:
        if context.year == year:
            raise KeyboardInterrupt

    after = {"flows": "balance", "balance": "checks"}
    where = (HookType.PRE_STAGE, after[stage]) if stage in after else (HookType.POST_YEAR, None)
    workspace.warm.hooks.register_hook(Hook(where[0], stop, name="stop", stage=where[1]))
    try:
        with pytest.raises(KeyboardInterrupt):
            run(workspace)
    finally:
        workspace.warm.hooks.unregister_hook("stop")
    workspace.events.clear()


@pytest.mark.parametrize(
    ("hook_type", "moment", "goes_on"),
    [
        ("POST_STAGE", (2001, "flows"), (2001, "balance")),
        ("PRE_STAGE", (2001, "checks"), (2001, "checks")),
        ("POST_YEAR", (2001, None), (2002, "flows")),
        ("PRE_YEAR", (2000, None), None),
    ],
)
def test_a_killed_run_goes_on_where_it_stopped(
    simulated: Fresh, no_orphans: None, hook_type: str, moment: tuple[int, str | None], goes_on: tuple[int, str] | None
) -> None:
    """After SIGKILL no finished stage is repeated, and the rows are those of an undisturbed run."""
    workspace = simulated("reservoir")
    undisturbed = workspace.digests()
    workspace.database.unlink()
    process = workspace.python(KILLED_AT.format(moment=moment, hook_type=hook_type))
    process.communicate(timeout=60)
    assert process.returncode == -9
    with workspace.orchestrator() as orchestrator:
        result = orchestrator.execute_multi_year_simulation()
    point = result.resumed_from
    assert (None if point is None else (point.year, point.stage)) == goes_on
    all_stages = [(year, stage) for year in (2000, 2001, 2002) for stage in ("flows", "balance", "checks")]
    assert stages(workspace) == (all_stages[all_stages.index(goes_on) :] if goes_on else all_stages)
    assert workspace.digests() == undisturbed


def test_a_half_done_stage_is_purged_before_it_is_repeated(warm: WarmWorkspace) -> None:
    """Rows of a stage without a ledger row go; those of the year's finished stages stay where they are."""
    undisturbed = warm.digests()
    cut_off(warm, 2001, "flows")
    warm.sql("insert into lake_level values ('upper', 2001, 1), ('ghost', 2002, 1)")
    result = run(warm)
    assert result.resumed_from is not None
    assert (result.resumed_from.year, result.resumed_from.stage) == (2001, "balance")
    assert stages(warm)[0] == (2001, "balance")
    assert [e.rows for e in warm.events if isinstance(e, YearsPurged)] == [2]
    assert [(e.year, e.stage) for e in warm.events if isinstance(e, RunResumed)] == [(2001, "balance")]
    assert [year.year for year in result.years] == [2001, 2002]
    assert warm.digests() == undisturbed


def test_a_longer_range_goes_on_behind_the_finished_years(warm: WarmWorkspace) -> None:
    """2000–2001 and then 2000–2002 runs 2002 alone; a finished range is run anew, and so is any with fresh."""
    undisturbed = warm.digests()
    run(warm, 2000, 2001)
    result = run(warm)
    assert result.resumed_from is not None
    assert result.resumed_from.year == 2002
    assert warm.digests() == undisturbed
    warm.events.clear()
    assert run(warm).resumed_from is None
    assert len(stages(warm)) == 9
    cut_off(warm, 2001, "flows")
    assert run(warm, fresh=True).resumed_from is None
    assert len(stages(warm)) == 9
    assert restarted(warm) == []
    assert warm.digests() == undisturbed


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("seeds/rain.csv", "1,0.5", "1,0.75", "seed rain changed"),
        ("models/yearly/lake_level.sql", "* 0.9", "* 0.8", "model lake_level changed"),
        ("", "", "", "var rain_factor changed from 1 to 2"),
    ],
)
def test_a_change_is_named_and_used(
    simulated: Fresh, fresh: Fresh, tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    """A changed seed, model or variable restarts the run, names itself, and gives the rows of a fresh run with it."""
    workspace = simulated("reservoir")
    untouched = workspace.digests()
    if file:
        edit(workspace, file, old, new)
    overrides = {} if file else {"vars.rain_factor": 2}
    workspace.simulate(overrides=overrides)
    assert restarted(workspace) == [said]
    with_change = workspace.digests()
    assert with_change != untouched
    moved = Workspace(shutil.copytree(workspace.root, tmp_path / "reservoir"))
    moved.database.unlink()
    moved.simulate(overrides=overrides)
    assert restarted(moved) == []
    assert with_change == moved.digests()


def test_an_orchestrator_that_is_used_again_sees_every_edit(simulated: Fresh) -> None:
    """In a notebook the second run of one orchestrator uses the seed and the model as they are then."""
    workspace = simulated("reservoir")
    with workspace.orchestrator() as orchestrator:
        orchestrator.execute_multi_year_simulation()
        edit(workspace, "seeds/rain.csv", "1,0.5", "1,0.75")
        orchestrator.execute_multi_year_simulation()
        assert restarted(workspace) == ["seed rain changed"]
        edit(workspace, "models/yearly/lake_level.sql", "* 0.9", "* 0.8")
        orchestrator.execute_multi_year_simulation()
    assert restarted(workspace) == ["seed rain changed", "model lake_level changed"]
    edited = workspace.digests()
    workspace.simulate(fresh=True)
    assert workspace.digests() == edited


def test_a_change_that_the_clock_does_not_show_is_used(simulated: Fresh) -> None:
    """A seed edited under its old size and time is loaded before the years are run with it."""
    workspace = simulated("reservoir")
    seed = workspace.root / "dbt" / "seeds" / "rain.csv"
    before = seed.stat()
    edit(workspace, "seeds/rain.csv", "3,1.0", "3,7.0")
    os.utime(seed, ns=(before.st_atime_ns, before.st_mtime_ns))
    workspace.simulate()
    assert restarted(workspace) == ["seed rain changed"]
    assert workspace.sql("select depth from rain where month = 3")[0][0] == 7


def test_the_order_of_stages_and_what_dbt_runs_by_itself_decide(simulated: Fresh) -> None:
    """Another order of stages, and another on-run-start hook, are changes like any other."""
    workspace = simulated("reservoir")
    config = workspace.config.read_text()
    lines = config.splitlines()
    first = next(number for number, line in enumerate(lines) if "name: flows" in line)
    lines[first], lines[first + 1] = lines[first + 1], lines[first]
    workspace.config.write_text("\n".join(lines))
    with workspace.orchestrator() as orchestrator:
        assert [change.split(" changed")[0] for change in orchestrator.find_start().changed] == ["order of stages"]
    workspace.config.write_text(config)
    project = workspace.root / "dbt" / "dbt_project.yml"
    project.write_text(project.read_text() + "on-run-start: ['select 1']\n")
    with workspace.orchestrator() as orchestrator:
        assert orchestrator.find_start().changed == ("hook reservoir-on-run-start-0 is new",)


def test_years_of_another_making_are_not_continued(simulated: Fresh) -> None:
    """A range in the middle is refused when what decides the result has changed, and nothing is built."""
    workspace = simulated("reservoir")
    before = workspace.digests()
    with pytest.raises(YearSequenceError, match=r"var rain_factor changed from 1 to 2") as caught:
        workspace.simulate(2002, 2002, overrides={"vars.rain_factor": 2})
    assert "orchestrator simulate 2000-2002" in str(caught.value)
    assert workspace.digests() == before


def test_a_mended_test_goes_on_at_the_stage_that_failed(simulated: Fresh) -> None:
    """A failed validation is resumed at the validation: tests do not decide the rows."""
    workspace = simulated("reservoir")
    workspace.database.unlink()
    test = workspace.root / "dbt" / "tests" / "assert_lakes_hold_water.sql"
    original = test.read_text()
    test.write_text(original.replace("where", "where water_year = 2001 or"))
    with pytest.raises(TestFailedError):
        workspace.simulate()
    test.write_text(original)
    workspace.events.clear()
    workspace.simulate()
    assert stages(workspace)[0] == (2001, "checks")


def test_lost_rows_are_told_and_simulated_again(warm: WarmWorkspace) -> None:
    """When rows of a finished year are gone, the run goes on from the first year that is not whole."""
    undisturbed = warm.digests()
    cut_off(warm, 2002, "flows")
    warm.sql("delete from lake_level where water_year = 2001 and lake = 'upper'")
    result = run(warm)
    assert result.resumed_from is not None
    assert (result.resumed_from.year, result.resumed_from.stage) == (2001, "flows")
    losses = [event for event in warm.events if isinstance(event, RowsLost)]
    assert [(e.year, e.table, e.expected, e.found) for e in losses] == [(2001, "lake_level", 2, 1)]
    assert warm.digests() == undisturbed


@pytest.mark.parametrize("who", ["hook", "another program"])
def test_rows_lost_right_before_the_years_are_noticed(simulated: Fresh, who: str) -> None:
    """What a hook before the first year, or a program that writes until dbt opens the file, deletes is built again."""
    workspace = simulated("reservoir")
    undisturbed = workspace.digests()
    theft = "delete from lake_level where water_year = 2001"
    with workspace.orchestrator() as orchestrator:
        stop = Hook(HookType.PRE_YEAR, lambda context: 1 // (2002 - (context.year or 0)), "stop")
        orchestrator.hooks.register_hook(stop)
        with pytest.raises(HookError):
            orchestrator.execute_multi_year_simulation()
    workspace.events.clear()

    def steal(event: Event) -> None:
        if who == "another program" and isinstance(event, HookStarted):
            workspace.sql(theft)

    hooks = [Hook(HookType.PRE_SIMULATION, lambda context: context.execute(theft), "steal")] if who == "hook" else []
    listeners = [steal, workspace.events.append]
    with create_orchestrator(workspace.config, hooks=hooks, listeners=listeners) as orchestrator:
        resumed = orchestrator.execute_multi_year_simulation().resumed_from
    assert resumed is not None and (resumed.year, resumed.stage) == (2001, "flows")
    losses = [event for event in workspace.events if isinstance(event, RowsLost)]
    assert [(e.year, e.table, e.expected, e.found) for e in losses] == [(2001, "lake_level", 2, 0)]
    assert workspace.digests() == undisturbed


def test_a_dropped_table_is_told_and_its_stage_run_again(warm: WarmWorkspace) -> None:
    """The run says which table is gone and goes back to its stage; a later year alone is refused with its name."""
    undisturbed = warm.digests()
    warm.sql("drop table inflow")
    with pytest.raises(YearSequenceError, match="table inflow is gone, which stage flows of 2000 built"):
        run(warm, 2002, 2002)
    run(warm)
    assert [event.tables for event in warm.events if isinstance(event, TablesLost)] == [("inflow",)]
    assert restarted(warm) == []
    assert stages(warm)[0] == (2000, "flows")
    assert warm.digests() == undisturbed


def test_tables_that_hold_one_year_are_not_taken_for_those_of_an_earlier_one(fresh: Fresh) -> None:
    """What was dropped in an earlier year brings that year back as a whole, and so does running a stage of it again."""
    workspace = fresh("reservoir")
    inflow = workspace.root / "dbt" / "models" / "yearly" / "inflow.sql"
    inflow.write_text(
        inflow.read_text().replace("materialized='incremental', incremental_strategy='append'", "materialized='table'")
    )
    (inflow.parent / "spill.sql").write_text(
        "{{ config(materialized='table', tags=['BALANCE']) }} select sum(volume) as volume from {{ ref('inflow') }}"
    )
    workspace.simulate(2000, 2002)
    undisturbed = workspace.digests()
    workspace.sql("drop table spill")
    workspace.simulate(2000, 2002)
    assert workspace.digests() == undisturbed
    with workspace.orchestrator() as orchestrator:
        orchestrator.execute_multi_year_simulation(2000, 2002, from_year=2001, from_stage="balance")
        assert workspace.digests() == undisturbed
        orchestrator.execute_multi_year_simulation(2000, 2002, from_year=2002, from_stage="balance")
    assert stages(workspace)[-2:] == [(2002, "balance"), (2002, "checks")]
    assert workspace.digests() == undisturbed


@pytest.mark.parametrize("theft", ["delete from lake_level", "drop table lake_level"])
def test_rows_lost_while_the_run_goes_on_stop_it(warm: WarmWorkspace, theft: str) -> None:
    """What somebody takes away after a year has ended is noticed before the next one reads it."""
    undisturbed = warm.digests()

    def steal(context: HookContext) -> None:
        if context.year == 2001:
            context.execute(theft)

    warm.warm.hooks.register_hook(Hook(HookType.PRE_YEAR, steal, name="steal"))
    try:
        with pytest.raises(ContinuityError, match=r"lake_level has 0 rows of 2000, but had 2 ") as caught:
            run(warm)
    finally:
        warm.warm.hooks.unregister_hook("steal")
    assert "To fix:" in str(caught.value)
    warm.events.clear()
    run(warm)
    assert [event.year for event in warm.events if isinstance(event, RowsLost)] == [2000]
    assert warm.digests() == undisturbed


CARRIED = "select year, row_count from orchestrator.carried_rows where node like '%lake_level' order by 1"
LOOK = (  # digests, which hash rows, count them too
    "select message from duckdb_logs where type = 'QueryLog' and message like '%count(*)%lake_level%' "
    "and message like '%\"water_year\", count%' and message not like '%hash(%'"
)


@pytest.mark.parametrize(
    ("hook_types", "counts"),
    [((), 8), ((HookType.PRE_YEAR,), 11), ((HookType.POST_YEAR,), 11), ((HookType.PRE_YEAR, HookType.POST_YEAR), 14)],
)
def test_what_a_year_carries_over_is_not_counted_without_need(
    warm: WarmWorkspace, hook_types: tuple[HookType, ...], counts: int
) -> None:
    """After its stage and at the end of the year, and once more where hooks were called that may have changed it.

    Twice before the first year: where to begin, and what is left of it then.
    """
    counted: list[tuple[object, ...]] = []
    hooks = [
        Hook(HookType.PRE_SIMULATION, lambda context: context.execute("call enable_logging('QueryLog')"), "log"),
        Hook(HookType.POST_SIMULATION, lambda context: counted.extend(context.query(LOOK)), "look"),
        *(Hook(hook_type, lambda context: None, hook_type.value) for hook_type in hook_types),
    ]
    for hook in hooks:
        warm.warm.hooks.register_hook(hook)
    try:
        run(warm)
    finally:
        for hook in hooks:
            warm.warm.hooks.unregister_hook(hook.name)
    assert len(counted) == counts, counted
    assert warm.sql(CARRIED) == [
        (2000, 2),
        (2001, 2),
        (2002, 2),
    ]


def test_rows_that_another_program_takes_while_the_file_is_closed_stop_the_run(simulated: Fresh) -> None:
    """Without a hook, too: a long run closes its file now and then, and counts again what it left there."""
    workspace = simulated("reservoir")

    def steal(event: Event) -> None:
        if isinstance(event, YearStarted) and event.year == 2005:
            workspace.sql("delete from lake_level where water_year = 2004")

    with (
        create_orchestrator(workspace.config, listeners=[steal]) as orchestrator,
        pytest.raises(ContinuityError, match=r"lake_level has 0 rows of 2004, but had 2 "),
    ):
        orchestrator.execute_multi_year_simulation(2000, 2006, fresh=True)


def test_a_year_without_stages_leaves_no_rows(simulated: Fresh) -> None:
    """Where all stages are for the first year alone, the years behind it carry nothing over, and nothing is lost."""
    workspace = simulated("reservoir")
    stages = [{"name": "all", "select": "tag:FLOWS tag:BALANCE", "first_year_only": True}]
    look = Hook(HookType.PRE_YEAR, lambda context: None, "look")
    workspace.simulate(2000, 2002, overrides={"stages": stages}, hooks=[look])
    assert workspace.sql("select water_year, count(*) from lake_level group by 1") == [(2000, 2)]


def test_a_hook_that_stops_the_run_is_called_again(warm: WarmWorkspace) -> None:
    """When a hook after a stage fails, the next run calls it again before it goes on; the stage is not repeated."""
    undisturbed = warm.digests()
    called: list[int | None] = []

    def export(context: HookContext) -> None:
        called.append(context.year)
        if called == [2000, 2001]:
            raise OSError("no space")

    warm.warm.hooks.register_hook(Hook(HookType.POST_YEAR, export, name="export"))
    try:
        with pytest.raises(HookError, match="no space"):
            run(warm)
        result = run(warm)
    finally:
        warm.warm.hooks.unregister_hook("export")
    assert called == [2000, 2001, 2001, 2002]
    assert result.resumed_from is not None
    assert (result.resumed_from.year, result.resumed_from.stage) == (2002, "flows")
    assert warm.digests() == undisturbed


@pytest.mark.parametrize(
    ("hook_type", "stage"), [("POST_YEAR", None), ("POST_STAGE", "checks"), ("POST_STAGE", "flows")]
)
def test_a_hook_that_was_killed_is_called_again(simulated: Fresh, hook_type: str, stage: str | None) -> None:
    """After SIGKILL inside a hook the next run begins with that hook: an export is never skipped."""
    workspace = simulated("reservoir")
    undisturbed = workspace.digests()
    workspace.database.unlink()
    code = KILLED_AT.format(moment=(2001, stage), hook_type=hook_type)
    process = workspace.python(code)
    process.communicate(timeout=60)
    assert process.returncode == -9
    called: list[tuple[int | None, str | None]] = []
    hook = Hook(HookType[hook_type], lambda context: called.append((context.year, context.stage)), "x", stage=stage)
    with workspace.orchestrator(hooks=[hook]) as orchestrator:
        orchestrator.execute_multi_year_simulation()
    assert called == [(2001, stage), (2002, stage)]
    assert workspace.digests() == undisturbed


@pytest.mark.parametrize(
    ("edits"),
    [
        [("models/yearly/inflow.sql", "as volume", "as volume, r.month * 10 as m10")],
        [("models/yearly/inflow.sql", "r.depth * l.area as volume", "cast(r.depth * l.area as double) as volume")],
        [("models/yearly/inflow.sql", "as volume", "as vol"), ("models/yearly/lake_level.sql", "i.volume", "i.vol")],
        [
            ("models/yearly/lake_level.sql", "as level\nfrom before", "as level,\n    1 as extra\nfrom before"),
            (
                "models/yearly/yearly.yml",
                '"decimal(18,4)"}',
                '"decimal(18,4)"}\n      - {name: extra, data_type: integer}',
            ),
        ],
    ],
    ids=["new column", "other type", "renamed column", "contract of the state"],
)
def test_a_changed_shape_is_built_anew(simulated: Fresh, edits: list[tuple[str, str, str]]) -> None:
    """New, renamed and retyped columns of yearly models, and of the state, come out as in a fresh database."""
    workspace = simulated("reservoir")
    for file, old, new in edits:
        edit(workspace, file, old, new)
    workspace.simulate()
    shaped = workspace.digests()
    workspace.database.unlink()
    workspace.simulate()
    assert workspace.digests() == shaped


def test_what_keeps_no_year_is_built_anew_from_the_beginning(fresh: Fresh) -> None:
    """A keyed incremental model that adds to itself, and a snapshot, are not doubled by a second run."""
    workspace = fresh("reservoir")
    (workspace.root / "dbt" / "models" / "yearly" / "total.sql").write_text(
        "{{ config(materialized='incremental', unique_key='lake', tags=['BALANCE']) }}\n"
        "select i.lake, sum(i.volume) {% if is_incremental() %}+ coalesce(any_value(t.total), 0){% endif %} as total\n"
        "from {{ ref('inflow') }} i {% if is_incremental() %}left join {{ this }} t on t.lake = i.lake{% endif %}\n"
        "where i.water_year = {{ var('water_year') }} group by 1\n"
    )
    workspace.simulate()
    once = workspace.digests()
    workspace.simulate()
    assert workspace.digests() == once


def test_a_hook_may_change_what_a_year_leaves(warm: WarmWorkspace) -> None:
    """Rows that a POST_YEAR hook adds or removes on purpose are what the next year is held to."""

    def correct(context: HookContext) -> None:
        context.execute(f"delete from lake_level where lake = 'upper' and water_year = {context.year}")

    warm.warm.hooks.register_hook(Hook(HookType.POST_YEAR, correct, name="correct"))
    try:
        run(warm, 2000, 2001)
    finally:
        warm.warm.hooks.unregister_hook("correct")
    assert warm.sql("select count(*) from lake_level") == [(2,)]
    assert warm.sql(CARRIED) == [(2000, 1), (2001, 1)]


def test_rows_of_another_beginning_are_removed(simulated: Fresh) -> None:
    """A simulation that now begins later leaves no years of the earlier one."""
    workspace = simulated("reservoir")
    workspace.simulate(overrides={"simulation.start_year": 2001, "vars.start_year": 2001})
    assert workspace.sql("select distinct water_year from lake_level order by 1") == [(2001,), (2002,)]
    assert "first year changed from 2000 to 2001" in restarted(workspace)
