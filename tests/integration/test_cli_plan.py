"""``orchestrator plan`` and ``simulate --dry-run``."""

from __future__ import annotations

import pytest

from tests.support.cli_project import Cli

UNKNOWN: dict[str, object] = {"expected_seconds": None}
STAGES = [
    {"name": "flows", "command": "dbt run", "select": ["tag:FLOWS"], "nodes": ["inflow"]} | UNKNOWN,
    {"name": "balance", "command": "dbt run", "select": ["tag:BALANCE"], "nodes": ["lake_level"]} | UNKNOWN,
    {"name": "checks", "command": "dbt test", "select": ["tag:CHECKS"], "nodes": ["assert_lakes_hold_water"]} | UNKNOWN,
]


def test_the_plan_names_commands_and_nodes(lakes: Cli) -> None:
    """What would be healed and run is listed exactly, and nothing is written."""
    lakes.sql("drop table rain")
    before = lakes.database.read_bytes()
    told = lakes("plan", "2000-2001", "--json")
    assert told.exit_code == 0, told.err
    assert told.document() == {
        "ok": True,
        "status": "planned",
        "scenario": "baseline",
        "database": str(lakes.database),
        "healing": [{"step": "load_seeds", "command": "dbt seed", "nodes": ["rain"]}],
        "resumed_from": None,
        "changes": [],
        "expected_seconds": None,
        "years": [{"year": year, "stages": STAGES} | UNKNOWN for year in (2000, 2001)],
        "left_out": [{"name": "inflow", "why": "built during each year"}],
    }
    assert lakes.database.read_bytes() == before


def test_a_dry_run_is_the_plan_in_words(lakes: Cli) -> None:
    """Years that do the same are told once."""
    told = lakes("simulate", "--dry-run")
    assert told.exit_code == 0, told.err
    assert "Plan for 2000–2002 · scenario baseline · var/reservoir.duckdb" in told.out
    assert "Nothing to heal" in told.out
    assert "2000–2002: 3 stages, 3 nodes each" in told.out
    assert "Expected seconds: no history yet." in told.out
    assert told.out.count("dbt run --select tag:FLOWS, 1 node\n    inflow") == 1
    assert lakes.sql("select count(*) from lake_level") == [(0,)]


def test_one_of_anything_is_said_as_one(lakes: Cli) -> None:
    """One stage of one node, in one year."""
    told = lakes("plan", "2000", "--set", "stages=[{name: flows, select: 'tag:FLOWS'}]")
    assert told.exit_code == 0, told.err
    assert "2000: 1 stage, 1 node\n" in told.out


def test_the_plan_says_where_a_run_would_go_on(lakes: Cli) -> None:
    """Finished years are left out; a change begins anew and is named; ``--fresh`` plans everything."""
    assert lakes("simulate", "2000-2001").exit_code == 0
    document = lakes("plan", "--json").document()
    assert document["resumed_from"] == {"year": 2002, "stage": "flows"}
    years = document["years"]
    assert isinstance(years, list)
    assert [(year["year"], [stage["name"] for stage in year["stages"]]) for year in years] == [
        (2002, ["flows", "balance", "checks"])
    ]
    told = lakes("simulate", "--dry-run")
    assert "Resumes at flows of 2002: everything before it is done." in told.out
    assert "2002: 3 stages, 3 nodes\n" in told.out
    assert "2000–2002: 3 stages" in lakes("simulate", "--dry-run", "--fresh").out
    told = lakes("plan", "--set", "vars.rain_factor=2")
    assert "Starts at 2000 again, because since the last run\n  var rain_factor changed from 1 to 2" in told.out
    assert "2000–2002: 3 stages" in told.out


def test_the_plan_says_how_long_it_will_take(lakes: Cli) -> None:
    """Where there is no history, the ledger knows: the first year by itself, later ones by their median."""
    assert lakes("simulate", "2000-2002").exit_code == 0
    rows = lakes.sql("select year, stage, seconds from orchestrator.stages")
    took = {(year, stage): float(str(seconds)) for year, stage, seconds in rows}
    document = lakes("simulate", "--dry-run", "--fresh", "--json", "--set", "storage.enabled=false").document()
    years = document["years"]
    assert isinstance(years, list)
    for year in years:
        for stage in year["stages"]:
            name = stage["name"]
            first, later = took[2000, name], (took[2001, name] + took[2002, name]) / 2
            assert stage["expected_seconds"] == pytest.approx(first if year["year"] == 2000 else later)
        assert year["expected_seconds"] == pytest.approx(sum(stage["expected_seconds"] for stage in year["stages"]))
    assert document["expected_seconds"] == pytest.approx(sum(took.values()))
    told = lakes("simulate", "--dry-run", "--fresh")
    assert "Expected seconds  2000  each of 2001–2002  in all\n" in told.out
    assert told.out.endswith("Start-up, healing and hooks are not included.\n")


def test_years_that_would_go_are_told_before_and_after(lakes: Cli) -> None:
    """A shorter range removes the years behind it: the plan says so, and so does the run."""
    assert lakes("simulate", "2000-2002").exit_code == 0
    again = ("simulate", "2000", "--dry-run", "--fresh")
    assert lakes(*again, "--json").document()["removes"] == [2000, 2001, 2002]
    told = lakes(*again)
    assert "Removes first what the database holds of 2000–2002." in told.out
    assert "! 2001–2002 are not simulated again" in told.out
    done = lakes("simulate", "2000", "--fresh", "--yes")
    assert "24 rows of 2000 and later from 2 tables, simulated years 2000–2002; 2001–2002 are not" in done.out
    assert "removes" not in lakes("plan", "2001", "--json").document()
