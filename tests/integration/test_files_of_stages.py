"""Files that external models of stages write beside the database, which others may write or remove."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest

from orchestrator import Hook, HookContext, HookType
from orchestrator.core.events import RowsLost, StageFinished
from tests.support.cli_project import Cli
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

Prepare = Callable[[str], Workspace]
SHEET = """\
{{ config(materialized='external', location='sheet.parquet', tags=['FLOWS']) }}
select water_year, sum(volume) as volume from {{ ref('inflow') }} group by 1
"""
OF_A_YEAR = """\
{{ config(materialized='external', location='year_' ~ var('water_year') ~ '.csv', tags=['FLOWS']) }}
select {{ var('water_year') }} as water_year, sum(volume) as volume from {{ ref('inflow') }}
"""
PARTS = """\
{{ config(materialized='external', tags=['FLOWS'], location='parts',
          options={'partition_by': 'water_year', 'overwrite_or_ignore': true}) }}
select water_year, sum(volume) as volume from {{ ref('inflow') }} where water_year = {{ var('water_year') }} group by 1
"""
OTHER_ROWS = "copy (select 2000 as water_year, 0.0 as volume) to '{}'"


def run(workspace: Workspace, *hooks: Hook) -> list[int]:
    """Simulate two years with these hooks; return the years of which stages ran."""
    workspace.events.clear()
    with workspace.orchestrator() as orchestrator:
        for hook in hooks:
            orchestrator.hooks.register_hook(hook)
        orchestrator.execute_multi_year_simulation(None, 2001)
    return sorted({event.year for event in workspace.events if isinstance(event, StageFinished)})


def lost(workspace: Workspace) -> list[tuple[str, str]]:
    """Return what the last run found lost, and of which kind it was."""
    return [(event.table, event.of) for event in workspace.events if isinstance(event, RowsLost)]


def with_model(workspace: Workspace, name: str, text: str) -> Workspace:
    """Add a model of the years."""
    (workspace.root / "dbt" / "models" / "yearly" / f"{name}.sql").write_text(text)
    return workspace


def test_a_file_of_a_stage_is_compared(fresh: Prepare) -> None:
    """One that others have written or removed is written again by its year; what a hook writes is right."""
    reservoir = with_model(fresh("reservoir"), "sheet", SHEET)
    file = reservoir.root / "sheet.parquet"

    def write(context: HookContext) -> None:
        duckdb.sql(OTHER_ROWS.format(file))

    run(reservoir)
    before = duckdb.read_parquet(str(file)).fetchall()
    assert run(reservoir) == []
    duckdb.sql(OTHER_ROWS.format(file))
    assert (run(reservoir), lost(reservoir)) == ([2001], [("sheet", "file")])
    assert duckdb.read_parquet(str(file)).fetchall() == before
    file.unlink()
    assert run(reservoir, Hook(HookType.POST_YEAR, write, name="write")) == [2001]
    assert run(reservoir) == []


def test_files_that_are_named_by_year_and_folders_are_compared(fresh: Prepare) -> None:
    """The view says which one it reads; a folder may hold parts of earlier years, so that all begin anew."""
    reservoir = with_model(with_model(fresh("reservoir"), "of_a_year", OF_A_YEAR), "parts", PARTS)
    run(reservoir)
    assert run(reservoir) == []
    duckdb.sql(OTHER_ROWS.format(reservoir.root / "year_2001.csv"))
    assert (run(reservoir), lost(reservoir)) == ([2001], [("of_a_year", "file")])
    (part,) = (reservoir.root / "parts" / "water_year=2000").iterdir()
    part.unlink()
    assert (run(reservoir), lost(reservoir)) == ([2000, 2001], [("parts", "files")])
    assert len(list((reservoir.root / "parts").glob("*/*.parquet"))) == 2
    assert run(reservoir) == []


def test_a_restore_says_that_it_brings_no_files_back(lakes: Cli) -> None:
    """And names them; the next run makes anew what is not that of the backup."""
    (lakes.root / "dbt" / "models" / "yearly" / "sheet.sql").write_text(SHEET)
    assert lakes("simulate", "2000-2000").exit_code == 0
    then = duckdb.read_parquet(str(lakes.root / "sheet.parquet")).fetchall()
    assert lakes("backup", "create", "--database", str(lakes.database)).exit_code == 0
    assert lakes("simulate", "2000-2001").exit_code == 0
    restored = lakes("backup", "restore", "--yes")
    assert "A backup holds no files that external models wrote: sheet." in restored.out
    assert "the file of sheet does not hold what 2000 wrote into it" in lakes("doctor").out
    assert lakes("simulate", "2000-2000").exit_code == 0
    assert duckdb.read_parquet(str(lakes.root / "sheet.parquet")).fetchall() == then
