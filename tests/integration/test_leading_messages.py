"""Messages that lead to the file, the table or the command that is at fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator import DatabaseLockedError, YearsWouldBeLostError
from orchestrator.config.simulation import SimulationConfig
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.storage.factory import create_storage_backend
from tests.support.cli_project import Cli
from tests.support.written import Written

pytestmark = pytest.mark.slow

TABLE = "{{ config(materialized='table') }} select "
YEARS = """\
simulation: {start_year: 2000, end_year: 2001, year_var: year, year_column: year}
stages: [{name: flour, select: flour}]
"""
FLOUR = "{{ config(materialized='incremental') }} select {{ var('year') }} as year"


def cli(mill: Written) -> Cli:
    """Return the command line in a project."""
    return Cli(mill.root, mill.database)


def test_a_model_of_a_package(tmp_path: Path) -> None:
    """A package that is not installed leads to `dbt deps`; a model of it that fails is named by its own file."""
    mill = Written(tmp_path / "mill", "", {"models/flour.sql": TABLE + "* from {{ ref('kernel') }}"})
    grain = tmp_path / "grain"
    (grain / "models").mkdir(parents=True)
    (grain / "dbt_project.yml").write_text("{name: grain, version: '1.0'}")
    (grain / "models/kernel.sql").write_text("select nope")
    mill.write("packages.yml", "packages: [{local: ../grain}]")
    told = cli(mill)("init", "--json").error()
    assert "packages of the dbt project" in told["message"] and "not installed" in told["message"]
    assert told["to_fix"] == f"run `dbt deps` in {mill.root}"
    (mill.root / "dbt_packages").mkdir()
    (mill.root / "dbt_packages/grain").symlink_to(grain)
    mill.write("package-lock.yml", "packages: [{local: ../grain}]\nsha1_hash: 0\n")
    failed = cli(mill)("init", "--json").error()
    file = mill.root / "dbt_packages/grain/models/kernel.sql"
    assert f"Model kernel ({file}) failed: Binder Error" in failed["message"]
    assert failed["to_fix"] == f"correct {file} and run again" and file.exists()


def test_what_is_not_there(tmp_path: Path) -> None:
    """A source that nobody has loaded is named with its schema, whichever model reads it."""
    mill = Written(tmp_path / "mill", "", {"models/flour.sql": TABLE + "* from {{ source('shop', 'fields') }}"})
    mill.write("models/shop.yml", "sources: [{name: shop, schema: raw, tables: [{name: fields}]}]")
    told = cli(mill)("init", "--json").error()
    place = "schema raw of database mill"
    assert f"reads source shop.fields (models/shop.yml), and there is no table fields in {place}" in told["message"]
    assert told["to_fix"].startswith(f"load fields into {place}, or correct database, schema and identifier")
    mill.sql("create schema raw")
    assert "there is no table fields in schema raw" in cli(mill)("init", "--json").error()["message"]
    mill.sql("create table raw.fields as select 1 as field")
    assert cli(mill)("init").exit_code == 0


def test_several_that_fail_are_all_named(tmp_path: Path) -> None:
    """The first few with what the database says, the others by name; the remedy has every file."""
    files = {f"models/m{number}.sql": TABLE + f"nope{number}" for number in range(7)}
    mill = Written(tmp_path / "mill", "", files)
    told = cli(mill)("init", "--json").error()
    assert all(f'"nope{number}" was not found' in told["message"] for number in range(5))
    assert "2 more failed: m5, m6." in told["message"]
    assert all(f"m{number}.sql" in told["to_fix"] for number in range(5))


def test_a_version_that_fails(tmp_path: Path) -> None:
    """It is named by its alias: both versions have the same name."""
    versions = "models: [{name: grist, latest_version: 2, versions: [{v: 1}, {v: 2, config: {alias: grist_now}}]}]"
    files = {"models/grist_v1.sql": TABLE + "nope", "models/grist_v2.sql": TABLE + "nope", "models/m.yml": versions}
    message = cli(Written(tmp_path / "mill", "", files))("init", "--json").error()["message"]
    assert "Model grist_v1 (" in message and "Model grist_now (" in message


def test_the_database_of_the_profile(tmp_path: Path) -> None:
    """Where the configuration names no file, init and plan say which one the profile means."""
    mill = Written(tmp_path / "mill", YEARS, {"models/flour.sql": FLOUR})
    mill.configure("database: var/mill.duckdb\n", "")
    command = cli(mill)
    assert command("plan", "2000", "--json").document()["database"] == str(mill.database)
    initialized = command("init")
    assert "Initializing var/mill.duckdb" in initialized.out, initialized.out
    assert command("init", "--json").document()["database"] == str(mill.database)


def test_a_run_that_does_not_begin_has_not_failed(tmp_path: Path) -> None:
    """Somebody else has the database, or years would be lost: the history says that the run was refused."""
    mill = Written(tmp_path / "mill", YEARS, {"models/flour.sql": FLOUR})
    mill.simulate()
    with (
        mill.orchestrator(overrides={"self_healing.lock_timeout_seconds": 0}) as orchestrator,
        DatabaseMutex(mill.database, run_id="another").held(),
        pytest.raises(DatabaseLockedError),
    ):
        orchestrator.execute_multi_year_simulation(fresh=True)
    with mill.orchestrator() as orchestrator, pytest.raises(YearsWouldBeLostError):
        orchestrator.execute_multi_year_simulation(2000, 2000, fresh=True)
    with create_storage_backend(SimulationConfig.load(mill.config)) as history:
        assert [run.status for run in history.runs.list_runs()] == ["refused", "refused", "completed"]
    told = json.loads(cli(mill)("runs", "list", "--status", "refused", "--json").out)
    assert len(told["runs"]) == 2
