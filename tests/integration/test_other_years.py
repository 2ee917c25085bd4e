"""A year writes its own rows: what appears, changes or vanishes in other years is noticed, named and undone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import ConfigurationError, Hook, HookContext, HookType, NodeFailedError
from orchestrator.core.errors import ContinuityError, OtherYearsWrittenError
from orchestrator.core.events import RowsLost, RunResumed, StageFinished, WholeRangeRun, WholeYearRun
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

FILES = {
    "orchestrator.yaml": """\
simulation: {start_year: 2000, end_year: 2002, year_var: year, year_column: year}
database: var/tides.duckdb
dbt: {project_dir: .}
stages:
  - {name: tides, select: "tides"}
  - {name: report, select: "report"}
""",
    "dbt_project.yml": "{name: harbour, version: '1.0', profile: tides, vars: {year: 2000}}",
    "profiles.yml": "tides: {target: dev, outputs: {dev: {type: duckdb, "
    "path: \"{{ env_var('ORCHESTRATOR_DATABASE') }}\"}}}",
    "models/report.sql": "{{ config(materialized='incremental', on_schema_change='fail') }} "
    "select {{ var('year') }} as year, count(*) as tides from {{ ref('tides') }}",
}
APPENDS = "{{ config(materialized='incremental'OPTIONS) }} select {{ var('year') }} as year, 'now' as what"
LATE = APPENDS + " {% if var('year') > 2000 %} union all select {{ var('year') }} - 1, 'late' {% endif %}"
FORECAST = APPENDS + " union all select {{ var('year') }} + 1, 'forecast'"
BEFORE_ALL = APPENDS + " union all select 1999, 'before' union all select null, 'undated'"
BROKEN = "{{ config(materialized='table') }} select error('broken') from {{ ref('tides') }}"
MEANT = ", meta={'writes_other_years': true}"
OF_THE_YEAR = "where year = {{ var('year') }}"
REPORT_CHANGES = "update {{ ref('tides') }} set what = what || '!'"
SNAPSHOT_OF_ALL = ", full_refresh=true"

Made = Callable[..., Workspace]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Make the project with one text for its model ``tides``."""

    def make(model: str, options: str = "") -> Workspace:
        files = {**FILES, "models/tides.sql": model.replace("OPTIONS", options)}
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return Workspace(tmp_path)

    return make


def tides(workspace: Workspace) -> list[tuple[object, ...]]:
    """Return the rows of the model."""
    return workspace.sql("select year, what from tides order by all")


def finished(workspace: Workspace) -> list[tuple[int, str]]:
    """Return the stages that ended well, in order."""
    events = [event for event in workspace.events if isinstance(event, StageFinished) and event.success]
    return [(event.year, event.stage) for event in events]


def test_rows_of_a_finished_year_fail_the_stage(made: Made) -> None:
    """Model, year and counts are named; the next run begins with the year whose rows changed."""
    workspace = made(LATE)
    with pytest.raises(OtherYearsWrittenError) as caught:
        workspace.simulate()
    assert "Stage tides of 2001" in str(caught.value)
    assert "tides: 2000 (1 row before, now 2)" in str(caught.value)
    assert "writes_other_years" in str(caught.value.to_fix)
    assert finished(workspace) == [(2000, "tides"), (2000, "report")]
    workspace.events.clear()
    with pytest.raises(OtherYearsWrittenError, match=r"2000 \(1 row before, now 2\)"):
        workspace.simulate()
    lost = [(event.table, event.year, event.found) for event in workspace.events if isinstance(event, RowsLost)]
    assert lost == [("tides", 2000, 2)]
    assert finished(workspace) == [(2000, "tides"), (2000, "report")]


@pytest.mark.parametrize(("model", "said"), [(FORECAST, "2001 (0 rows"), (BEFORE_ALL, "1999 (0 rows")])
def test_rows_of_years_without_any_are_removed_again(made: Made, model: str, said: str) -> None:
    """Those of a year that is to come, of one before the simulation, and of none."""
    workspace = made(model)
    for _ in range(2):
        with pytest.raises(OtherYearsWrittenError) as caught:
            workspace.simulate()
        assert said in str(caught.value) and "removed again" in str(caught.value)
        assert ("no year (0 rows" in str(caught.value)) is (model == BEFORE_ALL)
        assert tides(workspace) == [(2000, "now")]


def test_a_model_that_means_it_is_run_from_the_first_year(made: Made) -> None:
    """In one go, after a failure, or in two halves, the rows are the same; and it is said why it begins there."""
    workspace = made(LATE + FORECAST.partition("what")[2], MEANT)
    workspace.simulate()
    whole = tides(workspace)
    assert len(whole) == 3 + 2 + 3
    workspace.database.unlink()
    workspace.simulate(2000, 2001)
    workspace.events.clear()
    workspace.simulate(2002, 2002)
    assert tides(workspace) == whole
    told = [(event.models, event.years) for event in workspace.events if isinstance(event, WholeRangeRun)]
    assert told == [(("tides",), (2000, 2001, 2002))]
    assert [year for year, _ in finished(workspace)] == [2000, 2000, 2001, 2001, 2002, 2002]
    (workspace.root / "models" / "report.sql").write_text(
        "{{ config(materialized='table') }} select error('broken') from {{ ref('tides') }}"
    )
    with pytest.raises(NodeFailedError):
        workspace.simulate()
    (workspace.root / "models" / "report.sql").write_text(FILES["models/report.sql"])
    workspace.events.clear()
    workspace.simulate()
    assert tides(workspace) == whole
    assert not [event for event in workspace.events if isinstance(event, RunResumed)]


def test_years_that_vanish_behind_the_march_fail_the_stage(made: Made) -> None:
    """An incremental model that is rebuilt by each year keeps the last one alone."""
    workspace = made(APPENDS, SNAPSHOT_OF_ALL)
    with pytest.raises(OtherYearsWrittenError) as caught:
        workspace.simulate()
    assert "tides: 2000 (1 row before, now 0)" in str(caught.value)
    assert "full_refresh" in str(caught.value.to_fix)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("materialized='table'", "materialized: table"),
        ("materialized='incremental', on_schema_change='fail', full_refresh=true", "full_refresh"),
    ],
)
def test_what_carries_years_over_must_hold_several(made: Made, config: str, named: str) -> None:
    """It is refused before the first year, with nothing written."""
    workspace = made(
        "{{ config(CONFIG, contract={'enforced': true}) }} select cast({{ var('year') }} as integer) as year, "
        "cast('now' as varchar) as what from {{ source('before', 'tides') }} having true".replace("CONFIG", config)
    )
    (workspace.root / "models" / "tides.yml").write_text(
        "sources: [{name: before, schema: main, tables: [{name: tides, meta: {prior_year_of: tides}}]}]\n"
        "models: [{name: tides, columns: [{name: year, data_type: integer}, {name: what, data_type: varchar}]}]\n"
    )
    with pytest.raises(ConfigurationError, match=r"Model tides .* carries rows") as caught:
        workspace.simulate()
    assert named in str(caught.value)
    assert not workspace.database.exists()


@pytest.mark.parametrize("hook_type", [HookType.PRE_YEAR, HookType.PRE_STAGE, HookType.POST_STAGE, HookType.POST_YEAR])
def test_a_hook_that_changes_a_finished_year_stops_the_run(made: Made, hook_type: HookType) -> None:
    """Whenever it does; no model is blamed for it."""
    workspace = made(APPENDS)

    def change(context: HookContext) -> None:
        if context.year == 2001:
            context.execute("insert into report select 2000, 7")

    with workspace.orchestrator() as orchestrator:
        orchestrator.hooks.register_hook(Hook(hook_type, change, name="changes"))
        with pytest.raises(ContinuityError, match="report has 2 rows of 2000, but had 1 "):
            orchestrator.execute_multi_year_simulation()


def test_rows_deleted_between_runs_are_noticed_in_every_table_of_years(made: Made) -> None:
    """Not only in those that carry rows over."""
    workspace = made(APPENDS)
    workspace.simulate()
    workspace.sql("delete from report where year = 2001")
    workspace.events.clear()
    workspace.simulate()
    assert [(event.table, event.year) for event in workspace.events if isinstance(event, RowsLost)] == [
        ("report", 2001)
    ]
    assert finished(workspace)[0] == (2001, "tides")
    assert workspace.sql("select year, tides from report order by 1") == [(2000, 1), (2001, 2), (2002, 3)]


def test_rows_that_a_failed_stage_wrote_for_other_years_are_removed(made: Made) -> None:
    """It did not come to its end, so nobody compared what it wrote: the next run knows that there was nothing."""
    workspace = made(BEFORE_ALL)
    broken = workspace.root / "models" / "tides_2.sql"
    (workspace.root / "orchestrator.yaml").write_text(FILES["orchestrator.yaml"].replace('"tides"', '"tides tides_2"'))
    broken.write_text(BROKEN)
    for _ in range(3):
        with pytest.raises(NodeFailedError):
            workspace.simulate()
        assert tides(workspace) == [(1999, "before"), (2000, "now"), (None, "undated")]


def test_rows_that_were_there_before_the_simulation_stay(made: Made) -> None:
    """Those of earlier years are somebody's own, in a run from nothing as well."""
    workspace = made(APPENDS)
    workspace.simulate()
    workspace.sql("delete from orchestrator.earlier_rows", "insert into tides values (1990, 'measured')")
    workspace.simulate(fresh=True)
    assert tides(workspace)[0] == (1990, "measured")
    assert len(tides(workspace)) == 4


def report_with(workspace: Workspace, hook: str) -> None:
    """Give the model of the second stage a hook."""
    text = FILES["models/report.sql"].replace("'fail'", f"'fail', post_hook=\"{hook}\"")
    (workspace.root / "models" / "report.sql").write_text(text)


def run_report_again(workspace: Workspace) -> None:
    """Run the second stage of the last year again."""
    workspace.events.clear()
    with workspace.orchestrator() as orchestrator:
        orchestrator.execute_multi_year_simulation(from_year=2002, from_stage="report")


def test_a_stage_that_changes_rows_of_another_is_not_run_again_alone(made: Made) -> None:
    """Neither when it is asked for nor after a crash: the year begins again, and why is said."""
    workspace = made(APPENDS)
    report_with(workspace, f"{REPORT_CHANGES} {OF_THE_YEAR}")
    workspace.simulate()
    whole = tides(workspace)
    assert whole == [(2000, "now!"), (2001, "now!"), (2002, "now!")]
    run_report_again(workspace)
    assert tides(workspace) == whole
    assert finished(workspace) == [(2002, "tides"), (2002, "report")]
    told = [(event.year, event.changed_by) for event in workspace.events if isinstance(event, WholeYearRun)]
    assert told == [(2002, ("report",))]

    def stop(context: HookContext) -> None:
        if context.year == 2001:
            raise KeyboardInterrupt

    with workspace.orchestrator() as orchestrator:
        orchestrator.hooks.register_hook(Hook(HookType.PRE_STAGE, stop, name="stop", stage="report"))
        with pytest.raises(KeyboardInterrupt):
            orchestrator.execute_multi_year_simulation(fresh=True)
    workspace.events.clear()
    workspace.simulate()
    assert finished(workspace)[0] == (2001, "tides")
    assert tides(workspace) == whole


def test_a_hook_that_writes_a_log_makes_nothing_start_earlier(made: Made) -> None:
    """No model builds that table: what is in it is as often there as it was written."""
    workspace = made(APPENDS, ", pre_hook='create table if not exists log (year integer)'")
    report_with(workspace, "insert into {{ target.schema }}.log values ({{ var('year') }})")
    workspace.simulate()
    run_report_again(workspace)
    assert finished(workspace) == [(2002, "report")]
    assert workspace.sql("select count(*) from log") == [(4,)]


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        (
            "models/tides.sql",
            APPENDS.replace(
                "OPTIONS", ", post_hook=\"update {{ this }} set what = what || '!' where year < {{ var('year') }}\""
            ),
            "tides (its hooks or macros change finished years)",
        ),
        (
            "models/report.sql",
            FILES["models/report.sql"] + "{% if execute %}{% do run_query(\"update tides set what = what || '!'\") %}"
            "{% endif %}",
            "tides (changed by hooks or macros of report)",
        ),
        (
            "macros/louder.sql",
            "{% macro louder(table) %}update {{ table }} set what = what || '!'{% endmacro %}",
            "what hooks or macros of report change",
        ),
        (
            "dbt_project.yml",
            FILES["dbt_project.yml"].replace(
                "}}",
                '}, on-run-end: ["create table if not exists tides (year integer, '
                'what varchar)", "update tides set what = what || \'!\'"]}',
            ),
            "tides (changed by hooks or macros of harbour-on-run-end-1)",
        ),
    ],
)
def test_hooks_that_change_finished_years_make_a_run_begin_at_the_first(
    made: Made, file: str, text: str, named: str
) -> None:
    """As many rows are there as before, so that counting them tells nothing."""
    workspace = made(APPENDS)
    if file.startswith("macros"):
        report_with(workspace, "{{ louder(ref('tides')) }}")
    (workspace.root / file).parent.mkdir(exist_ok=True)
    (workspace.root / file).write_text(text)
    workspace.simulate()
    whole = tides(workspace)
    assert "!" in str(whole)
    workspace.events.clear()
    workspace.simulate(2002, 2002, fresh=True)
    assert tides(workspace) == whole
    told = [(event.models, event.years) for event in workspace.events if isinstance(event, WholeRangeRun)]
    assert told == [((named,), (2000, 2001, 2002))]
