"""The ledger of a run, where no database is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.database.names import SchemaName
from orchestrator.pipeline.run_ledger import RunLedger
from orchestrator.pipeline.workflow import SimulationPlan, Stage
from tests.unit.test_healing_plan import node, project


@pytest.mark.parametrize(
    ("path", "database", "shared"),
    [
        (Path("/lakes/Db.duckdb"), "Db", False),
        (Path("/lakes/other.duckdb"), "other", True),
        (None, "", True),
        (None, "Db", True),
    ],
    ids=["its own file", "attached to the file", "a server", "no file"],
)
def test_who_else_may_write_what_years_carry_over(path: Path | None, database: str, shared: bool) -> None:
    """Nobody while a run holds the DuckDB file that the table is in, whatever its case; anybody else's is unknown."""
    facts = replace(project(), database_path=path, ledger=SchemaName(database, "orchestrator"))
    plan = SimulationPlan((2025,), (Stage("all", ("a",)),), 2025)
    ledger = RunLedger("r", "s", plan, facts, (node("level", "incremental"),), frozenset(), "year")
    assert ledger.shared is shared
