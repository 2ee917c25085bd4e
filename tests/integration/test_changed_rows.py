"""Rows of seeds and foundation tables that something else than their build has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator import (
    ConfigurationError,
    Hook,
    HookContext,
    HookType,
    InitializationError,
    RowsChanged,
    TableFinding,
    TestFailedError,
)
from orchestrator.core.events import ChangesFound, RowsLost, StageFinished
from orchestrator.pipeline import year_rows
from tests.support.workspaces import Workspace, state_notes

pytestmark = pytest.mark.slow

Prepare = Callable[[str], Workspace]
MORE_RAIN = "update rain set depth = depth + 1"
CHANGED = "rows of table {} are not the same as those that finished years have read"
SAME_RAIN = "update rain set depth = 2"
CLOSING = """\
{{ config(materialized='table', tags=['BALANCE'], meta={'summary': true}) }}
select water_year, count(*) as lakes from {{ ref('lake_level') }} group by 1
"""
LABELS = "models: [{name: closing, columns: [{name: lakes, meta: {label: Lakes}}]}]"
RANDOM_LAKES = "select lake, start_level, area, random() as shore from"


@pytest.fixture
def reservoir(simulated: Prepare) -> Workspace:
    """A simulated reservoir."""
    return simulated("reservoir")


def findings(workspace: Workspace) -> tuple[TableFinding, ...]:
    """Return what is wrong."""
    with workspace.orchestrator() as orchestrator:
        return orchestrator.initializer.checker().findings()


def run(workspace: Workspace, *hooks: Hook, end: int | None = None) -> list[int]:
    """Simulate from the first year with these hooks; return the years of which stages ran."""
    workspace.events.clear()
    with workspace.orchestrator() as orchestrator:
        for hook in hooks:
            orchestrator.hooks.register_hook(hook)
        orchestrator.execute_multi_year_simulation(None, end, forgo_years=True)
    return sorted({event.year for event in workspace.events if isinstance(event, StageFinished)})


def changes(workspace: Workspace) -> list[str]:
    """Return what the last run found changed."""
    return [one for event in workspace.events if isinstance(event, ChangesFound) for one in event.changes]


def sending(kind: HookType, statement: str, year: int | None = None) -> Hook:
    """Make a hook that sends a statement, in one year or always."""

    def send(context: HookContext) -> None:
        if context.year == year:
            context.execute(statement)

    return Hook(kind, send, name="send")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (MORE_RAIN, "holds other values in its 3 rows than when it was built on 20"),
        ("delete from rain where month = 2", "had 3 rows when it was built on 20"),
        ("insert into rain select * from rain", "had 3 rows when it was built on 20"),
    ],
)
def test_changed_rows_are_found_and_healed(reservoir: Workspace, statement: str, said: str) -> None:
    """The seed is drifted and what reads it is out of date; both are as before afterwards, and finished years stay."""
    before = reservoir.digests()
    reservoir.complete()
    reservoir.sql(statement)
    found = findings(reservoir)
    assert [(one.table.name, one.problem.value) for one in found] == [("rain", "drifted"), ("stg_rain", "stale")]
    assert isinstance(found[0].seen, RowsChanged)
    assert found[0].detail.startswith(said)
    assert run(reservoir) == []
    assert findings(reservoir) == ()
    assert reservoir.digests() == before


def test_a_changed_foundation_table_is_built_again(reservoir: Workspace) -> None:
    """What reads it is built again with it, what it reads is not."""
    before = reservoir.digests()
    reservoir.sql("update lake_shape set shore = 0")
    with reservoir.orchestrator() as orchestrator:
        assert [node.name for node in orchestrator.initializer.plan().nodes] == ["lake_shape", "lake_shore"]
        orchestrator.initializer.ensure_initialized()
    assert reservoir.digests() == before


def test_without_healing_changed_rows_are_refused(reservoir: Workspace) -> None:
    """A run that may not heal names the table and stops."""
    reservoir.sql(MORE_RAIN)
    with (
        reservoir.orchestrator(auto_initialize=False) as orchestrator,
        pytest.raises(InitializationError, match="rain holds other values in its 3 rows"),
    ):
        orchestrator.execute_multi_year_simulation(fresh=True)


def test_a_build_that_gives_other_rows_lets_the_years_begin_anew(fresh: Prepare) -> None:
    """Years that were finished have read other rows than those to come; it is said which table it was.

    What has begun anew is what the project is now, also where it is compared.
    """
    workspace = fresh("reservoir")
    model = workspace.root / "dbt" / "models" / "foundation" / "lake_shape.sql"
    model.write_text(model.read_text().replace("select lake, start_level, area, area * 2 as shore from", RANDOM_LAKES))
    (model.parents[1] / "yearly" / "closing.sql").write_text(CLOSING)
    (model.parents[1] / "yearly" / "closing.yml").write_text(LABELS)
    run(workspace, end=2001)
    workspace.sql("drop table lake_shape")
    assert run(workspace) == [2000, 2001, 2002]
    assert changes(workspace) == [CHANGED.format("lake_shape"), CHANGED.format("lake_shore")]
    assert state_notes(workspace) == ()
    workspace.sql("update lake_shape set area = 0")
    assert run(workspace) == [2000, 2001, 2002]


def test_what_a_hook_of_the_years_changes_is_taken_back_before_years_are_run_again(fresh: Prepare) -> None:
    """Its changes would be there twice: the table is built anew, and the run begins at the first year."""
    workspace, hook = fresh("reservoir"), sending(HookType.POST_YEAR, MORE_RAIN, year=2000)
    run(workspace, hook)
    whole = workspace.digests()
    workspace.leave_open()
    assert run(workspace, hook) == [2000, 2001, 2002]
    assert changes(workspace) == [CHANGED.format("rain")]
    assert workspace.digests() == whole


def test_what_hooks_change_before_the_first_year_stays(fresh: Prepare) -> None:
    """The next run resumes where their outcome is the same, and begins anew where it is another one."""
    workspace, same = fresh("reservoir"), sending(HookType.PRE_SIMULATION, SAME_RAIN)
    run(workspace, same, end=2000)
    assert findings(workspace) == ()
    assert run(workspace, same, end=2001) == [2001]
    assert workspace.sql("select distinct depth from rain") == [(2,)]
    other = sending(HookType.PRE_SIMULATION, MORE_RAIN)
    assert run(workspace, other, end=2002) == [2000, 2001, 2002]
    assert changes(workspace) == [CHANGED.format("rain")]
    assert workspace.sql("select distinct depth from rain") == [(3,)]
    early = sending(HookType.PRE_INITIALIZATION, SAME_RAIN)
    assert run(workspace, early) == [2000, 2001, 2002]
    assert workspace.sql("select distinct depth from rain") == [(2,)]
    assert run(workspace, early) == []


def test_a_hook_before_healing_does_not_hide_what_others_changed(reservoir: Workspace) -> None:
    """What was changed before the run is healed, whatever the hook changes."""
    reservoir.sql("update lake_shape set area = 0")
    run(reservoir, sending(HookType.PRE_INITIALIZATION, SAME_RAIN))
    assert reservoir.sql("select count(*) from lake_shape where area = 0") == [(0,)]


def test_a_table_that_dbt_hooks_write_is_not_compared(fresh: Prepare) -> None:
    """A log of dbt's own runs grows with each of them, and nothing of it is lost."""
    workspace = fresh("reservoir")
    (workspace.root / "dbt" / "seeds" / "log.csv").write_text("line\n0\n")
    project = workspace.root / "dbt" / "dbt_project.yml"
    project.write_text(project.read_text() + "\non-run-end: \"insert into {{ ref('log') }} values (1)\"\n")
    run(workspace)
    ((lines,),) = workspace.sql("select count(*) from log")
    assert isinstance(lines, int) and lines > 9
    assert findings(workspace) == ()


def test_an_older_ledger_is_taken_as_it_is_once(reservoir: Workspace) -> None:
    """Nothing is known of what tables held; the next run notes it."""
    reservoir.sql("drop table orchestrator.table_contents", "update orchestrator.ledger_version set version = 3")
    assert findings(reservoir) == ()
    reservoir.simulate()
    assert reservoir.sql("select count(*) from orchestrator.table_contents") == [(5,)]


def lost(workspace: Workspace) -> list[tuple[int, str, int, int]]:
    """Return the rows that the last run found lost, as it told."""
    events = [event for event in workspace.events if isinstance(event, RowsLost)]
    return [(event.year, event.table, event.expected, event.found) for event in events]


def test_other_rows_of_a_finished_year_let_it_begin_anew(reservoir: Workspace) -> None:
    """As many rows as before, with other values in them: the year and all later ones are simulated again."""
    before = reservoir.digests()
    reservoir.complete()
    reservoir.sql("update lake_level set level = level + 1 where water_year = 2001 and lake = 'upper'")
    assert run(reservoir) == [2001, 2002]
    assert lost(reservoir) == [(2001, "lake_level", 2, 2)]
    assert reservoir.digests() == before
    assert run(reservoir) == []


def test_what_hooks_change_in_rows_of_years_belongs_to_them(fresh: Prepare) -> None:
    """A hook of a year, and one at the end, may change rows; the next run goes on behind them."""
    workspace = fresh("reservoir")
    later = sending(HookType.POST_YEAR, "update inflow set volume = volume + 1 where water_year = 2000", year=2001)
    own = sending(HookType.POST_YEAR, "update lake_level set level = level + 1 where water_year = 2000", year=2000)
    end = sending(HookType.POST_SIMULATION, "update lake_level set level = level + 1")
    run(workspace, replace(own, name="own"), replace(later, name="later"), end, end=2001)
    assert run(workspace, end=2002) == [2002]
    assert lost(workspace) == []
    workspace.sql("update inflow set volume = volume + 1 where water_year = 2000")
    assert run(workspace, end=2002) == [2000, 2001, 2002]
    assert lost(workspace) == [(2000, "inflow", 6, 6)]


def test_large_tables_of_years_are_counted_alone(reservoir: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each start would have to read many rows, nothing is said of their values, and as before of their number."""
    monkeypatch.setattr(year_rows, "DIGESTED_ROWS", 6)
    reservoir.simulate(fresh=True)
    reservoir.sql("update inflow set volume = 0 where water_year = 2001")
    assert run(reservoir) == []
    reservoir.sql("update lake_level set level = 0 where water_year = 2001")
    assert run(reservoir) == [2001, 2002]
    reservoir.sql("delete from inflow where water_year = 2002")
    assert run(reservoir) == [2002]


def test_other_columns_of_years_are_other_rows(reservoir: Workspace) -> None:
    """A table that was replaced, where no contract says what its columns are."""
    before = reservoir.digests()
    reservoir.sql(
        "create or replace table inflow as select lake, month, volume::double as volume, water_year from inflow"
    )
    reservoir.complete()
    assert run(reservoir) == [2000, 2001, 2002]
    assert reservoir.digests() == before


def test_digests_of_another_duckdb_are_made_anew(reservoir: Workspace) -> None:
    """They say nothing, and the next run is compared again."""
    reservoir.sql("update orchestrator.table_contents set digest = 'v0 1', read_digest = 'v0 1'")
    reservoir.sql("update orchestrator.carried_rows set digest = 'v0 x 1'")
    reservoir.complete()
    assert run(reservoir) == []
    reservoir.simulate(fresh=True)
    reservoir.sql(MORE_RAIN)
    assert [finding.table.name for finding in findings(reservoir)] == ["rain", "stg_rain"]


LOANS = """{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id', tags=['FLOWS']) }}
select {{ var('water_year') }} as id, {{ var('water_year') }} as water_year, 100 as due
{% if is_incremental() %}
union all select id, water_year, due * 2 from {{ this }} where water_year < {{ var('water_year') }}
{% endif %}
"""
FAILS = "select * from {{ ref('loans') }} where water_year = 2002 and {{ env_var('BROKEN', '0') }} = 1"


def test_what_years_change_of_earlier_ones_is_not_changed_twice(
    fresh: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later stage that failed is run again alone; where a finished year has to be, all of them are."""
    workspace = fresh("reservoir")
    (workspace.root / "dbt" / "models" / "yearly" / "loans.sql").write_text(LOANS)
    check = workspace.root / "dbt" / "tests" / "assert_loans.sql"
    check.write_text("{{ config(tags=['CHECKS']) }} " + FAILS)
    monkeypatch.setenv("BROKEN", "1")
    with pytest.raises(TestFailedError):
        run(workspace)
    monkeypatch.setenv("BROKEN", "0")
    check.unlink()
    workspace.events.clear()
    assert run(workspace) == [2002]
    dues = [(400,), (200,), (100,)]
    assert workspace.sql("select due from loans order by id") == dues
    workspace.sql("update inflow set volume = 0 where water_year = 2002")
    assert run(workspace) == [2000, 2001, 2002]
    assert workspace.sql("select due from loans order by id") == dues
    assert run(workspace, end=2003) == [2003]
    workspace.simulate(2003, 2003, fresh=True)
    assert workspace.sql("select due from loans order by id") == [(800,), *dues]


def test_a_failed_stage_may_have_built_foundation_tables(fresh: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it left of them is no change by others, so that the run resumes where it stopped."""
    workspace = fresh("reservoir")
    model = workspace.root / "dbt" / "models" / "foundation" / "lake_shape.sql"
    model.write_text(model.read_text().replace("as shore", "as shore, now() as loaded_at"))
    (workspace.root / "dbt" / "tests" / "assert_flow.sql").write_text(FAILS.replace("loans", "inflow"))
    workspace.config.write_text(
        workspace.config.read_text().replace('select: "tag:FLOWS"', 'command: build, select: "+tag:FLOWS"')
    )
    monkeypatch.setenv("BROKEN", "1")
    with pytest.raises(TestFailedError):
        run(workspace)
    monkeypatch.setenv("BROKEN", "0")
    (workspace.root / "dbt" / "tests" / "assert_flow.sql").unlink()
    assert findings(workspace) == ()
    assert run(workspace) == [2002]


def test_healing_what_a_hook_changes_again_keeps_the_years(fresh: Prepare) -> None:
    """What counts is what years read, and not each step on the way."""
    workspace, same = fresh("reservoir"), sending(HookType.PRE_SIMULATION, SAME_RAIN)
    run(workspace, same)
    for damage in ("drop table rain cascade", "update rain set depth = 99"):
        workspace.sql(damage)
        assert run(workspace, same) == []
    workspace.sql("update rain set depth = 99")
    with workspace.orchestrator() as orchestrator:
        orchestrator.initialize()
    assert run(workspace, same, end=2003) == [2003]


def test_hooks_before_healing_hide_no_other_fault(fresh: Prepare) -> None:
    """A table that is empty or has other columns is not what it should hold; what the hook changes stays."""
    workspace = fresh("reservoir")
    with workspace.orchestrator() as orchestrator:
        orchestrator.initialize()
    early = sending(HookType.PRE_INITIALIZATION, SAME_RAIN)
    run(workspace, early)
    for damage in ("delete from lake_shape", "alter table lakes add column x integer"):
        workspace.sql(damage)
        assert run(workspace, early) == []
    for _ in range(2):
        with workspace.orchestrator() as orchestrator:
            orchestrator.hooks.register_hook(early)
            assert orchestrator.initialize().tables_repaired == ()
    assert workspace.sql("select distinct depth from rain") == [(2,)]


def test_a_wrong_year_is_refused_before_anything_is_removed(reservoir: Workspace) -> None:
    """Both the column and the variable, in a project with a hook of dbt as well; what could be meant is named."""
    before, config = reservoir.digests(), reservoir.config.read_text()
    project = reservoir.root / "dbt" / "dbt_project.yml"
    reservoir.config.write_text(config.replace("year_column: water_year", "year_column: water_yaer"))
    with pytest.raises(ConfigurationError, match=r"has no column water_yaer \(the nearest is water_year\)"):
        run(reservoir)
    project.write_text(project.read_text() + '\non-run-end: "create table if not exists log (n integer)"\n')
    reservoir.config.write_text(config.replace("year_var: water_year", "year_var: year"))
    with pytest.raises(ConfigurationError, match="Nothing in the dbt project reads year"):
        run(reservoir)
    reservoir.config.write_text(config)
    assert reservoir.digests() == before


def test_a_text_that_is_no_year_is_found(reservoir: Workspace) -> None:
    """It ends no look at the database with an error of its own."""
    model = reservoir.root / "dbt" / "models" / "yearly" / "inflow.sql"
    model.write_text(
        model.read_text().replace("{{ var('water_year') }} as water_year", "'{{ var('water_year') }}' as water_year")
    )
    source = reservoir.root / "dbt" / "models" / "yearly" / "lake_level.sql"
    source.write_text(
        source.read_text().replace(
            "i.water_year = {{ var('water_year') }}", "i.water_year::int = {{ var('water_year') }}"
        )
    )
    reservoir.simulate()
    reservoir.sql("insert into inflow values ('upper', 1, 1, '20a5')")
    reservoir.complete()
    assert run(reservoir) == []
    reservoir.sql("delete from inflow where water_year = '2002'")
    assert run(reservoir) == [2002]
