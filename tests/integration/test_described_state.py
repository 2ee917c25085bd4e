"""State tables whose models have no contract: their columns are what the compiled SQL gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.core.errors import DbtProjectError
from tests.support.workspaces import Workspace
from tests.support.written import Written

pytestmark = pytest.mark.slow

Fresh = Callable[[str], Workspace]
CONFIG = """\
simulation: {start_year: 2000, end_year: 2002, year_var: year, year_column: year}
stages: [{name: moves, select: moves}, {name: stock, select: stock}]
"""
YEARLY = "{{ config(materialized='incremental') }} "
FILES = {
    "models/sources.yml": "sources: [{name: last, schema: main, "
    "tables: [{name: stock, meta: {prior_year_of: stock}}]}]",
    "models/moves.sql": YEARLY + "select {{ var('year') }} as year, i as id, "
    "i * 1.5 + coalesce((select sum(s.amount) from {{ source('last', 'stock') }} s where s.id = i), 0) as moved "
    "from range(1, 3) as r(i)",
    "models/stock.sql": YEARLY + "select m.year, m.id, cast(m.moved + 1 as decimal(18, 2)) as amount, 'kept' as note "
    "from {{ ref('moves') }} m where m.year = {{ var('year') }}",
}


def test_a_contract_makes_no_difference(fresh: Fresh) -> None:
    """The shipped small project without its contract: the state has the same columns, and all rows are the same."""
    workspace = fresh("reservoir")
    workspace.simulate()
    expected, columns = workspace.digests(), workspace.sql("describe lake_level")
    workspace.database.unlink()
    file = workspace.root / "dbt/models/yearly/yearly.yml"
    file.write_text(file.read_text().partition("models:")[0])
    with workspace.orchestrator() as orchestrator:
        orchestrator.initializer.ensure_initialized()
        assert [row[:2] for row in workspace.sql("describe lake_level")] == [row[:2] for row in columns]
        orchestrator.execute_multi_year_simulation()
    assert workspace.digests() == expected


def test_a_circle_through_other_models(tmp_path: Path) -> None:
    """What it is built from, and is not there yet, is described with it; a run from the beginning makes it anew."""
    mill = Written(tmp_path, CONFIG, FILES)
    mill.simulate()
    once = mill.digests()
    assert [row[1] for row in mill.sql("describe stock")] == ["INTEGER", "BIGINT", "DECIMAL(18,2)", "VARCHAR"]
    assert mill.sql("select count(*) from stock") == [(6,)]
    mill.simulate(fresh=True)
    assert mill.digests() == once


@pytest.mark.parametrize(
    ("stock", "says"),
    [
        ("select m.year, m.id, null as amount from {{ ref('moves') }} m", "nothing gives amount a type"),
        ("select m.year, m.id, m.moved * 1.1 as amount from {{ ref('moves') }} m", "its types differ in each year"),
        ("select nope as amount, m.year, m.id from {{ ref('moves') }} m", "nope"),
    ],
)
def test_columns_that_cannot_be_told(tmp_path: Path, stock: str, says: str) -> None:
    """The reason is named, with the contract as the way out; nothing is created."""
    mill = Written(tmp_path, CONFIG, FILES)
    mill.write("models/stock.sql", YEARLY + stock)
    with mill.orchestrator() as orchestrator, pytest.raises(DbtProjectError, match=says) as caught:
        orchestrator.initializer.ensure_initialized()
    assert caught.value.to_fix is not None and "contract" in caught.value.to_fix
    assert "stock" not in mill.tables()
