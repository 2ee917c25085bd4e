"""Everything that dbt builds is required, whatever it is called, and what reads it is known."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from tests.integration.test_odd_projects import Odd

pytestmark = pytest.mark.slow

ANNOUNCE = """
{% materialization announce, default %}
  {% call statement('main') %} create or replace table {{ this.schema }}.heard as ({{ sql }}) {% endcall %}
  {{ adapter.commit() }} {{ return({'relations': []}) }}
{% endmaterialization %}
{% materialization kept, default %}
  {% call statement('main') %} create or replace table {{ this }} as ({{ sql }}) {% endcall %}
  {{ adapter.commit() }} {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}
{% macro duckdb__scalar_function_sql(target_relation) %}
create or replace function {{ target_relation }}({{ model.arguments[0].name }}) as ({{ model.compiled_code }})
{% endmacro %}
"""
TWICE = "functions: [{name: twice, arguments: [{name: n, data_type: integer}], returns: {data_type: integer}}]\n"


HARVEST = "select * from {{ ref('harvest') }}"


class Orchard(Odd):
    """A project that grows by models."""

    def model(self, name: str, text: str, materialized: str = "table", more: str = "") -> None:
        """Write a model; ``more`` are further settings."""
        self.write(f"models/{name}.sql", f"{{{{ config(materialized='{materialized}'{more}) }}}} {text}")


@pytest.fixture
def orchard(tmp_path: Path) -> Orchard:
    """A project with one seed."""
    made = Orchard(tmp_path)
    made.write("seeds/harvest.csv", "tree,kg\nplum,3\npear,4\n")
    return made


def problems(orchard: Orchard, exit_code: int) -> dict[str, str]:
    """Return the problem of each table that is not ready, as `check` tells it."""
    told = orchard("check", "--json")
    assert told.exit_code == exit_code, told.err
    tables = told.document()["tables"]
    assert isinstance(tables, list)
    return {table["name"]: f"{table['problem']}: {table['detail']}" for table in tables if table["problem"]}


def test_whatever_a_materialization_is_called(orchard: Orchard) -> None:
    """Functions, macros and own materializations are built, missed when they are gone, and rebuilt with their seed."""
    orchard.write("macros/own.sql", ANNOUNCE)
    orchard.write("functions/twice.sql", "n * 2")
    orchard.write("functions/twice.yml", TWICE)
    orchard.model("doubled", "select sum({{ function('twice') }}(kg)) as kg from {{ ref('harvest') }}")
    orchard.model("heavy", HARVEST + " where kg >= least", "table_function", ", parameters='least'")
    orchard.model("kept_one", "select sum(kg) as kg from {{ ref('harvest') }}", "kept")
    orchard.model("told", "select 1 as a", "announce")
    orchard.model("passing", "select 1 as a", "ephemeral")
    orchard.write("models/off.sql", "{{ config(enabled=false) }} select 1 as a")
    first = orchard("init", "--json").document()
    assert sorted(first["tables_created"]) == ["doubled", "harvest", "heavy", "kept_one", "twice"]  # type: ignore[call-overload]
    checked = orchard("check", "--json").document()
    assert checked["healthy"] is True and checked["required"] == 6
    left = {one["name"]: one["why"] for one in checked["left_out"]}  # type: ignore[attr-defined]
    assert sorted(left) == ["off", "passing", "told"]
    assert "announce" in left["told"] and "ephemeral" in left["passing"]
    assert "Not checked: 3 nodes:" in orchard("check").out
    orchard.sql("drop macro twice", "drop macro table heavy", "drop table kept_one")
    assert sorted(problems(orchard, 3)) == ["heavy", "kept_one", "twice"]
    orchard.write("seeds/harvest.csv", "tree,kg\nplum,3\npear,5\n")
    again = orchard("init", "--json").document()
    assert sorted(again["tables_created"]) == ["heavy", "kept_one", "twice"]  # type: ignore[call-overload]
    assert sorted(again["tables_repaired"]) == ["doubled", "harvest"]  # type: ignore[call-overload]
    assert orchard.sql("select d.kg, k.kg from doubled d, kept_one k") == [(16, 8)]
    assert problems(orchard, 0) == {}


def test_the_files_of_external_models_are_watched(orchard: Orchard) -> None:
    """The file that a configuration names, that the profile's root decides, and one that only a run works out."""
    profile = "odd: {target: dev, outputs: {dev: {type: duckdb, path: odd.duckdb, external_root: out}}}"
    orchard.write("profiles.yml", profile)
    orchard.write("out/other/readme", "")
    orchard.model("by_name", HARVEST, "external", ", location='out/named.csv'")
    orchard.model("by_root", HARVEST, "external")
    orchard.model("parts", HARVEST, "external", ", options={'partition_by': 'tree', 'overwrite': True}")
    orchard.model("by_jinja", HARVEST, "external", ", location=\"out/{{ 'x' ~ 1 }}.json\"")
    orchard.model("after", "select sum(kg) as kg from {{ ref('by_root') }}")
    location = "config: {meta: {external_location: 'out/{name}.csv'}}"
    orchard.write("models/files.yml", f"sources: [{{name: files, tables: [{{name: named, {location}}}]}}]")
    orchard.model("a_reader", "select sum(kg) as kg from {{ source('files', 'named') }}")
    assert orchard("init").exit_code == 0
    assert problems(orchard, 0) == {}
    for file in ("named.csv", "by_root.parquet", "x1.json"):
        (orchard.root / "out" / file).unlink()
    shutil.rmtree(orchard.root / "out" / "parts")
    found = problems(orchard, 3)
    assert sorted(found) == ["by_jinja", "by_name", "by_root", "parts"]
    assert found["by_root"] == f"missing: is there, but its file is not: {orchard.root / 'out' / 'by_root.parquet'}"
    healed = orchard("init", "--json").document()
    assert sorted(healed["tables_repaired"]) == ["by_jinja", "by_name", "by_root", "parts"]  # type: ignore[call-overload]
    orchard.write("seeds/harvest.csv", "tree,kg\nplum,3\n")
    assert "after" in problems(orchard, 3)
    assert orchard("init").exit_code == 0
    assert orchard.sql("select after.kg, a_reader.kg from after, a_reader") == [(3, 3)]


def test_a_file_that_another_database_wrote_is_noticed(orchard: Orchard) -> None:
    """Two databases of a project have one file: what the second wrote is not what the first was built to."""
    path = "{{ env_var('ORCHESTRATOR_DATABASE', 'odd.duckdb') }}"
    orchard.write("profiles.yml", f'odd: {{target: dev, outputs: {{dev: {{type: duckdb, path: "{path}"}}}}}}')
    orchard.model(
        "one", "select kg * {{ var('rate', 2) }} as kg from {{ ref('harvest') }}", "external", ", location='o.csv'"
    )
    parted = ", location='parts', options={'partition_by': 'tree', 'overwrite': True}"
    orchard.model("parts", "select tree, kg * {{ var('rate', 2) }} as kg from {{ ref('harvest') }}", "external", parted)
    here, there = ("--database", "odd.duckdb"), ("--database", "other.duckdb", "--set", "vars.rate=9")
    assert orchard("init", *here).exit_code == 0
    assert orchard("check", *here).exit_code == 0
    assert orchard("init", *there).exit_code == 0
    told = orchard("check", *here)
    assert told.exit_code == 3
    assert "file written by one changed" in told.out and "file written by parts changed" in told.out
    assert orchard("check", *there).exit_code == 0
    assert orchard("init", *here).exit_code == 0
    assert orchard("check", *here).exit_code == 0
    assert sorted((orchard.root / "o.csv").read_text().split()) == ["6", "8", "kg"]


def test_a_source_that_the_project_builds_is_an_edge(orchard: Orchard) -> None:
    """What reads a model as a source is built after it, also through an ephemeral one, and is stale with it."""
    orchard.write("models/own.yml", "sources: [{name: own, schema: main, tables: [{name: z_sum}, {name: elsewhere}]}]")
    orchard.model("z_sum", "select sum(kg) as kg from {{ ref('harvest') }}")
    orchard.model("reads", "select kg + 1 as kg from {{ source('own', 'z_sum') }}")
    orchard.model("passing", "select kg from {{ source('own', 'z_sum') }}", "ephemeral")
    orchard.model("a_last", "select kg + 2 as kg from {{ ref('passing') }}")
    assert orchard("init").exit_code == 0
    orchard.write("seeds/harvest.csv", "tree,kg\nplum,3\n")
    found = problems(orchard, 3)
    assert sorted(found) == ["a_last", "harvest", "reads", "z_sum"]
    assert found["reads"].startswith("stale: is out of date: harvest, which it is built from: harvest.csv changed")
    assert orchard("init").exit_code == 0
    assert orchard.sql("select reads.kg, a_last.kg from reads, a_last") == [(4, 5)]


def test_a_snapshot_goes_on_and_is_never_begun_again(orchard: Orchard) -> None:
    """It takes up what changed upstream; a changed definition is refused while it holds a history."""
    history = (
        "{% snapshot kept %}{{ config(unique_key='tree', strategy='check', check_cols=['kg']) }}"
        "select * from {{ ref('harvest') }} where kg > 0{% endsnapshot %}"
    )
    orchard.write("snapshots/kept.sql", history)
    assert orchard("init").exit_code == 0
    orchard.write("seeds/harvest.csv", "tree,kg\nplum,3\npear,9\n")
    assert sorted(problems(orchard, 3)) == ["harvest", "kept"]
    assert orchard("init").exit_code == 0
    rows = orchard.sql("select tree, kg, dbt_valid_to is null from kept order by all")
    assert rows == [("pear", 4, False), ("pear", 9, True), ("plum", 3, True)]
    orchard.write("snapshots/kept.sql", history.replace("kg > 0", "kg > 5"))
    checked = orchard("check")
    assert checked.exit_code == 3 and "holds a history that cannot be built again" in checked.out
    assert orchard("init").exit_code == 1
    assert orchard.sql("select tree, kg, dbt_valid_to is null from kept order by all") == rows
    orchard.sql('alter table kept rename to "kept_until_now"')
    assert orchard("init").exit_code == 0
    assert orchard.sql("select tree from kept") == [("pear",)]


def test_without_years_no_model_is_yearly(orchard: Orchard) -> None:
    """A variable with a computed name, and a tag of simulations, leave nothing out."""
    table = "{{ config(materialized='table', tags=['FOUNDATION']) }} "
    orchard.write("models/limit.sql", table + "{% set of = 'kg' %} select {{ var(of ~ '_limit', 3) }} as n")
    orchard.write("models/below.sql", "select n from {{ ref('limit') }}")
    assert orchard("init").exit_code == 0
    checked = orchard("check", "--json").document()
    assert (checked["required"], checked["left_out"]) == (3, [])


def test_what_the_profile_attaches_is_looked_at(orchard: Orchard) -> None:
    """A file is attached for the look; what only dbt reaches is built by dbt and named as not looked at."""
    orchard.write(
        "profiles.yml",
        "odd: {target: dev, outputs: {dev: {type: duckdb, path: odd.duckdb, attach: ["
        "{path: shop.duckdb, alias: shop}, {path: ':memory:', alias: vault}]}}}",
    )
    orchard.model("priced", HARVEST, more=", database='shop'")
    assert orchard("init").exit_code == 0
    assert problems(orchard, 0) == {}
    with duckdb.connect(str(orchard.root / "shop.duckdb")) as shop:
        assert shop.execute("select count(*) from priced").fetchall() == [(2,)]
        shop.execute("drop table priced")
    assert problems(orchard, 3) == {"priced": "missing: does not exist"}
    orchard.model("secret", "select 1 as a", more=", database='vault'")
    assert orchard("init").exit_code == 0
    left = orchard("check", "--json").document()["left_out"]
    assert [one["name"] for one in left] == ["secret"] and "vault" in left[0]["why"]  # type: ignore[attr-defined, index]


def test_years_in_an_attached_database_are_simulated_again(orchard: Orchard) -> None:
    """What is removed there, and what the ledger says of it, are two transactions: DuckDB writes one file in one."""
    orchard.write(
        "profiles.yml",
        "odd: {target: dev, outputs: {dev: {type: duckdb, path: odd.duckdb, attach: ["
        "{path: shop.duckdb, alias: shop}]}}}",
    )
    orchard.years()
    orchard.model("sold", "select {{ var('y') }} as year, 5 as n", "incremental", ", tags=['S'], database='shop'")
    orchard.model("total", "select year, n from {{ ref('sold') }}", "table", ", tags=['S']")
    assert orchard("simulate").exit_code == 0
    whole = orchard.sql("from total order by year")
    for change in ("update sold set n = 9 where year = 2001", "delete from sold where year = 2000"):
        with duckdb.connect(str(orchard.root / "shop.duckdb")) as shop:
            shop.execute(change)
        told = orchard("simulate")
        assert told.exit_code == 0, told.err
        with duckdb.connect(str(orchard.root / "shop.duckdb")) as shop:
            assert shop.execute("from sold order by year").fetchall() == whole == [(2000, 5), (2001, 5)]
    model = orchard.root / "models" / "sold.sql"
    model.write_text(model.read_text().replace("5 as n", "6 as n"))
    assert orchard("simulate").exit_code == 0
    assert orchard.sql("from total order by year") == [(2000, 6), (2001, 6)]
