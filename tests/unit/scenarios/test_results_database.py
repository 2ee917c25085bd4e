"""Tests of the database of a sweep's results."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.plan import Member, SweepPlan, Variation
from orchestrator.scenarios.results_database import results_stand_elsewhere, value_columns, write_results
from orchestrator.scenarios.state import MemberState
from orchestrator.scenarios.tables import parquet_file

VARIED = (Variation("vars.x", (1, 2)), Variation("vars.a.y", ("p", None)), Variation("vars.b.y", (True, False)))


def a_plan() -> SweepPlan:
    """Make a plan of three members: done, failed, and done in a scenario with an odd name."""
    members = (
        Member.of("base", 7, {"vars.x": 1, "vars.a.y": "p", "vars.b.y": True}),
        Member.of("base", 8, {"vars.x": 2, "vars.a.y": None, "vars.b.y": False}),
        Member.of("2025", None, {"vars.x": 1, "vars.a.y": "p", "vars.b.y": True}),
    )
    return SweepPlan("s", "2026-01-01T00:00:00Z", 2025, 2026, VARIED, ("base", "2025"), (7, 8), members)


def fill(folder: SweepFolder, plan: SweepPlan) -> dict[str, MemberState]:
    """Write a row for each member, as workers do; columns differ, and one is called as one of ours."""
    states = {}
    for number, member in enumerate(plan.members):
        file = parquet_file(folder, "t", member.scenario, member.seed or 42, member.key)
        file.parent.mkdir(parents=True, exist_ok=True)
        more = ", 'own' as scenario_" if number == 0 else ""
        duckdb.sql(f"copy (select '{member.key}' as member, {number} as n{more}) to '{file}' (format parquet)")
        states[member.key] = MemberState("failed" if number == 1 else "done")
    return states


def test_a_view_has_the_rows_of_members_that_are_done(tmp_path: Path) -> None:
    """With scenario and seed as they are, varied values as they are typed, and columns by name."""
    folder, plan = SweepFolder(tmp_path / "s"), a_plan()
    write_results(folder, plan, fill(folder, plan))
    with duckdb.connect(str(folder.results_database), read_only=True) as connection:
        rows = connection.execute('select scenario, seed, x, "vars.a.y", "vars.b.y", n, scenario_ from t order by n')
        assert rows.fetchall() == [("base", 7, 1, "p", True, 0, "own"), ("2025", 42, 1, "p", True, 2, None)]
        members = connection.execute("select seed, status from members order by all").fetchall()
        assert members == [(7, "done"), (8, "failed"), (42, "done")]


def test_columns_of_values_have_the_last_part_of_a_key_unless_two_share_it() -> None:
    """Then both have the whole of it."""
    assert value_columns(a_plan()) == {"vars.x": "x", "vars.a.y": "vars.a.y", "vars.b.y": "vars.b.y"}


def test_names_of_columns_differ_in_more_than_their_case(tmp_path: Path) -> None:
    """As DuckDB has it; and a number that no 64 bits hold keeps all of its digits."""
    varied = (Variation("vars.Status", (2**70, 1)), Variation("vars.rate", (2**60, 0.5)), Variation("vars.Rate", (3,)))
    member = Member.of("base", 7, {"vars.Status": 2**70, "vars.rate": 2**60, "vars.Rate": 3})
    plan = SweepPlan("s", "", 1, 1, varied, ("base",), (7,), (member,))
    assert value_columns(plan) == {"vars.Status": "vars.Status", "vars.rate": "vars.rate", "vars.Rate": "vars.Rate_"}
    folder = SweepFolder(tmp_path / "s")
    folder.path.mkdir()
    write_results(folder, plan, {member.key: MemberState("done")})
    with duckdb.connect(str(folder.results_database), read_only=True) as connection:
        found = connection.execute('select "vars.Status", "vars.rate", "vars.Rate_" from members').fetchall()
    assert found == [(2**70, float(2**60), 3)]


def test_it_tells_that_its_folder_was_moved(tmp_path: Path) -> None:
    """Its views name files in full; written anew they are right again."""
    folder, plan = SweepFolder(tmp_path / "s"), a_plan()
    states = fill(folder, plan)
    write_results(folder, plan, states)
    assert not results_stand_elsewhere(folder)
    moved = SweepFolder(tmp_path / "moved")
    shutil.move(folder.path, moved.path)
    assert results_stand_elsewhere(moved)
    write_results(moved, plan, states)
    with duckdb.connect(str(moved.results_database), read_only=True) as connection:
        assert connection.execute("select count(*) from t").fetchone() == (2,)
