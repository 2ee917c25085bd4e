"""Sweeps from the command line and from a program, with real workers."""

from __future__ import annotations

import json
import os
import shutil

import duckdb
import pytest

from orchestrator.scenarios.told import SweepTold
from tests.support.programs import run_python
from tests.support.workspaces import REPOSITORY
from tests.sweeps.conftest import VARY, Swept, document

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def rows(file: object, table: str = "lake_level") -> list[tuple[object, ...]]:
    """Return the rows of a table of a database."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(f"select * from {table} order by all").fetchall()


def test_members_have_the_rows_of_simulations_alone(swept: Swept) -> None:
    """Their own ledgers say so, too; and a second call finds nothing to do."""
    told = swept("sweep", "run", "--name", "s", *VARY, "--workers", "2", "--json", cold=True)
    assert "leaked" not in told.err  # what modules in C++ say at the end of a process
    first = document(told)
    assert (first["status"], first["kept"], first["counts"]) == ("done", 0, {"done": 2})
    for member in swept.plan().members:
        alone = swept.root / "var" / "alone.duckdb"
        alone.unlink(missing_ok=True)
        told = swept(
            "simulate", "--set", f"vars.rain_factor={member.values['vars.rain_factor']}", "--database", str(alone)
        )
        assert told.exit_code == 0, told.err
        assert rows(alone) == rows(swept.folder.member(member.key).database)
        again = swept(
            "simulate",
            "--set",
            f"vars.rain_factor={member.values['vars.rain_factor']}",
            "--database",
            str(swept.folder.member(member.key).database),
        )
        assert "Nothing to do" in again.out
    took = SweepTold.read(swept.folder)
    listed = swept("runs", "list", "--json").document()["sweeps"]
    kept = document(swept.sweep(*VARY, "--json"))
    assert (kept["counts"], kept["kept"]) == ({"done": 2}, 2)
    assert swept("runs", "list", "--json").document()["sweeps"] == listed  # the time that its members took
    assert SweepTold.read(swept.folder) == took


def test_a_changed_plan_and_changed_inputs_cost_what_they_reach(swept: Swept) -> None:
    """Members of both plans are kept, others are asked for; an edited seed is noticed; the history knows all of it."""
    assert swept.sweep(*VARY, "--workers", "1").exit_code == 0
    more = swept.sweep("--vary", "rain_factor=2,3", "--workers", "1")
    assert more.exit_code == 2 and "removes them: baseline-rain_factor=1" in more.err
    assert len(swept.plan().members) == 2
    more = swept.sweep("--vary", "rain_factor=2,3", "--workers", "1", "--yes")
    assert more.exit_code == 0 and "3 of" not in more.out
    assert swept.results("select distinct rain_factor from lake_level order by 1") == [(2,), (3,)]
    seed = swept.root / "dbt" / "seeds" / "rain.csv"
    seed.write_text(seed.read_text() + "13,1\n")
    before = swept.results("select sum(level) from lake_level")
    expected = swept.sweep("--vary", "rain_factor=2,3", "--dry-run").out
    assert "to run    2 members (2 of them again: something has changed); 0 are done and unchanged" in expected
    changed = swept.sweep("--vary", "rain_factor=2,3", "--workers", "1")
    assert changed.exit_code == 0, changed.err
    assert "Sweep s · 2 members, 2 to be run again: something has changed" in changed.out
    assert swept.results("select sum(level) from lake_level") != before
    listed = swept("runs", "list", "--json").document()
    assert isinstance(listed["sweeps"], list) and [one["name"] for one in listed["sweeps"]] == ["s"]
    fewer = swept.sweep("--vary", "rain_factor=3", "--yes")
    assert "removed   1 member that this command does not name" in fewer.out and "Nothing was run" in fewer.out
    members = swept("runs", "list", "--sweep", "s", "--json").document()["runs"]
    assert isinstance(members, list) and {one["sweep"] for one in members} == {"s"}


def test_what_is_no_longer_kept_is_gone(swept: Swept) -> None:
    """Rows of tables that are not kept any more, and of another seed, are not those that members have now."""
    two = ("--vary", "rain_factor=1", "--keep", "lake_level", "--keep", "inflow", "--workers", "1", "--json")
    one = ("--vary", "rain_factor=1", "--keep", "lake_level", "--workers", "1", "--json")
    assert document(swept.sweep(*two))["tables"] == ["inflow", "lake_level"]
    rows = "select count(*), min(seed), max(seed) from lake_level"
    ((count, *_),) = swept.results(rows)
    assert document(swept.sweep(*one))["tables"] == ["lake_level"]
    assert document(swept.sweep(*one, "--set", "simulation.random_seed=5"))["counts"] == {"done": 1}
    assert swept.results(rows) == [(count, 5, 5)]
    told = swept.sweep(*one[:-1], "--set", "simulation.random_seed=5", "--databases", "none")
    assert "removed   1 database of members that were done (databases: none)" in told.out
    assert swept.results(rows) == [(count, 5, 5)]


def test_a_member_that_fails_is_reported_and_the_others_complete(swept: Swept) -> None:
    """With its message and no rows; with ``--databases failed`` only its file stays."""
    told = swept.sweep(
        "--vary", "rain_factor=1,-5", "--databases", "failed", "--retries", "0", "--workers", "1", "--json"
    )
    assert told.exit_code == 1
    found = json.loads(told.out)
    assert (found["ok"], found["status"], found["counts"]) == (False, "failed", {"done": 1, "failed": 1})
    (failed,) = [one for one in found["members"] if one["status"] == "failed"]
    assert "assert_lakes_hold_water found" in failed["message"]
    assert swept.results("select distinct rain_factor from lake_level") == [(1,)]
    files = {one.name: one.parent.name for one in swept.folder.path.glob("members/*/*.duckdb")}
    assert list(files.values()) == [failed["key"]]
    kept = swept.sweep(
        "--vary", "rain_factor=1,-5", "--databases", "failed", "--retries", "0", "--workers", "1", "--json"
    )
    assert json.loads(kept.out)["kept"] == 1


def test_what_is_wrong_is_refused_before_anything_starts(swept: Swept) -> None:
    """In one paragraph, with exit code 2, and nothing is written."""
    for args, said in (
        (("--vary", "rain_factr=1"), "Did you mean 'rain_factor'?"),
        (("--vary", "simulation.random_seed=-1"), "Member baseline-random_seed=-1"),
        (("--vary", "database=a.duckdb"), "every member has a database of its own"),
        (("--vary", "dbt.threads=1,2"), "all members are made by one dbt project"),
        (("--vary", "rain_factor=1", "--vary", "rain_factor=2"), "is given twice"),
        (("--scenarios", "wet,wetter"), "there is no scenario 'wetter'"),
        (("--seeds", "1-2000"), "This sweep has 2,000 members"),
        (("--keep", "lake_levels"), "Did you mean 'lake_level'?"),
        (("--databases", "some"), "must be one of all, failed, none"),
        (("1999-2000",), "before 2000"),
        (("2001", "--seeds", "1-2"), "2 members of s would begin at 2001 in a database of their own"),
        (("--scheduler", "localhost"), "no address of a Dask scheduler"),
    ):
        told = swept.sweep(*args)
        assert told.exit_code == 2, told.out + told.err
        assert said in told.err and "To fix: " in told.err
    assert not swept.folder.path.exists()


def test_a_dry_run_writes_nothing(swept: Swept) -> None:
    """It says what is known, and that the rest is not."""
    told = swept.sweep(*VARY, "--seeds", "1-3", "--dry-run")
    assert told.exit_code == 0, told.err
    assert "6 members" in told.out and "unknown" in told.out
    assert not swept.folder.path.exists()


def test_a_program_sweeps(swept: Swept) -> None:
    """The result has members, states, relations and Arrow tables."""
    code = """
from orchestrator import sweep

if __name__ == "__main__":
    found = sweep(vary={"rain_factor": [1, 2]}, seeds="1-2", name="s", workers=2, keep=["lake_level", "inflow"])
    print(found.ok, len(found.members), found.tables, found.arrow("members").num_rows)
    print(found.relation("lake_level").count("*").fetchall())
"""
    file = swept.root / "program.py"
    file.write_text(code)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = run_python([str(file)], cwd=swept.root, env={**environment, "PYTHONPATH": str(REPOSITORY)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True 4 ('inflow', 'lake_level') 4", "[(24,)]"]


def test_the_extra_is_named_where_it_is_missing(swept: Swept) -> None:
    """One line says what to install."""
    shutil.rmtree(swept.root / "hidden", ignore_errors=True)
    (swept.root / "hidden").mkdir()
    (swept.root / "hidden" / "sitecustomize.py").write_text("import sys; sys.modules['distributed'] = None\n")
    env = {"PYTHONPATH": f"{swept.root / 'hidden'}:{REPOSITORY}"}
    told = swept.sweep(*VARY, env=env)
    assert told.exit_code == 2
    assert "pip install 'dbt-year-orchestrator[sweep]'" in told.err
