"""Tables that have another name, schema or kind in each year: each of them is compared, shown and known by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator import ConfigurationError
from orchestrator.core.errors import TableNotFoundError
from orchestrator.core.events import RowsLost, StageFinished
from orchestrator.database.duckdb_file import DuckDBReader
from orchestrator.ledger.places import in_all_places
from orchestrator.maintenance.doctor.leftovers import leftover_relations, relations_of
from orchestrator.pipeline.orchestrator import PipelineOrchestrator
from orchestrator.reports.table_rows import open_table
from orchestrator.reports.user_query import left_notes, open_for_query
from orchestrator.scenarios.tables import require_tables
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

YEAR = "var('water_year')"
ROWS = f"select {{{{ {YEAR} }}}} as water_year, lake, level from {{{{ ref('lake_level') }}}}"
MODELS = {
    "named": f"materialized='table', alias='named_' ~ {YEAR}",
    "placed": f"materialized='table', schema='y' ~ {YEAR}",
    "seen": f"materialized='view', alias='seen_' ~ {YEAR}",
    "added": f"materialized='incremental', incremental_strategy='append', alias='added_' ~ {YEAR}",
    "turned": f"materialized='table' if {YEAR} | int < 2002 else 'view'",
}


@pytest.fixture
def moving(fresh: Callable[[str], Workspace]) -> Workspace:
    """A simulated reservoir whose year decides names, a schema and a materialization."""
    workspace = fresh("reservoir")
    for name, config in MODELS.items():
        model = workspace.root / "dbt" / "models" / "yearly" / f"{name}.sql"
        model.write_text(f"{{{{ config({config}, tags=['BALANCE']) }}}} {ROWS} where water_year = {{{{ {YEAR} }}}}")
    assert years_run(workspace) == [2000, 2001, 2002]
    return workspace


def years_run(workspace: Workspace) -> list[int]:
    """Simulate; return the years of which stages ran."""
    workspace.events.clear()
    with workspace.orchestrator() as orchestrator:
        orchestrator.execute_multi_year_simulation()
    return sorted({event.year for event in workspace.events if isinstance(event, StageFinished)})


def shown(
    orchestrator: PipelineOrchestrator, name: str, year: int | None = None
) -> tuple[str, list[tuple[object, ...]]]:
    """Return the label of a table that a person names, and the years of its rows."""
    facts = orchestrator.runner.current_facts()
    with open_table(orchestrator.config, orchestrator.runner, facts, name, year=year) as found:
        years = {row[:1] for batch in found.rows(None).batches() for row in batch}
        return found.label, sorted(years, key=str)


def test_each_table_of_each_year_is_compared(moving: Workspace) -> None:
    """The year that built it is simulated again, whatever it is and whichever year that was; then nothing is."""
    before = moving.digests()
    assert years_run(moving) == []
    for statement, first, table in (
        ("update named_2001 set level = -1", 2001, "main.named_2001"),
        ("drop table main_y2002.placed", 2002, None),
        ("create or replace view seen_2001 as select 1 as one", 2001, "main.seen_2001"),
        ("update added_2001 set level = -1", 2001, "main.added_2001"),
        ("update named_2000 set level = -1", 2000, "named"),
        ("create or replace view turned as select 1 as one", 2002, "turned"),
    ):
        moving.sql(statement)
        assert years_run(moving) == list(range(first, 2003)), statement
        lost = [(event.year, event.table) for event in moving.events if isinstance(event, RowsLost)]
        assert lost == ([] if table is None else [(first, table)])
        assert moving.digests() == before, statement


def test_each_table_is_shown_as_that_of_its_year(moving: Workspace) -> None:
    """By year or by its own name; a node that has several is refused. None is a leftover, and none can be gathered."""
    with moving.orchestrator() as orchestrator:
        for year in (2000, 2001, 2002):
            assert shown(orchestrator, "named", year) == (f"main.named_{year}", [(year,)])
            assert shown(orchestrator, "added", year) == (f"main.added_{year}", [(year,)])
            assert shown(orchestrator, f"named_{year}") == (f"main.named_{year}", [(year,)])
        with pytest.raises(
            TableNotFoundError, match=r"in some years: main\.named_2000, main\.named_2001, main\.named_"
        ):
            shown(orchestrator, "named")
        with pytest.raises(TableNotFoundError, match="no finished stage of 2003 built it"):
            shown(orchestrator, "placed", 2003)
        facts = orchestrator.runner.current_facts()
        with pytest.raises(ConfigurationError, match="only one table of a node can be gathered"):
            require_tables(facts, ["named"])
        with DuckDBReader(moving.database) as reader:
            assert leftover_relations(relations_of(reader), in_all_places(reader, facts)) == []


def test_the_closing_table_is_that_of_each_year(fresh: Callable[[str], Workspace]) -> None:
    """Where the year decides its name, each year's row is read of the table that this year built."""
    workspace = fresh("reservoir")
    folder = workspace.root / "dbt" / "models" / "yearly"
    (folder / "closing.sql").write_text(
        f"{{{{ config(materialized='table', alias='closing_' ~ {YEAR}, tags=['BALANCE']) }}}} "
        f"select water_year, count(*) as lakes from ({ROWS}) where water_year <= {{{{ {YEAR} }}}} group by 1"
    )
    (folder / "closing.yml").write_text(
        "models: [{name: closing, config: {meta: {summary: true}}, "
        "columns: [{name: lakes, config: {meta: {label: Lakes}}}]}]"
    )
    with workspace.orchestrator() as orchestrator:
        summary = orchestrator.execute_multi_year_simulation().summary
    assert summary is not None
    assert [row[0] for row in summary.rows] == [2000, 2001, 2002]


def test_what_nothing_builds_any_more_is_not_shown_as_if_it_were(moving: Workspace) -> None:
    """``show`` refuses it and ``query`` says so; the run says that the model is gone, and nothing of its rows."""
    for name in MODELS:
        (moving.root / "dbt" / "models" / "yearly" / f"{name}.sql").unlink()
    assert years_run(moving) == [2000, 2001, 2002]
    assert [event for event in moving.events if isinstance(event, RowsLost)] == []
    with moving.orchestrator() as orchestrator:
        facts = orchestrator.runner.current_facts()
        for name in ("named_2000", "main.named_2002", "turned"):
            with pytest.raises(TableNotFoundError, match="an earlier run left"):
                shown(orchestrator, name)
        moving_again = "select * from named_2001 as x, lake_level"
        with open_for_query(orchestrator.config, orchestrator.runner, facts) as database:
            (note,) = left_notes(database, facts, moving_again)
            assert note.startswith("No node of the project builds main.named_2001")
            assert left_notes(database, facts, "from lake_level") == ()
