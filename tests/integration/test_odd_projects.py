"""Projects as strangers have them: names, shapes and settings that the shipped one has not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.cli_project import Cli

pytestmark = pytest.mark.slow

PROJECT = """
name: odd
version: "1.0"
profile: odd
flags: {send_anonymous_usage_stats: false}
"""
PROFILE = "odd: {target: dev, outputs: {dev: {type: duckdb, path: PATH}}}\n"
YEARS = """
simulation: {start_year: 2000, end_year: 2001, year_var: y, year_column: COLUMN}
dbt: {project_dir: .}
stages: [{name: s, select: "tag:S"}]
"""


class Odd(Cli):
    """A dbt project made file by file, with the smallest configuration there is."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, root / "odd.duckdb")
        self.write("dbt_project.yml", PROJECT)
        self.write("profiles.yml", PROFILE.replace("PATH", "odd.duckdb"))
        self.write("config/simulation.yaml", "dbt: {project_dir: .}\n")

    def write(self, file: str, text: str) -> None:
        """Write a file of the project."""
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def years(self, column: str = "year") -> None:
        """Make it a simulation of two years with one stage, tag:S."""
        self.write("config/simulation.yaml", YEARS.replace("COLUMN", column))


@pytest.fixture
def odd(tmp_path: Path) -> Odd:
    """An empty project in a folder with a space and a quote."""
    root = tmp_path / "the odd one's"
    root.mkdir()
    return Odd(root)


def test_dates_and_numbers_as_keys(odd: Odd) -> None:
    """YAML makes dates and whole numbers of what looks like them; dbt takes both, also in a parse that was kept."""
    odd.write("models/m.sql", "{{ config(tags=['S']) }} select {{ var('y') }} as year, 1 as id")
    odd.write(
        "models/batch.sql",
        "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='day', batch_size='year',"
        " begin='2026-01-01') }} select {{ var('y') }} as year, date '2026-05-01' as day",
    )
    odd.write(
        "models/m.yml",
        "models: [{name: m, deprecation_date: 2020-01-01, "
        " config: {meta: {since: 2024-01-01, of: {1: {2: x}, later: y, 2025-01-01: z}}},"
        " columns: [{name: id, data_tests: [{limits: {arguments: {by_year: {2000: 5, 2001: 6}}}}]}]}]",
    )
    odd.write(
        "macros/limits.sql",
        "{% test limits(model, column_name, by_year) %}"
        "select 1 from {{ model }} where {{ column_name }} > {{ by_year[var('y')] }}{% endtest %}",
    )
    odd.write(
        "config/simulation.yaml",
        YEARS.replace("COLUMN", "year").replace('"tag:S"}', '"tag:S"}, {name: t, select: "m", command: test}'),
    )
    for _ in range(2):
        assert odd("simulate").exit_code == 0
    assert odd("check").exit_code == 0


def test_odd_names_and_shapes_are_healed(odd: Odd) -> None:
    """Folders with spaces, commas, dots, versions, snapshots and headers that dbt renames are healed once."""
    odd.write("seeds/sub dir/x.csv", "a\n1\n")
    odd.write("seeds/comma,x.csv", "a\n1\n")
    odd.write("seeds/a.b.csv", "a\n1\n")
    odd.write("seeds/spaced.csv", "id , v\n1,2\n")
    odd.write("seeds/trailing.csv", "id,v,\n1,2,\n")
    odd.write("seeds/double.csv", "id,id\n1,2\n")
    odd.write("seeds/late.csv", "\nid,w\n1,2\n")
    odd.write("seeds/caps.csv", "id\n1\n")
    odd.write("seeds/s.yml", "seeds: [{name: caps, config: {column_types: {ID: varchar}}}]\n")
    odd.write("models/dim_v1.sql", "select 1 as a")
    odd.write("models/dim_v2.sql", "select 2 as a")
    odd.write("models/m.yml", "models: [{name: dim, latest_version: 2, versions: [{v: 1}, {v: 2}]}]\n")
    odd.write(
        "snapshots/snap.sql",
        "{% snapshot snap %}{{ config(unique_key='a', strategy='check', check_cols=['a']) }}"
        "select * from {{ ref('x') }}{% endsnapshot %}",
    )
    odd.write("models/reads_snap.sql", "{{ config(materialized='table') }} select a from {{ ref('snap') }}")
    told = odd("init", "--json")
    assert told.exit_code == 0, told.err
    checked = odd("check", "--json")
    assert checked.exit_code == 0, checked.out
    tables = checked.document()["tables"]
    assert isinstance(tables, list)
    assert {"dim.v1", "dim.v2", "a.b", "reads_snap"} <= {table["name"] for table in tables}
    assert odd.sql("select a from dim_v2") == [(2,)]
    odd.sql('drop table "a.b"', "drop view dim_v1")
    again = odd("init", "--json")
    assert sorted(json.loads(again.out)["tables_created"]) == ["a.b", "dim_v1"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "The file is empty; its first line must name the columns."),
        ("id,name,price\n1,a,2\n2,b\n3,c,4\n", "Line 3 has 2 fields, and the header has 3."),
    ],
    ids=["empty", "short row"],
)
def test_what_is_wrong_with_a_seed_is_said_in_a_sentence(odd: Odd, text: str, says: str) -> None:
    """Not by DuckDB's list of all that it tried, nor by an exception of dbt's."""
    odd.write("seeds/x.csv", text)
    told = odd("init")
    assert told.exit_code == 1
    assert says in told.err
    assert len(told.err) < 600


def test_a_doubled_column_of_a_seed_is_drift(odd: Odd) -> None:
    """Dbt gives it a name of its own, which the table must have."""
    odd.write("seeds/x.csv", "id,v\n1,2\n")
    assert odd("init").exit_code == 0
    odd.write("seeds/x.csv", "id,id\n1,2\n")
    assert odd("init").exit_code == 0
    assert odd.sql("select id, id_2 from x") == [(1, 2)]
    assert odd("check").exit_code == 0


def test_a_database_in_memory_is_refused(odd: Odd) -> None:
    """What would be built there is gone with the dbt process."""
    odd.write("profiles.yml", PROFILE.replace("PATH", '":memory:"'))
    odd.write("seeds/x.csv", "a\n1\n")
    told = odd("init")
    assert told.exit_code == 2
    assert "uses an in-memory database" in told.err
    assert "To fix:" in told.err


def simulating(odd: Odd, path: str) -> None:
    """Make a simulation with a seed and a carried-over model, whose profile has ``path``."""
    odd.years()
    odd.write("profiles.yml", PROFILE.replace("PATH", path))
    odd.write("seeds/x.csv", "a\n1\n")
    model = "{{ config(materialized='incremental', tags=['S']) }} select {{ var('y') }} as year, 1 as a"
    odd.write("models/m.sql", model)


def test_the_name_of_a_database_file(odd: Odd) -> None:
    """Dots, spaces and links: every command looks into the same database as dbt."""
    simulating(odd, "\"{{ env_var('ORCHESTRATOR_DATABASE') }}\"")
    (odd.root / "alias.duckdb").symlink_to("real.duckdb")
    for name in ("sim.v2.duckdb", "alias.duckdb", "two words?.db"):
        assert odd("simulate", "--database", name).exit_code == 0
        checked = odd("check", "--json", "--database", name)
        assert checked.exit_code == 0, checked.out
        went_on = odd("simulate", "2001", "--database", name)
        assert went_on.exit_code == 0, went_on.err
    (odd.root / "alias.duckdb").unlink()
    (odd.root / "alias.duckdb").symlink_to("other.duckdb")
    assert odd("init", "--json", "--database", "alias.duckdb").document()["tables_created"] == ["x"]
    assert (odd.root / "other.duckdb").exists()


def test_a_database_that_cannot_work_is_refused_before_anything_is_written(odd: Odd) -> None:
    """Every command ends with 2, and leaves no file."""
    simulating(odd, "\"{{ env_var('ORCHESTRATOR_DATABASE') }}\"")
    before = sorted(odd.root.rglob("*"))
    for words in ("simulate", "check", "init --recreate -y", "plan", "doctor", "backup create"):
        told = odd(*words.split(), "--database", "main.duckdb")
        assert told.exit_code == 2, told
        assert "To fix: choose another name" in told.err
    told = odd("simulate", "--database", ":memory:")
    assert told.exit_code == 2
    assert "database is ':memory:', which is not a file" in told.err
    assert sorted(odd.root.rglob("*")) == before


def test_a_profile_whose_database_dbt_cannot_name_is_refused(odd: Odd) -> None:
    """A remedy names the file that a link leads to, and it works."""
    simulating(odd, "alias.duckdb")
    (odd.root / "alias.duckdb").symlink_to("real.duckdb")
    told = odd("simulate")
    assert told.exit_code == 2
    assert "To fix: write `path:" in told.err
    assert not (odd.root / "real.duckdb").exists()
    odd.write("profiles.yml", PROFILE.replace("PATH", f'"{odd.root / "real.duckdb"}"'))
    assert odd("simulate").exit_code == 0
    odd.write("profiles.yml", PROFILE.replace("PATH", "temp.duckdb"))
    told = odd("check")
    assert told.exit_code == 2
    assert "choose another name" in told.err.replace("\n", " ")


def test_a_view_that_becomes_incremental(odd: Odd) -> None:
    """A view holds no rows, so it is dropped for the table that is wanted, also where it can no longer be read."""
    simulating(odd, "odd.duckdb")
    odd.write("models/f.sql", "{{ config(tags=['FOUNDATION']) }} select a from {{ ref('x') }}")
    odd.write("models/m.sql", "{{ config(tags=['S']) }} select {{ var('y') }} as year, a from {{ ref('x') }}")
    assert odd("simulate").exit_code == 0
    odd.sql("alter table x rename a to c")
    into_table = "{{ config(materialized='incremental', "
    for model in ("f", "m"):
        path = odd.root / "models" / f"{model}.sql"
        path.write_text(path.read_text().replace("{{ config(", into_table))
    healed = odd("init", "--json")
    assert healed.exit_code == 0, healed.err
    assert healed.document()["tables_created"] == ["f"]
    told = odd("simulate")
    assert told.exit_code == 0, told.err
    assert odd.sql("select year, a from m order by year") == [(2000, 1), (2001, 1)]


@pytest.mark.parametrize(
    ("year", "says"),
    [
        ("{{ var('y') }} as yeer", "no column year (the nearest is yeer)"),
        ("{{ var('y') }} = 2000 as year", "its column year is BOOLEAN, which holds no year"),
    ],
)
def test_a_year_that_could_not_be_taken_out_again_is_refused(odd: Odd, year: str, says: str) -> None:
    """A model that appends needs the year in a column: else a second run would double its rows."""
    odd.years()
    odd.write("models/m.sql", "{{ config(materialized='incremental', tags=['S']) }} select " + year)
    for _ in range(2):
        told = odd("simulate")
        assert told.exit_code == 2, told
        assert says in told.err.replace("\n", " ")
        assert "To fix:" in told.err


def test_tables_of_years_are_not_made_up_by_healing(odd: Odd) -> None:
    """Without tags, what reads the year is built by the stages alone; a lost one is no reason to invent a year."""
    odd.years()
    odd.write("seeds/x.csv", "a\n1\n")
    odd.write("models/plain.sql", "select * from {{ ref('x') }}")
    odd.write(
        "models/ev.sql",
        "{{ config(materialized='incremental', tags=['S']) }} select {{ var('y') }} as year, a from {{ ref('plain') }}",
    )
    odd.write("models/total.sql", "{{ config(materialized='table') }} select count(*) as n from {{ ref('ev') }}")
    assert odd("simulate").exit_code == 0
    tables = odd("check", "--json").document()["tables"]
    assert isinstance(tables, list)
    assert [table["name"] for table in tables] == ["x", "plain"]
    odd.sql("drop table ev")
    assert odd("init", "--json").document()["tables_created"] == []


def test_a_unit_test_that_fails_shows_its_differences(odd: Odd) -> None:
    """dbt's own table of what was expected and what came is the message."""
    odd.years()
    odd.write("models/one.sql", "{{ config(tags=['S']) }} select {{ var('y') }} as year, 1 as a")
    odd.write(
        "models/u.yml",
        "unit_tests: [{name: ut, model: one, given: [], expect: {rows: [{a: 2}]}, config: {tags: [T]}}]\n",
    )
    odd.write(
        "config/simulation.yaml",
        YEARS.replace("COLUMN", "year").replace('"tag:S"}', '"tag:S"}, {name: t, select: "ut", command: test}'),
    )
    told = odd("simulate")
    assert told.exit_code == 1, told
    assert "Test ut" in told.err
    assert "expected" in told.err.lower()
    assert "None failing rows" not in told.err
    assert '"ut"' in odd("plan", "--json").out


def test_a_step_may_be_a_quarter(odd: Odd) -> None:
    """Quarters are whole numbers, and a macro says what they mean: as your-own-project.md has it."""
    odd.write(
        "config/simulation.yaml",
        "simulation: {start_year: 8106, end_year: 8109, year_var: period, year_column: period}\n"
        "dbt: {project_dir: .}\nstages: [{name: s, select: 'tag:S'}]\n",
    )
    odd.write("macros/quarter.sql", "{% macro quarter(period) %}{{ period // 4 }}-Q{{ period % 4 + 1 }}{% endmacro %}")
    odd.write(
        "models/m.sql",
        "{{ config(materialized='incremental', incremental_strategy='append', tags=['S']) }} "
        "select {{ var('period') }} as period, '{{ quarter(var('period')) }}' as quarter, "
        "{% if is_incremental() %}(select sum(stock) from {{ this }} where period = {{ var('period') }} - 1) + 1"
        "{% else %}1{% endif %} as stock",
    )
    for again in ((), ("--fresh",)):
        told = odd("simulate", *again)
        assert told.exit_code == 0, told.err
        assert odd.sql("select quarter, stock::int from m order by period") == [
            ("2026-Q3", 1),
            ("2026-Q4", 2),
            ("2027-Q1", 3),
            ("2027-Q2", 4),
        ]


def test_a_hook_that_fails_before_any_node_has_a_remedy(odd: Odd) -> None:
    """dbt tells neither its name nor its file; what is said in the macro that it calls is told."""
    odd.write("dbt_project.yml", PROJECT + "\non-run-start: ['{{ begin() }}']\n")
    odd.write(
        "macros/m.sql", "{% macro begin() %}{% if execute %}{% do run_query('from nowhere') %}{% endif %}{% endmacro %}"
    )
    odd.write("models/m.sql", "select 1 as a")
    told = odd("init")
    assert told.exit_code == 1
    assert "failed before its first node: Catalog Error: Table with name nowhere does not exist!" in told.err
    assert "To fix: correct the hooks under `on-run-start` in dbt_project.yml, or the macros that they call" in told.err


def test_a_pipe_in_the_project_is_not_waited_for(odd: Odd) -> None:
    """It is named; dbt would open it, and wait for somebody to write."""
    odd.write("models/m.sql", "select 1 as a")
    os.mkfifo(odd.root / "models" / "f.sql")
    told = odd("check")
    assert told.exit_code == 2
    assert "models/f.sql is a named pipe, not a file" in told.err and "To fix: move it out" in told.err
