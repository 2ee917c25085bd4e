"""What a sweep kept of its members, read with the columns that their tables have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shutil import copytree

from orchestrator.pipeline.workflow import SummaryColumn
from orchestrator.reports.sides.members import MemberTables, summaries_of
from orchestrator.scenarios.folders import SweepFolder
from tests.support.sweep_folders import lay_sweep
from tests.unit.test_healing_plan import node

COLUMNS = (
    SummaryColumn("year", "Year", "text"),
    SummaryColumn("seed", "Seed", "integer"),
    SummaryColumn("status_", "Status", "text"),
)


def test_columns_that_a_sweep_calls_otherwise(tmp_path: Path) -> None:
    """A closing table with a column ``seed`` has that column, and not the random seed of the member."""
    columns = [("member", "varchar"), ("year", "integer"), ("seed_", "integer"), ("status__", "varchar")]
    plan = lay_sweep(
        tmp_path,
        "s",
        lambda member: [(member.key, 2000, 7, "wet")],
        table="closing",
        columns=columns,
        years=(2000, 2000),
        seeds=(1, 2),
    )
    tables = MemberTables(SweepFolder.of(tmp_path, "s"), node("closing", "table"))
    found = summaries_of(tables, plan.members, COLUMNS)
    assert [one.rows for one in found.values()] == [((2000, 7, "wet"),)] * 2
    assert sorted(tables.seeds().values()) == [1, 2]


def test_a_model_with_the_name_of_another_s_table(tmp_path: Path) -> None:
    """Rows are kept under the names of models, whatever their tables are called."""
    columns = [("member", "varchar"), ("year", "integer")]
    lay_sweep(
        tmp_path, "s", lambda one: [(one.key, 2000)], table="rpt", columns=columns, years=(2000, 2000), seeds=(1,)
    )
    results = SweepFolder.of(tmp_path, "s").results
    copytree(results / "rpt", results / "totals")
    tables = MemberTables(SweepFolder.of(tmp_path, "s"), replace(node("rpt", "table"), identifier="totals"))
    assert [file.parts[-4] for file in tables.files().values()] == ["rpt"]
