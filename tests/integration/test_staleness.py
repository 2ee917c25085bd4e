"""What the ledger finds: tables built from something that has changed since, and builds that never ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.core.errors import DatabaseError, InitializationError
from orchestrator.ledger.changes import Change
from orchestrator.self_healing.evidence import Outdated
from orchestrator.self_healing.initialization_state import InitializationResult, TableFinding
from tests.integration.test_dbt_runner import SLOW
from tests.support.processes import GENEROUS
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

Fresh = Callable[[str], Workspace]


@pytest.fixture
def reservoir(simulated: Fresh) -> Workspace:
    """A simulated reservoir."""
    return simulated("reservoir")


def healed(workspace: Workspace, **options: object) -> tuple[tuple[TableFinding, ...], InitializationResult, list[str]]:
    """Return what was found, what healing did, and the names of what it planned to build."""
    with workspace.orchestrator(**options) as orchestrator:
        found = orchestrator.initializer.checker().findings()
        planned = [node.name for node in orchestrator.initializer.plan().nodes]
        return found, orchestrator.initializer.ensure_initialized(), planned


def edit(workspace: Workspace, file: str, old: str, new: str) -> None:
    """Change one thing in one file of the dbt project."""
    path = workspace.root / "dbt" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_unchanged_project_is_not_stale(reservoir: Workspace) -> None:
    """Nothing is found after a run, and nothing after a file was merely touched."""
    for path in (reservoir.root / "dbt").rglob("*.*"):
        path.touch()
    assert healed(reservoir)[0] == ()


def test_an_edited_seed_is_loaded_again_with_what_reads_it(reservoir: Workspace) -> None:
    """The finding says what changed since when; exactly the seed and its required descendants are built."""
    built_at = reservoir.sql("select built_at from orchestrator.built_tables where node = 'seed.reservoir.rain'")[0][0]
    edit(reservoir, "seeds/rain.csv", "1,0.5", "1,0.75")
    before = reservoir.storage()
    found, _, planned = healed(reservoir)
    assert [(f.table.name, f.problem.value) for f in found] == [("rain", "stale"), ("stg_rain", "stale")]
    assert found[0].detail.startswith("is out of date: rain.csv changed since it was loaded on 20")
    assert found[1].detail.startswith("is out of date: rain, which it is built from: rain.csv changed since it was ")
    seen = found[0].seen
    assert isinstance(seen, Outdated) and not seen.inherited
    assert (seen.node, seen.name, seen.file) == ("seed.reservoir.rain", "rain", "seeds/rain.csv")
    assert seen.since.replace(tzinfo=None) == built_at
    assert [(change.kind, change.name) for change in seen.changes] == [("seed", "rain")]
    assert planned == ["rain", "stg_rain"]
    assert reservoir.sql("select depth from rain where month = 1")[0][0] == pytest.approx(0.75)
    after = reservoir.storage()
    kept = before.keys() - {"rain", "stg_rain"}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert healed(reservoir)[0] == ()


def test_an_edited_model_is_built_again(reservoir: Workspace) -> None:
    """A model whose SQL changed is stale, and so is what reads it."""
    edit(reservoir, "models/foundation/lake_shape.sql", "select", "select /* measured again */")
    found, _, planned = healed(reservoir)
    assert [(f.table.name, f.problem.value) for f in found] == [("lake_shape", "stale"), ("lake_shore", "stale")]
    assert "lake_shape.sql changed since it was built on 20" in found[0].detail
    assert planned == ["lake_shape", "lake_shore"]


def test_a_changed_variable_is_named_with_both_values(reservoir: Workspace) -> None:
    """Only the tables that read the variable are stale, and the finding names old and new value."""
    found, _, planned = healed(reservoir, overrides={"vars.rain_factor": 3})
    assert [(f.table.name, f.problem.value) for f in found] == [("stg_rain", "stale")]
    assert "var rain_factor went from 1 to 3" in found[0].detail
    assert isinstance(found[0].seen, Outdated)
    assert found[0].seen.changes == (Change("var", "rain_factor", "1", "3"),)
    assert planned == ["stg_rain"]


@pytest.mark.parametrize("name", ["'WETTER'", "'WET' ~ 'TER'"], ids=["plain", "put together"])
def test_a_changed_variable_of_the_environment_is_named(
    reservoir: Workspace, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What a model reads of the environment is an input like any other; its value is not written anywhere."""
    monkeypatch.setenv("WETTER", "secret-1")
    edit(reservoir, "models/foundation/stg_rain.sql", "select", f"select {{{{ env_var({name})|length }}}} as n,")
    healed(reservoir)
    assert healed(reservoir)[0] == ()
    monkeypatch.setenv("WETTER", "secret-22")
    found = healed(reservoir)[0]
    assert [f.table.name for f in found] == ["stg_rain"]
    assert "environment variable WETTER changed" in found[0].detail
    assert isinstance(found[0].seen, Outdated)
    assert [(change.kind, change.name) for change in found[0].seen.changes] == [("env var", "WETTER")]
    assert b"secret-" not in reservoir.database.read_bytes()


def test_a_file_behind_a_default_variable_is_watched(reservoir: Workspace) -> None:
    """A changed file that a variable of dbt_project.yml names makes what reads it stale, also to a look without dbt."""
    rain = reservoir.root / "rain.csv"
    rain.write_text("a\n1\n")
    edit(reservoir, "dbt_project.yml", "rain_factor: 1", f"rain_factor: 1, rain_file: '{rain}'")
    edit(
        reservoir,
        "models/foundation/lake_shore.sql",
        "from",
        ", (select max(a) from '{{ var(\"rain_file\") }}') as a from",
    )
    healed(reservoir)
    assert healed(reservoir)[0] == ()
    rain.write_text("a\n2\n")
    assert [(f.table.name, f.problem.value) for f in healed(reservoir)[0]] == [("lake_shore", "stale")]
    assert reservoir.sql("select distinct a from lake_shore") == [(2,)]


def test_another_schema_is_another_place(reservoir: Workspace) -> None:
    """Two targets that share a file do not take each other's tables for their own."""
    profile = reservoir.root / "dbt" / "profiles.yml"
    line = next(line for line in profile.read_text().splitlines() if " dev:" in line)
    profile.write_text(profile.read_text() + line.replace("dev:", "prod:").replace("threads", "schema: prod, threads"))
    edit(reservoir, "models/yearly/yearly.yml", "schema: main", 'schema: "{{ target.schema }}"')
    healed(reservoir)
    healed(reservoir, overrides={"dbt.target": "prod"})
    edit(reservoir, "seeds/rain.csv", "1,0.5", "1,0.75")
    healed(reservoir, overrides={"dbt.target": "prod"})
    assert "rain" in {f.table.name for f in healed(reservoir)[0]}
    for schema in ("main", "prod"):
        assert reservoir.sql(f"select depth from {schema}.rain where month = 1")[0][0] == pytest.approx(0.75)


def test_a_changed_macro_is_named(reservoir: Workspace) -> None:
    """A table is stale when a macro that it reaches, through another macro, has changed."""
    macros = reservoir.root / "dbt" / "macros"
    macros.mkdir()
    (macros / "m.sql").write_text(
        "{% macro outer() %}{{ inner() }}{% endmacro %}\n{% macro inner() %}1{% endmacro %}\n"
        "{% macro unused() %}1{% endmacro %}\n"
    )
    edit(reservoir, "models/foundation/lake_shore.sql", "select", "select {{ outer() }} as one,")
    healed(reservoir)
    text = (macros / "m.sql").read_text()
    (macros / "m.sql").write_text(text.replace("unused() %}1", "unused() %}2"))
    assert healed(reservoir)[0] == ()
    (macros / "m.sql").write_text(text.replace("inner() %}1", "inner() %}2"))
    found = healed(reservoir)[0]
    assert [(f.table.name, f.problem.value) for f in found] == [("lake_shore", "stale")]
    assert "macro inner changed since" in found[0].detail


def test_what_lies_between_is_looked_at_and_built_too(fresh: Fresh) -> None:
    """A change in a model that is not required itself makes the required table below it stale."""
    workspace = fresh("reservoir")
    between = workspace.root / "dbt" / "models" / "between.sql"
    between.write_text("{{ config(materialized='table') }}\nselect * from {{ ref('rain') }}")
    edit(workspace, "models/foundation/stg_rain.sql", "ref('rain')", "ref('between')")
    healed(workspace)
    between.write_text(between.read_text() + " where month < 2")
    found, _, planned = healed(workspace)
    assert [(f.table.name, f.problem.value) for f in found] == [("stg_rain", "stale")]
    assert "between, which it is built from: between.sql changed" in found[0].detail
    assert isinstance(found[0].seen, Outdated)
    assert (found[0].seen.name, found[0].seen.inherited) == ("between", True)
    assert planned == ["between", "stg_rain"]
    assert workspace.sql("select count(*) from between") == [(1,)]
    edit(workspace, "seeds/rain.csv", "1,0.5", "1,0.75")
    assert healed(workspace)[2] == ["rain", "between", "stg_rain"]


def test_a_build_that_was_killed_is_incomplete(reservoir: Workspace, no_orphans: None) -> None:
    """After SIGKILL in a rebuild the old table still stands, and is not taken for the new one."""
    model = reservoir.root / "dbt" / "models" / "foundation" / "lake_shape.sql"
    original = model.read_text()
    model.write_text("{{ config(materialized='table', tags=['FOUNDATION']) }}\n" + SLOW)
    process = reservoir.python(
        "from orchestrator import create_orchestrator\n"
        "def tell(event):\n"
        "    if type(event).__name__ == 'NodeStarted': print('begun', flush=True)\n"
        "create_orchestrator('config/simulation.yaml', listeners=[tell]).initializer.ensure_initialized()\n"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.kill()
    process.communicate(timeout=GENEROUS)
    reservoir.wait_unlocked()  # its dbt process ends by itself, a moment later
    model.write_text(original)
    found, _, _ = healed(reservoir)
    assert ("lake_shape", "incomplete") in [(f.table.name, f.problem.value) for f in found]
    assert "was being built on 20" in next(f.detail for f in found if f.table.name == "lake_shape")
    assert healed(reservoir)[0] == ()


def test_a_stale_table_with_simulated_years_is_reported(fresh: Fresh) -> None:
    """An incremental foundation table with rows is not rebuilt by itself: the error says what to do."""
    workspace = fresh("reservoir")
    shape = workspace.root / "dbt" / "models" / "foundation" / "lake_shape.sql"
    shape.write_text(shape.read_text().replace("materialized='table'", "materialized='incremental'"))
    workspace.simulate()
    before = workspace.digests()
    edit(workspace, "seeds/lakes.csv", "\n", "\n")
    shape.write_text(shape.read_text() + " -- changed")
    with pytest.raises(InitializationError, match=r"lake_shape is out of date.*not rebuilt") as caught:
        healed(workspace)
    assert "To fix: empty lake_shape (delete from" in str(caught.value)
    assert workspace.digests() == before


def test_an_unknown_table_is_taken_as_it_is(reservoir: Workspace) -> None:
    """What the ledger does not know, such as a table built by dbt's own command line, is not called stale."""
    reservoir.sql("delete from orchestrator.built_tables where node like '%rain'")
    edit(reservoir, "seeds/rain.csv", "1,0.5", "1,0.75")
    assert healed(reservoir)[0] == ()


def test_a_newer_ledger_is_refused(reservoir: Workspace) -> None:
    """A ledger that a newer version wrote is neither read nor changed."""
    reservoir.sql("update orchestrator.ledger_version set version = 99")
    with pytest.raises(DatabaseError, match=r"layout 99.*layouts up to"):
        healed(reservoir)


def test_rows_of_a_watched_source_are_compared(fresh: Fresh) -> None:
    """Rows that others load make what reads them stale where ``meta.watch`` asks for it; untouched, nothing is."""
    workspace = fresh("reservoir")
    models = workspace.root / "dbt" / "models"
    table = "{name: gauges, meta: {watch: content}}"
    (models / "ext.yml").write_text(f"sources: [{{name: ext, schema: main, tables: [{table}]}}]\n")
    total = "(select sum(n) from {{ source('ext', 'gauges') }}) as n"
    edit(workspace, "models/foundation/lake_shape.sql", "select", f"select {total},")
    workspace.database.parent.mkdir(exist_ok=True)
    workspace.sql("create table gauges as select 1 as n")
    healed(workspace)
    assert healed(workspace)[0] == ()
    workspace.sql("update gauges set n = 2")
    found = healed(workspace)[0]
    assert [f.table.name for f in found] == ["lake_shape"]
    assert "rows of source ext.gauges" in found[0].detail
    assert workspace.sql("select distinct n from lake_shape") == [(2,)]
    assert healed(workspace)[0] == ()
