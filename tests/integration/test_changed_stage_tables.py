"""Rows that something else has changed in what stages build: in tables without years, and in years half done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator import ConfigurationError, Hook, HookContext, HookError, HookType, YearSequenceError
from orchestrator.core.events import RowsLost, StageFinished
from orchestrator.maintenance.acceptance import accept_tables
from orchestrator.maintenance.doctor.inputs_check import check_inputs
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

Prepare = Callable[[str], Workspace]
TOTALS = "select sum(volume) as volume, max(water_year) as newest from {{ ref('inflow') }}"
SNAPSHOT = """\
{% snapshot seen %}
{{ config(unique_key='lake', strategy='timestamp', updated_at='day', tags=['BALANCE'], target_schema='main') }}
select lake, level, water_year, make_timestamp(water_year, 1, 1, 0, 0, 0) as day from {{ ref('lake_level') }}
where water_year = {{ var('water_year') }}
{% endsnapshot %}"""
ADDING = """\
{% materialization adding, default %}
{% call statement('main') %}
{% if load_relation(this) %}insert into {{ this }} {{ sql }}{% else %}create table {{ this }} as {{ sql }}{% endif %}
{% endcall %}
{{ adapter.commit() }}
{{ return({'relations': [this]}) }}
{% endmaterialization %}"""
KEPT = "select lake, level, water_year from {{ ref('lake_level') }} where water_year = {{ var('water_year') }}"
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
    assert run(summed, end=2001) == stages(2001)
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


def test_other_types_of_columns_are_other_rows(summed: Workspace) -> None:
    """DuckDB hashes 1.5 and 15 alike, where the types say that they differ."""
    model = summed.root / "dbt" / "models" / "yearly" / "totals.sql"
    model.write_text(model.read_text().replace("sum(volume)", "15::decimal(9, 1)"))
    run(summed, end=2000)
    summed.sql("alter table totals alter volume type decimal(9, 2) using volume / 10")
    assert run(summed, end=2000) == stages(2000)


def test_an_empty_list_is_not_nothing(summed: Workspace) -> None:
    """DuckDB hashes both alike."""
    model = summed.root / "dbt" / "models" / "yearly" / "totals.sql"
    model.write_text(model.read_text().replace("sum(volume)", "[]::int[]"))
    run(summed, end=2000)
    for statement in ("update totals set volume = null", "update totals set volume = [null]"):
        summed.sql(statement)
        assert run(summed, end=2000) == stages(2000)
    assert run(summed, end=2000) == []


def test_a_table_that_years_add_to_under_other_keys_is_compared(summed: Workspace) -> None:
    """No year can be taken out of it, so that all begin anew."""
    model = summed.root / "dbt" / "models" / "yearly" / "deepest.sql"
    keyed = "materialized='incremental', incremental_strategy='delete+insert', unique_key='lake'"
    model.write_text(model.read_text().replace("materialized='table'", keyed))
    run(summed)
    before = summed.digests()
    assert run(summed) == []
    summed.sql("update deepest set level = 0")
    assert run(summed) == stages(2000, 2001, 2002)
    assert summed.digests() == before


@pytest.mark.parametrize(
    ("table", "statement"),
    [("seen", "update seen set level = -1 where water_year = 2000"), ("kept", "delete from kept where lake = 'upper'")],
)
def test_a_table_that_has_the_year_and_keeps_other_rows_is_compared_whole(
    summed: Workspace, table: str, statement: str
) -> None:
    """A snapshot, and what a materialization of the project adds to: no year can be taken out, so all begin anew."""
    dbt = summed.root / "dbt"
    files = {"snapshots/seen.sql": SNAPSHOT, "macros/adding.sql": ADDING}
    files["models/yearly/kept.sql"] = f"{{{{ config(materialized='adding', tags=['BALANCE']) }}}} {KEPT}"
    for name, text in files.items():
        (dbt / name).parent.mkdir(exist_ok=True)
        (dbt / name).write_text(text)
    summed.config.write_text(summed.config.read_text().replace('"tag:BALANCE"', '"tag:BALANCE", command: build'))
    run(summed, end=2001)
    before = summed.digests()
    assert run(summed, end=2001) == []
    summed.sql(statement)
    assert run(summed, end=2001) == stages(2000, 2001)
    assert [loss[:2] for loss in lost(summed)] == [(2001, table)]
    assert summed.digests() == before
    assert run(summed, end=2001) == []


def test_a_table_whose_years_change_other_years_is_compared_whole(summed: Workspace) -> None:
    """Each run begins at the first year, also where all are finished and one has been changed."""
    model = summed.root / "dbt" / "models" / "yearly" / "inflow.sql"
    model.write_text(model.read_text().replace("tags=", "meta={'writes_other_years': true}, tags="))
    run(summed, end=2001)
    assert run(summed, end=2001) == []
    summed.sql("update inflow set volume = 0 where water_year = 2000")
    assert run(summed, end=2001) == stages(2000, 2001)
    assert run(summed, end=2001) == []


def test_a_year_without_rows_is_a_year(summed: Workspace) -> None:
    """A range may follow it: what has been simulated is known by the ledger."""
    summed.config.write_text(
        summed.config.read_text().partition("stages:")[0] + 'stages: [{name: only, select: "only"}]\n'
    )
    model = summed.root / "dbt" / "models" / "yearly" / "only.sql"
    model.write_text("{{ config(materialized='table') }} select {{ var('water_year') }} as newest")
    run(summed, end=2000)
    assert run(summed, start=2001, end=2001) == ["2001 only"]
    assert summed.sql('select newest from "only"') == [(2001,)]


def test_hooks_of_dbt_that_may_change_any_table_are_named(summed: Workspace) -> None:
    """Tables are not compared then, and both the end of a run and the examination say so."""
    project = summed.root / "dbt" / "dbt_project.yml"
    project.write_text(project.read_text() + 'on-run-end: ["{{ note() }}"]\n')
    macro = "{% macro note() %}{% set log = target.schema ~ '.log' %}insert into {{ log }} select 1{% endmacro %}"
    (summed.root / "dbt" / "macros").mkdir(exist_ok=True)
    (summed.root / "dbt" / "macros" / "note.sql").write_text(macro)
    summed.sql("create table log (number int)")
    with summed.orchestrator() as orchestrator:
        result = orchestrator.execute_multi_year_simulation(None, 2000)
        facts = orchestrator.runner.facts()
    (told,) = [one for one in result.not_compared if one.startswith("rows of")]
    assert "totals" in told and "rain" in told and "may change them" in told
    assert any("totals" in diagnosis.detail for diagnosis in check_inputs(facts))


def test_what_is_accepted_is_what_there_should_be(summed: Workspace) -> None:
    """Its rows, too: dbt has built it with other ones."""
    run(summed, end=2000)
    model = summed.root / "dbt" / "models" / "foundation" / "lake_shape.sql"
    model.write_text(model.read_text().replace("area * 2", "area * 3"))
    summed.sql("update lake_shape set shore = area * 3")
    with summed.orchestrator() as orchestrator:
        assert [one.table.name for one in accept_tables(orchestrator, ["lake_shape"])] == ["lake_shape"]
        assert [one.table.name for one in orchestrator.initializer.checker().findings()] == ["lake_shore"]
        with pytest.raises(ConfigurationError, match="lake_shap"):
            accept_tables(orchestrator, ["lake_shap"])
