"""A stage that an earlier run recorded is replayed from the first year on, and never where it could differ."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Hook, HookContext, HookType
from orchestrator.core.errors import InitializationError
from orchestrator.core.events import NodeFinished, ReplayDeclined
from tests.integration.test_replay import ledger, only, replayed
from tests.support.programs import run_python
from tests.support.workspaces import PreparedProjects, Workspace

pytestmark = pytest.mark.slow

ALL = (True, True, True)
BY_DBT = (False, False, False)
RECORDED = (False, False, True)
SCALED = """\
{{ config(materialized='incremental', tags=['PLAIN']) }}
select {{ var('yr') }} as yr, id, amount * {{ var('scale', 1) }} as amount from {{ ref('start') }}
{% if is_incremental() %}union all select {{ var('yr') }}, id + 1000, amount from {{ this }}{% endif %}
"""


def rows_without(workspace: Workspace, **options: Any) -> tuple[dict[str, str], list[tuple[object, ...]]]:
    """Return tables and ledger of a run from the beginning in which dbt does everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRATOR_EXECUTION__REPLAY", "off")
        return rows(workspace, **options)


def rows(workspace: Workspace, **options: Any) -> tuple[dict[str, str], list[tuple[object, ...]]]:
    """Return tables and ledger of a run from the beginning, without any database."""
    workspace.database.unlink(missing_ok=True)
    workspace.events.clear()
    workspace.simulate(1, 3, **options)
    return workspace.digests(), ledger(workspace)


@pytest.fixture(scope="module")
def recording(prepared: PreparedProjects, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose stages were recorded by a run that is over, to be copied to where it was."""
    workspace = prepared.lay("replay", simulated=False)
    only(workspace, "plain", "checks")
    (workspace.root / "dbt" / "models" / "scaled.sql").write_text(SCALED)
    workspace.simulate(1, 3)
    assert replayed(workspace) == {"plain": RECORDED, "checks": (False, True, True)}
    kept = tmp_path_factory.mktemp("recording") / "replay"
    shutil.copytree(workspace.root, kept)
    return kept


@pytest.fixture
def recorded(recording: Path, prepared: PreparedProjects) -> Workspace:
    """A copy of that project, at the path at which it was recorded."""
    workspace = prepared.lay("replay", simulated=False)
    shutil.rmtree(workspace.root)
    shutil.copytree(recording, workspace.root)
    return workspace


def test_a_new_database_is_replayed_from_the_first_year(recorded: Workspace) -> None:
    """Every year comes from the recordings of the run before, and the rows are those of dbt."""
    found = rows(recorded)
    assert replayed(recorded) == {"plain": ALL, "checks": ALL}
    assert found == rows_without(recorded)
    assert replayed(recorded) == {"plain": BY_DBT, "checks": BY_DBT}


def test_another_value_of_a_variable_needs_no_new_recording(recorded: Workspace) -> None:
    """The SQL is compiled anew for it, that of nodes which no year reaches, too."""
    constant = recorded.root / "dbt" / "models" / "constant.sql"
    constant.write_text(constant.read_text().replace("count(*)", "count(*) + {{ var('scale', 1) }}"))
    rows(recorded)
    assert replayed(recorded) == {"plain": RECORDED, "checks": ALL}
    found = rows(recorded, overrides={"vars.scale": 7})
    assert replayed(recorded) == {"plain": ALL, "checks": ALL}
    assert recorded.sql("select rows_there > 7 from constant") == [(True,)]
    assert found == rows_without(recorded, overrides={"vars.scale": 7})


CHANGES = {
    "a model's text": ("models/seen.sql", "'year '", "'in '"),
    "a setting": ("models/seen.sql", "materialized='view'", "materialized='table'"),
    "a macro": ("macros/macros.sql", "sum({{ column }})", "max({{ column }})::hugeint"),
    "a new node": ("models/late.sql", "", "{{ config(tags=['PLAIN']) }} select 1 as a"),
    "a seed": ("seeds/start.csv", "1,", "1,4"),
}
STILL_REPLAYED = {
    "a model's text": {"plain": False, "checks": True},
    "a seed": {"plain": True, "checks": True},
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_edited_is_recorded_anew(recorded: Workspace, change: str) -> None:
    """Only what the edit cannot reach is replayed, and the rows are those of dbt."""
    file, old, new = CHANGES[change]
    path = recorded.root / "dbt" / file
    before = path.read_text() if path.exists() else ""
    assert old in before
    path.write_text(before.replace(old, new, 1))
    found = rows(recorded)
    assert {stage: years[0] for stage, years in replayed(recorded).items()} == STILL_REPLAYED.get(
        change, {"plain": False, "checks": False}
    )
    assert found == rows_without(recorded)


def test_a_database_that_looks_otherwise_is_left_to_dbt(recorded: Workspace) -> None:
    """A table that is there in the first year, where there was none, is found, and dbt appends to it."""

    def meddle(context: HookContext) -> None:
        if context.year == 1:
            context.execute("create table scaled as select 0 as yr, 5 as id, 5::hugeint as amount")

    hooks = [Hook(HookType.PRE_YEAR, meddle)]
    found = rows(recorded, hooks=hooks)
    assert replayed(recorded)["plain"][0] is False
    assert recorded.sql("select count(*) from scaled where id = 1005") == [(3,)]
    assert found == rows_without(recorded, hooks=hooks)


def test_sql_that_was_compiled_ahead_is_not_used_for_another_state(recorded: Workspace) -> None:
    """A table that is dropped between two years is compiled as new, though the next year was compiled before."""

    def meddle(context: HookContext) -> None:
        if context.year == 1:
            context.execute("drop table scaled")

    hooks = [Hook(HookType.POST_YEAR, meddle)]
    found = rows(recorded, hooks=hooks)
    assert recorded.sql("select min(yr), count(*) filter (where id > 1000) = 0 from scaled where yr = 2") == [(2, True)]
    assert found == rows_without(recorded, hooks=hooks)


PRINTED = """\
{{ config(materialized='incremental', tags=['PLAIN']) }}
select {{ var('yr') }} as yr, 2024 as fixed, 'y{{ var('yr') }}' as label, id from {{ ref('start') }}
{% if is_incremental() %}
union all select yr + 1, fixed, label || 1, id from {{ this }} where yr = {{ var('yr') }} - 1
{% endif %}
"""
DECIDED = """\
{{ config(materialized='incremental', tags=['PLAIN']) }}
select {{ var('yr') }} as yr, {{ 1 if var('yr') == 2027 else 2 }} as kind from {{ ref('start') }}
"""


def test_a_year_that_is_only_printed_needs_no_compiling(fresh: Callable[[str], Workspace]) -> None:
    """Rows are those of dbt in years whose SQL was told from two others, beside a model that has to be compiled."""
    workspace = fresh("replay")
    only(workspace, "plain")
    models = workspace.root / "dbt" / "models"
    for path in models.glob("*.*"):
        path.unlink()
    (models / "printed.sql").write_text(PRINTED)
    (models / "decided.sql").write_text(DECIDED)
    for name in ("snapshots", "tests"):
        shutil.rmtree(workspace.root / "dbt" / name)
    config = workspace.config.read_text().replace("start_year: 1, end_year: 5", "start_year: 2022, end_year: 2028")
    workspace.config.write_text(config)
    workspace.simulate()
    assert replayed(workspace)["plain"] == (False, False, True, True, True, True, True)
    found = workspace.digests()
    assert workspace.sql("select distinct yr from decided where kind = 1") == [(2027,)]
    assert workspace.sql("select count(*) from printed where fixed <> 2024") == [(0,)]
    with workspace.orchestrator() as orchestrator:
        facts = orchestrator.runner.facts()
        told = {node.name: node.prints_year or not node.uses_year for node in facts.models()}
    assert told == {"printed": True, "decided": False}
    for replay in ("auto", "off"):
        workspace.database.unlink()
        workspace.simulate(overrides={"execution.replay": replay})
        assert workspace.digests() == found


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_damaged_tapes_are_not_played(recorded: Workspace, damage: str) -> None:
    """A file that is not as it was written counts as none."""
    (path,) = (recorded.root / "var" / "dbt").glob("*.recordings")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes({"cut": bytes(content[:-9]), "flipped": bytes(content), "empty": b""}[damage])
    rows(recorded)
    assert replayed(recorded)["plain"] == RECORDED
    rows(recorded)
    assert replayed(recorded)["plain"] == ALL


def test_several_threads_give_the_same_rows(recorded: Workspace) -> None:
    """Nodes that do not need each other are sent at the same time, and a failure leaves the rest to dbt."""
    threads = {"overrides": {"dbt.threads": 4}}
    found = rows(recorded, **threads)
    assert replayed(recorded) == {"plain": ALL, "checks": ALL}
    assert found == rows_without(recorded)

    def meddle(context: HookContext) -> None:
        if context.year == 2:
            context.execute("alter table merged add column more integer")

    hooks = [Hook(HookType.POST_YEAR, meddle)]
    found = rows(recorded, hooks=hooks, **threads)
    assert replayed(recorded)["plain"] == (True, True, False)
    assert found == rows_without(recorded, hooks=hooks)


def test_a_repair_is_replayed(fresh: Callable[[str], Workspace], tmp_path: Path) -> None:
    """Foundation models of a project that was healed before are sent as they were; the first repair is dbt's."""
    workspace = fresh("reservoir")
    with workspace.orchestrator() as orchestrator:
        orchestrator.initializer.ensure_initialized()
    assert not [event for event in workspace.events if isinstance(event, ReplayDeclined)]
    before = workspace.digests()
    (recordings,) = (workspace.root / "var" / "dbt").glob("*.recordings")
    kept = recordings.stat()
    workspace.database.unlink()
    with workspace.orchestrator() as orchestrator:
        result = orchestrator.initializer.ensure_initialized()
    assert set(before) <= set(result.tables_created)
    assert workspace.digests() == before
    assert recordings.stat().st_mtime_ns == kept.st_mtime_ns


def lay(workspace: Workspace, files: dict[str, str]) -> None:
    """Put these files into the dbt project in place of its models, snapshots and tests; all models are in one stage."""
    only(workspace, "plain", *(["checks"] if "CHECKS" in str(files) else []))
    for name in ("models", "snapshots", "tests"):
        shutil.rmtree(workspace.root / "dbt" / name)
    for name, text in files.items():
        path = workspace.root / "dbt" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tag = "{{ config(tags=['PLAIN']) }}\n" if name.startswith("models/") and name.endswith(".sql") else ""
        path.write_text(tag + text)


WHILE_RUNNING = """\
{{ config(materialized='incremental') }}
select {{ var('yr') }} as yr{% if is_incremental() %}, {{ env_var('SCALE', '1') }}{% else %}, 1{% endif %} as scale
"""
PUT_TOGETHER = WHILE_RUNNING.replace("'SCALE'", "'SC' ~ 'ALE'")
HANDED_ON = """\
{{ config(materialized='table') }}{% set get = env_var %}
select {{ var('yr') }} as yr, {% if execute %}{{ get('SCALE', '1') }}{% else %}0{% endif %} as scale
"""
THREADS = "{{ config(materialized='table') }} select {{ var('yr') }} as yr, {{ target.threads }} as threads"
READS_LATER = """\
{{ config(materialized='table') }}
select {{ 'old' if var('yr') == 1 else 'new' }} as x, {{ var('yr') }} as yr from raw
"""
REPLACED = "{{ config(materialized='table', alias='raw') }} select 1 as new, {{ var('yr') }} as yr"
CALLED = "{% call(run_started_at) wrap() %}x{% endcall %} select '{{ run_started_at }}' as t, {{ var('yr') }} as yr"
WRAP = "{% macro wrap() %}-- {{ caller('z') }}\n{% endmacro %}"
WARNING = "{% if execute %}{% do exceptions.warn('beware') %}{% endif %} select {{ var('yr') }} as yr"
TESTED = "models: [{name: a, columns: [{name: yr, data_tests: [{not_null: {config: {tags: [CHECKS]}}}]}]}]"
AUDIT = """\
{% materialization test, adapter='duckdb' %}
  {% call statement('main', fetch_result=True) %}
    {{ get_test_sql(sql, config.get('fail_calc'), config.get('warn_if'), config.get('error_if'), config.get('limit')) }}
  {% endcall %}
  {% call statement('audit') %}insert into start values (1000, {{ var('yr') }}){% endcall %}
  {{ return({'relations': []}) }}
{% endmaterialization %}
"""
NUMERIC = "{{ config(materialized='table') }} select {{ var('yr') }} as yr, 1.5::numeric as x"
CONTRACT = """\
models:
  - name: a
    config: {contract: {enforced: true}}
    columns: [{name: yr, data_type: int}, {name: x, data_type: numeric}]
"""
PLAIN = "{{ config(materialized='table') }} select {{ var('yr') }} as yr"


@pytest.mark.parametrize(
    ("files", "environment", "overrides", "reason"),
    [
        ({"models/a.sql": WHILE_RUNNING}, {"SCALE": "7"}, {}, None),
        ({"models/a.sql": PUT_TOGETHER}, {"SCALE": "7"}, {}, None),
        ({"models/a.sql": HANDED_ON}, {"SCALE": "7"}, {}, None),
        ({"models/a.sql": THREADS}, {}, {"dbt.threads": 3}, None),
        ({"models/a.sql": NUMERIC, "models/a.yml": CONTRACT}, {}, {}, "a: dbt warns when it runs it"),
        ({"models/a.sql": PLAIN}, {"DBT_FULL_REFRESH": "1", "DBT_EMPTY": "1"}, {}, None),
        ({"models/a.sql": CALLED, "macros/wrap.sql": WRAP}, {}, {}, "a: it gives run_started_at another meaning"),
        ({"models/a.sql": WARNING}, {}, {}, "a: it warns"),
        (
            {"models/a.sql": PLAIN, "models/a.yml": TESTED, "macros/audit.sql": AUDIT},
            {},
            {},
            "the project brings its own materialization_test_duckdb",
        ),
    ],
    ids=[
        "environment",
        "name put together",
        "env_var handed on",
        "threads",
        "warning of dbt",
        "flag",
        "call block",
        "warning",
        "own test",
    ],
)
def test_what_a_hostile_tester_found(
    fresh: Callable[[str], Workspace],
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    environment: dict[str, str],
    overrides: dict[str, object],
    reason: str | None,
) -> None:
    """What SQL or statements depend on besides the code is either part of a recording, or forbids it."""
    workspace = fresh("replay")
    lay(workspace, files)
    rows(workspace)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = rows(workspace, overrides=overrides)
    told = [event.reason for event in workspace.events if isinstance(event, ReplayDeclined)]
    assert told == ([] if reason is None else [reason])
    assert (reason is None) == any(replayed(workspace)["plain"])
    if "run_started_at" not in str(files):  # it holds times
        assert found == rows_without(workspace, overrides=overrides)


def test_a_schema_that_is_not_there_yet(fresh: Callable[[str], Workspace]) -> None:
    """A model in a schema of its own is replayed into a new database, too."""
    workspace = fresh("replay")
    lay(workspace, {"models/a.sql": PLAIN.replace("'table'", "'table', schema='Own'")})
    rows(workspace)
    found = rows(workspace)
    assert replayed(workspace)["plain"] == ALL
    assert found == rows_without(workspace)
    assert "main_own" in {
        str(schema).lower() for (schema,) in workspace.sql("select schema_name from duckdb_schemas()")
    }


@pytest.mark.parametrize("select", ["--full-refresh", "--empty", "state:modified"])
def test_a_selection_that_goes_by_more_than_the_project(fresh: Callable[[str], Workspace], select: str) -> None:
    """Flags of dbt, which its run heeds and its compile does not, and selectors that go by other files."""
    workspace = fresh("replay")
    lay(workspace, {"models/a.sql": WHILE_RUNNING + "{{ config(meta={'writes_other_years': true}) }}"})
    selected = (
        f'["tag:PLAIN", "{select}", "--state", "../state"]' if "state" in select else f'["tag:PLAIN", "{select}"]'
    )
    workspace.config.write_text(workspace.config.read_text().replace('"tag:PLAIN"', selected))
    if select.startswith("state"):
        state = workspace.root / "state"
        args = ["parse", "--project-dir", str(workspace.root / "dbt"), "--profiles-dir", str(workspace.root / "dbt")]
        command = ["-m", "dbt.cli.main", *args, "--target-path", str(state), "--vars", "{yr: 1}"]
        environment = {**os.environ, "ORCHESTRATOR_DATABASE": str(workspace.database)}
        run_python(command, cwd=workspace.root, env=environment, dbt=True, check=True)
    rows(workspace)
    found = rows(workspace)
    told = [event.reason for event in workspace.events if isinstance(event, ReplayDeclined)]
    assert told == [f"what {select} selects does not depend on the project alone"]
    assert replayed(workspace) == {"plain": BY_DBT}
    assert found == rows_without(workspace)


FROM_FIRST = """\
{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert') }}
{{ config(meta={'writes_other_years': true}) }}
{% if not execute %}{{ ref('one') }}{{ ref('other') }}{% endif %}
from {{ this if var('which', 'one') == 'self' and is_incremental() else ref('one') if var('which', 'one') != 'other'
    else ref('other') }}
"""


def test_sql_of_another_parse_that_stands_twice_in_a_statement(fresh: Callable[[str], Workspace]) -> None:
    """Where the SQL is no more than the name of the table, another one in its place would empty another table."""
    workspace = fresh("replay")
    table = "{{ config(materialized='table') }} select {{ var('yr') }} as yr, id from {{ ref('start') }}"
    lay(workspace, {"models/one.sql": table, "models/other.sql": table, "models/m.sql": FROM_FIRST})
    for which in ("one", "self", "other"):
        found = rows(workspace, overrides={"vars.which": which})
    assert workspace.sql("select count(*) > 0 from other") == [(True,)]
    assert found == rows_without(workspace, overrides={"vars.which": "other"})


def test_a_stage_that_changes_what_it_reads_is_no_failure(fresh: Callable[[str], Workspace]) -> None:
    """Where the query of a model cannot be looked at after its stage, the stage is not recorded, and that is all."""
    workspace = fresh("replay")
    lay(workspace, {"models/a.sql": READS_LATER, "models/b.sql": "-- depends_on: {{ ref('a') }}\n" + REPLACED})

    def meddle(context: HookContext) -> None:
        if context.year == 1:
            context.execute("create table raw (old integer)")

    hooks = [Hook(HookType.PRE_YEAR, meddle)]
    found = rows(workspace, hooks=hooks)
    assert found == rows_without(workspace, hooks=hooks)


def test_hooks_of_a_package_leave_repairs_to_dbt(fresh: Callable[[str], Workspace]) -> None:
    """A package whose on-run-start dbt runs with every command is no obstacle for a second repair."""
    workspace = fresh("reservoir")
    package = workspace.root / "dbt" / "dbt_packages" / "audit"
    package.mkdir(parents=True)
    (package / "dbt_project.yml").write_text(
        "name: audit\nversion: '1.0'\nprofile: reservoir\n"
        'on-run-start: ["create table if not exists audit_log(n integer)", "insert into audit_log values (1)"]\n'
    )
    (workspace.root / "dbt" / "packages.yml").write_text(f"packages: [{{local: '{package}'}}]\n")
    found = []
    for _ in range(2):
        workspace.database.unlink(missing_ok=True)
        with workspace.orchestrator() as orchestrator:
            orchestrator.initializer.ensure_initialized()
        found.append(workspace.sql("select count(*) from audit_log"))
    assert found[0] == found[1]


ASKING = """\
-- depends_on: {{ ref('deep') }}
{{ config(tags=['FOUNDATION'], materialized='table') }}
select {{ run_query('select count(*) from ' ~ ref('deep')).columns[0][0] if execute else 0 }} as lakes
"""
ABOVE = "{{ config(tags=['FOUNDATION'], materialized='table') }} select * from {{ ref('lakes') }}"
BELOW = "{{ config(tags=['FOUNDATION'], materialized='table') }} select 10 / lakes as share from {{ ref('asking') }}"


def test_a_repair_is_replayed_around_what_dbt_has_to_run(fresh: Callable[[str], Workspace]) -> None:
    """A model that asks the database, and what it reads, are run by dbt; when it fails, what needs it is skipped."""
    workspace = fresh("reservoir")
    models = workspace.root / "dbt" / "models" / "foundation"
    for name, text in {"deep": ABOVE, "asking": ASKING, "below": BELOW}.items():
        (models / f"{name}.sql").write_text(text)
    found = []
    for _ in range(2):
        workspace.database.unlink(missing_ok=True)
        workspace.events.clear()
        with workspace.orchestrator() as orchestrator:
            orchestrator.initializer.ensure_initialized()
        found.append(workspace.digests())
        finished = [event.name for event in workspace.events if isinstance(event, NodeFinished)]
        assert len(finished) == len(set(finished))
    assert found[0] == found[1]
    assert finished.index("deep") < finished.index("asking") < finished.index("stg_rain")
    (models / "asking.sql").write_text(ASKING.replace("count(*)", "no_such_column"))
    workspace.database.unlink()
    with workspace.orchestrator() as orchestrator, pytest.raises(InitializationError, match="no_such_column") as caught:
        orchestrator.initializer.ensure_initialized()
    assert "1 node that depends on it was skipped" in str(caught.value)
    assert {"deep", "stg_rain", "lake_shape"} <= workspace.tables() and "below" not in workspace.tables()
