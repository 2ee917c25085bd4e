"""A replayed year gives what dbt would have given, and whatever breaks a condition of replay is left to dbt."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import Hook, HookContext, HookType
from orchestrator.core.errors import OrchestratorError, StageTimeoutError, TestFailedError
from orchestrator.core.events import ReplayDeclined, StageFinished
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

BY_DBT = (False, False, False, False, False)
Fresh = Callable[[str], Workspace]


def only(workspace: Workspace, *stages: str) -> None:
    """Leave these stages alone in the configuration."""
    lines = workspace.config.read_text().splitlines()
    kept = [line for line in lines if "{name:" not in line or line.split("name: ")[1].split(",")[0] in stages]
    workspace.config.write_text("\n".join(kept) + "\n")


def replayed(workspace: Workspace) -> dict[str, tuple[bool, ...]]:
    """Return by stage whether each year was replayed."""
    found: dict[str, tuple[bool, ...]] = {}
    for event in workspace.events:
        if isinstance(event, StageFinished):
            found[event.stage] = (*found.get(event.stage, ()), event.replayed)
    return found


def declined(workspace: Workspace) -> list[str]:
    """Return the reasons that were told for leaving a stage to dbt."""
    return [event.reason for event in workspace.events if isinstance(event, ReplayDeclined)]


def ledger(workspace: Workspace) -> list[tuple[object, ...]]:
    """Return what the ledger says of finished stages, times left out."""
    return workspace.sql("select year, stage, nodes, row_count, hooks_done from orchestrator.stages order by all")


@pytest.fixture
def by_dbt(fresh: Fresh, tmp_path: Path) -> Callable[[Callable[[Workspace], None]], Workspace]:
    """Run a copy of the project, prepared in the same way, with replay off; keep it elsewhere."""

    def run(prepare: Callable[[Workspace], None], *, fails: bool = False) -> Workspace:
        workspace = fresh("replay")
        prepare(workspace)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ORCHESTRATOR_EXECUTION__REPLAY", "off")
            kept_error = attempt(workspace)
        assert (kept_error is not None) == fails, kept_error
        assert not any(any(years) for years in replayed(workspace).values())
        kept = Workspace(tmp_path / "by_dbt")
        shutil.copytree(workspace.root, kept.root)
        kept.events = workspace.events
        return kept

    return run


def attempt(workspace: Workspace) -> OrchestratorError | None:
    """Run all years; return the error that ended them."""
    try:
        workspace.simulate()
    except OrchestratorError as error:
        return error
    return None


@pytest.mark.timeout(200)
def test_what_breaks_a_condition_is_left_to_dbt(fresh: Fresh, by_dbt: Callable[..., Workspace]) -> None:
    """Each stage of the project breaks one condition, but for two; all tables are those of dbt."""
    plain = by_dbt(lambda workspace: None)
    workspace = fresh("replay")
    workspace.simulate()
    assert {**workspace.digests(), "kept_history": ""} == {**plain.digests(), "kept_history": ""}  # it holds times
    assert ledger(workspace) == ledger(plain)
    found = replayed(workspace)
    assert found.pop("plain") == (False, False, True, True, True)
    assert found.pop("checks") == (False, True, True, True, True)
    assert found.pop("drifting") == (False, False, True, False, False)
    assert found.pop("hooked") == (False, False, True, True, True)
    assert found.pop("documented") == (False, False, True, True, True)
    assert set(found.values()) == {BY_DBT}
    assert declined(workspace) == [
        "asking: it queries the database with run_query()",
        "asking_in_macro: it queries the database with statement()",
        "clock: it uses run_started_at",
        "own_kind is materialized as yearly_copy",
        "kept_history is neither an SQL model nor a data test",
        "indexed has indexes, which dbt gives new names each time",
        "unit_test.replay.unit_tested.amounts_grow is neither a model nor a data test nor a hook",
        "warned does not pass",
        "the query of drifting gives other columns or types than its table has",
    ]


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        (
            "macros/own.sql",
            "{% macro duckdb__get_incremental_append_sql(arg) %}{{ return(default__get_incremental_append_sql(arg)) }}"
            "{% endmacro %}",
            "macro duckdb__get_incremental_append_sql replaces one of dbt's own",
        ),
        (
            "dbt_project.yml",
            "on-run-start: [\"{% if execute %}{% do run_query('select 1') %}{% endif %}select 1\"]",
            "hook replay-on-run-start-0: it queries the database with run_query()",
        ),
        (
            "dbt_project.yml",
            'on-run-end: ["{% for one in schemas %}analyze;{% endfor %}"]',
            "hook replay-on-run-end-0: it uses schemas",
        ),
        (
            "dbt_project.yml",
            "on-run-end: [\"select '{{ schema }}'\"]",
            "hook replay-on-run-end-0: it uses schema",
        ),
        ("dbt_project.yml", "on-run-end: ['set threads = 1']", "replay-on-run-end-0: it sends SET"),
        ("dbt_project.yml", "query-comment: mine", "the project has a query comment of its own"),
        (
            "macros/own.sql",
            "{% macro duckdb__create_schema(relation) %}{{ return(default__create_schema(relation)) }}{% endmacro %}",
            "macro duckdb__create_schema replaces one of dbt's own",
        ),
    ],
    ids=["macro", "run_query", "schemas", "schema", "set", "query-comment", "dispatch"],
)
def test_a_project_that_changes_dbt_is_left_to_dbt(fresh: Fresh, file: str, text: str, reason: str) -> None:
    """What changes how dbt materializes anything at all rules out every replay."""
    workspace = fresh("replay")
    only(workspace, "plain")
    path = workspace.root / "dbt" / file
    path.write_text((path.read_text() if path.exists() else "") + text + "\n")
    workspace.simulate(1, 1)
    (told,) = declined(workspace)
    assert reason in told


FAILURES = {
    "a test finds rows": ("tests/year_is_there.sql", "where not exists", "where {{ var('yr') }} = 4 or not exists"),
    "a model fails": ("models/merged.sql", "select yr, id, amount", "select yr, id, {{ broken() }} as amount"),
    "a model does not compile": ("models/constant.sql", "select count(*)", "{{ uncompiled() }} select count(*)"),
}
BREAKING = """
{% macro broken() %}{{ "error('no amounts in year 4')" if var('yr') == 4 else 'amount' }}{% endmacro %}
{% macro uncompiled() %}
{% if var('yr') == 4 %}{{ exceptions.raise_compiler_error('not in year 4') }}{% endif %}
{% endmacro %}
"""


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_in_a_replayed_year_is_that_of_dbt(
    fresh: Fresh, by_dbt: Callable[..., Workspace], failure: str
) -> None:
    """Error, tables and ledger are those that dbt leaves, and the mended run goes on in that year."""
    file, old, new = FAILURES[failure]

    def prepare(workspace: Workspace) -> None:
        only(workspace, "plain", "checks")
        path = workspace.root / "dbt" / file
        path.write_text(path.read_text().replace(old, new))
        (workspace.root / "dbt" / "macros" / "breaking.sql").write_text(BREAKING)

    plain = by_dbt(prepare, fails=True)
    workspace = fresh("replay")
    prepare(workspace)
    error = attempt(workspace)
    assert error is not None and "4" in str(error)
    assert isinstance(error, TestFailedError) == (failure == "a test finds rows")
    assert replayed(workspace)["plain"][2]
    assert workspace.digests() == plain.digests()
    assert ledger(workspace) == ledger(plain)
    assert not [name for name in workspace.tables() if "__dbt" in name]


def test_what_hooks_change_between_years_is_noticed(fresh: Fresh, by_dbt: Callable[..., Workspace]) -> None:
    """A view dropped and an index made between two years are found, and that year is run by dbt."""
    plain = by_dbt(lambda workspace: only(workspace, "plain"))

    def meddle(context: HookContext) -> None:
        if context.year == 3:
            context.execute("drop view seen")
        if context.year == 4:
            context.execute("create index amounts on promised (amount)")

    workspace = fresh("replay")
    only(workspace, "plain")
    workspace.simulate(hooks=[Hook(HookType.POST_YEAR, meddle)])
    assert workspace.digests() == plain.digests()
    assert replayed(workspace) == {"plain": (False, False, True, False, False)}


def test_a_replayed_year_is_stopped_in_time(fresh: Fresh) -> None:
    """A query that never ends in year 4 is interrupted, leaves nothing half done, and the run goes on from there."""
    workspace = fresh("replay")
    only(workspace, "plain")
    model = workspace.root / "dbt" / "models" / "constant.sql"
    endless = "(select count(*) from range({{ 10 ** 15 if var('yr') == 4 and endless else 10 }}) t(n) where n % 7 = 3)"
    header = "{{ config(materialized='table', tags=['PLAIN']) }}{% set endless = var('endless', true) %}\n"
    model.write_text(f"{header}select count(*) + {endless} as rows_there from {{{{ ref('start') }}}}")
    config = workspace.config.read_text().replace('"tag:PLAIN"', '"tag:PLAIN", timeout_seconds: 4')
    workspace.config.write_text(config)
    with pytest.raises(StageTimeoutError, match="Stage plain of 4"):
        workspace.simulate()
    assert replayed(workspace)["plain"] == (False, False, True, False)
    assert workspace.sql("select max(yr) from merged")[0][0] in (3, 4)
    assert not [name for name in workspace.tables() if "__dbt" in name]
    assert [year for year, *_ in ledger(workspace)] == [1, 2, 3]
    workspace.events.clear()
    workspace.simulate(overrides={"vars.endless": False})
    assert workspace.sql("select max(yr) from merged") == [(5,)]


TWICE = {
    "ev": "{{ config(materialized='incremental') }} select id, {{ var('yr') }} as yr from {{ ref('start') }}",
    "m": "{{ config(materialized='incremental') }} select id, yr from {{ ref('ev') }} {% if is_incremental() %}"
    "where yr > (select max(yr) from {{ this }}){% endif %}",
}
RENAMED = """\
{{ config(materialized='incremental', on_schema_change='append_new_columns') }}
select {{ var('yr') }} as yr, id {{ ', amount as id' if var('yr') == 4 }} from {{ ref('start') }}
"""
NARROW = """\
{{ config(materialized='incremental', on_schema_change='append_new_columns') }}
select {{ var('yr') }} as yr, id {{ ', amount' if var('yr') != 2 }} from {{ ref('start') }}
"""
SYNCED = NARROW.replace("append_new_columns", "sync_all_columns")
REPLACED = NARROW.replace(
    "on_schema",
    "unique_key='id', incremental_strategy='delete+insert', meta={'writes_other_years': true}, on_schema",
)
NARROWED = "the query of m gave other columns or types than its table had"
AVERAGE = """\
{{ config(fail_calc='avg(id)', warn_if='> 100', error_if='> 100') }}
select id + {{ 0.5 if var('yr') == 4 else 0 }} as id from {{ ref('start') }}
"""
SWITCHED = """\
{{ config(materialized='table') }}{% for adapter in [] %}{% endfor %}
{% set there = adapter.get_relation(this.database, this.schema, 'switch') if execute %}
select {{ var('yr') }} as yr, {{ 1 if there else 0 }} as there
"""
LABELS = {
    "a": "{{ config(materialized='table') }}{% do var('labels').append('x') %} select 1 as one",
    "b": "{{ config(materialized='table') }} -- {{ ref('a') }}\n"
    "select {{ var('yr') }} as yr, '{{ var('labels') | join }}' as labels",
}
LOTS = "{{ config(materialized='table') }} select {{ range(1, 2) | random }} as n, {{ var('yr') }} as yr"
OWN_REF = """\
{% macro ref(name) %}{% set found = builtins.ref(name) %}{{ return(found) }}{% endmacro %}
"""


def only_these(workspace: Workspace, models: dict[str, str], stages: list[str]) -> None:
    """Put these models beside the seed, in place of those of the project; ``labels`` is a variable of theirs."""
    project = workspace.root / "dbt" / "dbt_project.yml"
    project.write_text(project.read_text().replace("vars: {yr: 1}", "vars: {yr: 1, labels: []}"))
    models_dir = workspace.root / "dbt" / "models"
    for folder in ("models", "macros", "snapshots", "tests"):
        shutil.rmtree(workspace.root / "dbt" / folder)
        (workspace.root / "dbt" / folder).mkdir()
    for name, text in models.items():
        path = models_dir / f"{name}.sql" if "/" not in name else workspace.root / "dbt" / f"{name}.sql"
        path.write_text(text)
    lines = workspace.config.read_text().splitlines()
    kept = [line for line in lines if "{name:" not in line]
    workspace.config.write_text("\n".join([*kept, *(f"  - {stage}" for stage in stages)]) + "\n")


@pytest.mark.parametrize(
    ("models", "stages", "why"),
    [
        (TWICE, ["{name: e, select: ev}", "{name: i, select: m, first_year_only: true}", "{name: y, select: [m, m]}"],
         []),
        ({"m": RENAMED}, ["{name: s, select: m}"],
         ["the query of m gives other columns or types than its table has",
          NARROWED]),
        ({"m": NARROW}, ["{name: s, select: m}"], [NARROWED]),
        ({"m": SYNCED}, ["{name: s, select: m}"], ["it changes the columns of its table"]),
        ({"m": REPLACED}, ["{name: s, select: m}"], [NARROWED]),
        ({"tests/average": AVERAGE, "m": RENAMED.replace("4", "9")}, ["{name: t, select: average, command: test}"],
         ["average does not pass"]),
        ({"m": SWITCHED}, ["{name: s, select: m}"], ["it gives adapter another meaning"]),
        ({"m": "{{ config(materialized='table') }} select *, {{ var('yr') }} as yr from {{ ref('start') }}",
          "macros/ref": OWN_REF},
         ["{name: s, select: m}"], ["it uses builtins"]),
        (LABELS, ["{name: s, select: [a, b]}"], ["it may change what other templates read"]),
        ({"m": LOTS}, ["{name: s, select: m}"], ["it draws lots"]),
    ],
    ids=["two recordings", "doubled column", "a year with fewer", "columns dropped", "fewer, replaced",
         "a test's number", "hidden adapter", "own ref", "a variable's list", "lots"],
)  # fmt: skip
def test_what_a_hostile_tester_found(
    fresh: Fresh, by_dbt: Callable[..., Workspace], models: dict[str, str], stages: list[str], why: list[str]
) -> None:
    """Projects for which an earlier version of replay gave other rows, other columns or no error."""

    def prepare(workspace: Workspace) -> None:
        only_these(workspace, models, stages)

    fails = "tests/average" in models
    plain = by_dbt(prepare, fails=fails)
    workspace = fresh("replay")
    prepare(workspace)
    error = attempt(workspace)
    assert (error is not None) == fails
    assert workspace.digests() == plain.digests()
    assert ledger(workspace) == ledger(plain)
    assert [reason.split(": ")[-1] for reason in declined(workspace)] == why
