"""Required tables that a function of the user's builds: checked like others, built in their turn."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator import ConfigurationError, InitializationError
from tests.support.cli_project import Cli
from tests.support.workspaces import state_notes
from tests.support.written import Written

pytestmark = pytest.mark.slow

CONFIG = """\
simulation: {start_year: 2000, end_year: 2001, year_var: year, year_column: year}
required_tables: [{name: registry, tier: hook, call: "mill_tables:registry", min_rows: 1}]
stages: [{name: flour, select: flour}]
"""
BUILDS = '''
def registry(context):
    """Build the registry of mills, by the connection of the run."""
    rows = context.query("select max(id) from mills")
    context.execute(f"create or replace table registry as select unnest(range({rows[0][0]})) as mill")
'''
BY_ITSELF = '''
import duckdb

def registry(context):
    """Build the registry of mills in the file itself."""
    with duckdb.connect(str(context.database)) as connection:
        connection.execute("create or replace table registry as select 7 as mill")
'''
FILES = {
    "mill_tables.py": BUILDS,
    "seeds/mills.csv": "id\n1\n2\n",
    "models/sources.yml": "sources: [{name: tables, schema: main, tables: [{name: registry}]}]",
    "models/wide.sql": "{{ config(materialized='table', tags=['FOUNDATION']) }} "
    "select mill * 10 as mill from {{ source('tables', 'registry') }}",
    "models/apart.sql": "{{ config(materialized='table', tags=['FOUNDATION']) }} select 1 as a",
    "models/flour.sql": "{{ config(materialized='incremental') }} "
    "select {{ var('year') }} as year, mill from {{ ref('wide') }}",
}


@pytest.fixture
def mill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """A simulation whose foundation reads a table that a function builds; no earlier test's function is known."""
    monkeypatch.delitem(sys.modules, "mill_tables", raising=False)
    return Written(tmp_path, CONFIG, FILES)


def ready(mill: Written) -> list[str]:
    """Return the names of the required tables that are not ready."""
    with mill.orchestrator() as orchestrator:
        return [finding.table.name for finding in orchestrator.initializer.checker().findings()]


def test_its_function_is_part_of_what_years_were_made_of(mill: Written) -> None:
    """A comparison finds nothing that has changed where a run finds nothing to do, and names what has."""
    mill.write(
        "models/total.sql",
        "{{ config(materialized='table', meta={'summary': true}) }} "
        "select year, sum(mill) as ground from {{ ref('flour') }} group by 1",
    )
    mill.write("models/total.yml", "models: [{name: total, columns: [{name: ground, meta: {label: Ground}}]}]")
    mill.configure("select: flour}", "select: flour total}")
    mill.simulate()
    assert state_notes(mill) == ()
    mill.write("mill_tables.py", BUILDS.replace("range(", "range(1 + "))
    assert "mill_tables:registry" in " ".join(state_notes(mill))


def test_it_is_built_between_seeds_and_foundation(mill: Written) -> None:
    """The function finds the seeds, the foundation finds its table, and a run begins by itself."""
    cli = Cli(mill.root, mill.database)
    assert ready(mill) == ["mills", "registry", "apart", "wide"]
    planned = cli("plan", "--json").document()["healing"]
    assert isinstance(planned, list)
    assert [step["step"] for step in planned] == ["load_seeds", "build_hook_tables", "build_foundation"]
    assert planned[1] == {"step": "build_hook_tables", "command": "call mill_tables:registry", "nodes": ["registry"]}
    told = cli("simulate")
    assert told.exit_code == 0, told.err
    assert mill.sql("select year, mill from flour order by all") == [(2000, 0), (2000, 10), (2001, 0), (2001, 10)]
    assert "tables.registry" not in told.out  # others do not load it
    looked = cli("doctor")
    assert looked.exit_code == 0 and "tables.registry" not in looked.out
    assert "✓ hook        registry" in cli("check").out
    mill.sql("drop table registry")
    assert "registry  missing: does not exist" in " ".join(cli("check").out.split("hook")[1:]).replace("  ", " ", 1)
    healed = cli("init", "--json").document()
    assert (healed["tables_created"], healed["tables_repaired"]) == (["registry"], ["wide"])


def test_a_change_of_the_function_or_of_a_variable(mill: Written) -> None:
    """Its table is out of date, with what is built from it; a run begins at the first year again."""
    mill.simulate()
    mill.write("mill_tables.py", BY_ITSELF)
    assert ready(mill) == ["registry", "wide"]
    mill.simulate()
    assert mill.sql("select distinct mill from flour") == [(70,)]
    with mill.orchestrator(overrides={"simulation.random_seed": 7}) as orchestrator:
        orchestrator.runner.facts()
        found = orchestrator.initializer.checker().findings()
    assert [finding.table.name for finding in found] == ["registry", "wide"]


def test_a_function_that_gives_other_rows(mill: Written) -> None:
    """What reads its table is built again with it, and years that have read other rows begin anew."""
    of_a_file = BUILDS.replace(
        "range({rows[0][0]})", "range((select id from read_csv('{context.database.parent}/n.csv')))"
    )
    mill.write("mill_tables.py", of_a_file)
    (mill.database.parent).mkdir(parents=True, exist_ok=True)
    number = mill.database.parent / "n.csv"
    number.write_text("id\n3\n")
    mill.simulate()
    number.write_text("id\n1\n")
    assert ready(mill) == []
    mill.sql("drop table registry")
    mill.simulate()
    assert mill.sql("select year, count(*) from flour group by 1 order by 1") == [(2000, 1), (2001, 1)]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("raise ValueError('no mill')", "function mill_tables:registry raised ValueError: no mill"),
        ("pass", r'function mill_tables:registry returned, and there is no table ".*"."main"."registry"'),
        (
            "context.execute('create or replace table registry as select 1 as mill limit 0')",
            "returned, and .* has 0 rows, of 1 row at least",
        ),
        ("context.execute('select nope')", 'raised .*Referenced column "nope" was not found'),
    ],
)
def test_a_function_that_does_not_build_it(mill: Written, body: str, says: str) -> None:
    """Each way is told by itself; what is not built from it is built, and the next repair calls it again."""
    mill.write("mill_tables.py", f"def registry(context):\n    {body}\n")
    with mill.orchestrator() as orchestrator, pytest.raises(InitializationError, match=says) as caught:
        orchestrator.initializer.ensure_initialized()
    assert caught.value.step == "build_hook_tables" and caught.value.to_fix is not None
    assert {"apart", "mills"} <= mill.tables() and "wide" not in mill.tables()
    mill.write("mill_tables.py", BUILDS)
    assert ready(mill) == ["registry", "wide"]
    mill.simulate()
    assert ready(mill) == []


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("name: registry", "name: registr", "no source of that name is in .*; the nearest is registry"),
        ("name: registry", "name: apart", "no source of that name"),
        ("name: registry", "name: main.apart", r"model apart \(models/apart.sql\) builds it"),
        ("mill_tables:registry", "mill_tables:registri", r"mill_tables has no 'registri'. Did you mean 'registry'"),
        ("mill_tables:registry", "mill_tabels:registry", "there is no module 'mill_tabels'"),
        ("tier: hook", "tier: seed", r"required_tables\[0\].call is given, but the table is of tier seed"),
        (', call: "mill_tables:registry"', "", r"required_tables\[0\].call is missing"),
    ],
)
def test_a_table_that_cannot_be_meant(mill: Written, before: str, after: str, says: str) -> None:
    """A name without source, a function that is not there, a tier that does not fit: named, and nothing is run."""
    mill.configure(before, after)
    with pytest.raises(ConfigurationError, match=says), mill.orchestrator() as orchestrator:
        orchestrator.initializer.ensure_initialized()
    assert not mill.database.exists()
    assert Cli(mill.root, mill.database)("check").exit_code == 2


LOADS = '''
def load(context):
    """Load what the project reads and does not build, once."""
    context.execute("create schema if not exists raw")
    context.execute("create table if not exists raw.fields as select 3 as field")
    context.execute("create table if not exists raw.calls (year integer)")
    context.execute(f"insert into raw.calls values ({context.year or 0})")

def fails(context):
    """Find nothing to load."""
    raise FileNotFoundError("fields.csv")
'''


def test_hooks_before_healing(mill: Written) -> None:
    """They load what the foundation reads, for a run as for init, before anything is checked; a failure stops both."""
    mill.write("mill_loads.py", LOADS)
    mill.write("models/raw.yml", "sources: [{name: raw, tables: [{name: fields}]}]")
    text = "{{ config(materialized='table', tags=['FOUNDATION']) }} select field from {{ source('raw', 'fields') }}"
    mill.write("models/apart.sql", text)
    mill.config.write_text(mill.config.read_text() + "hooks: [{type: pre_initialization, call: 'mill_loads:load'}]\n")
    cli = Cli(mill.root, mill.database)
    told = cli("init", "--json")
    assert told.exit_code == 0, told.err
    assert mill.sql("from apart") == [(3,)]
    mill.database.unlink()
    told = cli("simulate")
    assert told.exit_code == 0, told.err
    again = cli("simulate", "--json")
    assert again.document()["nothing_to_do"] is True
    assert mill.sql("select count(*) from raw.calls") == [(2,)]
    mill.configure("mill_loads:load", "mill_loads:fails")
    for command in ("init", "simulate"):
        failed = cli(command, "--fresh") if command == "simulate" else cli(command)
        assert failed.exit_code == 1
        assert "pre_initialization hook 'mill_loads:fails' stopped the run. FileNotFoundError" in failed.err, failed.err
