"""Which table a person means, and how its rows are read where there is no DuckDB file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError, TableNotFoundError
from orchestrator.database.catalog import Catalog, Relation
from orchestrator.database.duckdb_file import ConnectionReader
from orchestrator.database.names import RelationName
from orchestrator.reports.table_rows import FoundTable, OpenTable, find_table
from orchestrator.reports.user_query import open_for_query
from orchestrator.wiring import dbt_runner
from tests.unit.test_healing_plan import NODES, node, project

COLUMNS = (("id", "INTEGER"),)
FACTS = project(
    [
        *NODES,
        replace(node("versioned"), identifier="versioned_v2", schema="marts"),
        replace(node("far"), database="lake"),
    ]
)


def catalog(*names: tuple[str, str]) -> Catalog:
    """Make a catalog of tables, each of (schema, name); a database beside it cannot be seen."""
    found = {RelationName.of("db", schema, name): Relation("table", COLUMNS) for schema, name in names}
    return Catalog(found, {"lake": "it is a ducklake"})


THERE = catalog(("main", "s1"), ("main", "base"), ("marts", "versioned_v2"), ("raw", "base"), ("raw", "only"))


@pytest.mark.parametrize(
    ("name", "label", "relation"),
    [
        ("s1", "s1", "db.main.s1"),
        ("S1", "s1", "db.main.s1"),
        ("seed.p.s1", "s1", "db.main.s1"),
        ("p.s1", "s1", "db.main.s1"),
        ("base", "base", "db.main.base"),
        ("raw.base", "raw.base", "db.raw.base"),
        ("db.raw.base", "raw.base", "db.raw.base"),
        ('"db"."raw"."base"', "raw.base", "db.raw.base"),
        ("only", "raw.only", "db.raw.only"),
        ("versioned", "versioned", "db.marts.versioned_v2"),
        ("versioned_v2", "versioned", "db.marts.versioned_v2"),
        ("marts.versioned_v2", "versioned", "db.marts.versioned_v2"),
    ],
)
def test_a_table_is_found_by_its_names(name: str, label: str, relation: str) -> None:
    """A node of that name comes before other tables; schemas and databases may stand before it."""
    found = find_table(FACTS, THERE, name, simulates=True)
    full = f"{found.relation.database}.{found.relation.schema}.{found.relation.name}"
    assert (found.label, full, found.columns) == (label, relation, COLUMNS)


@pytest.mark.parametrize(
    ("name", "words", "to_fix"),
    [
        ("bass", "no table 'bass'", "write base; `orchestrator check`"),
        ("raw.onyl", "no table 'raw.onyl'", "write raw.only; `orchestrator check`"),
        ("other.s1", "no table 'other.s1'", ""),
        ("s2", "s2 is not in the database: it is not built yet", "run `orchestrator simulate`"),
        ("eph", "eph is an ephemeral model", "name a model that reads it"),
        ("far", "far is in the database lake, which cannot be read here: it is a ducklake", "None"),
    ],
)
def test_a_table_that_cannot_be_shown(name: str, words: str, to_fix: str) -> None:
    """It is said why, each reason in its own words."""
    with pytest.raises(TableNotFoundError, match=words) as caught:
        find_table(FACTS, THERE, name, simulates=True)
    assert str(caught.value.to_fix).startswith(to_fix)


def test_several_tables_of_one_name() -> None:
    """All of them are named in full."""
    both = catalog(("raw", "a"), ("marts", "a"))
    with pytest.raises(TableNotFoundError, match=r"called a: db\.marts\.a, db\.raw\.a"):
        find_table(FACTS, both, "a", simulates=False)


def test_rows_of_a_database_on_a_server() -> None:
    """They come through whoever has it open; a Parquet file cannot be written then."""
    with duckdb.connect() as connection:
        connection.execute('create table "t" as select range as id from range(10)')
        found = FoundTable("t", RelationName.of(None, "main", "t"), COLUMNS)
        table = OpenTable(found, ConnectionReader(connection), " where id > 3")
        assert table.total() == 6
        rows = table.rows(2)
        assert rows.columns == COLUMNS
        assert [list(batch) for batch in rows.batches()] == [[(4,), (5,)]]
        with pytest.raises(ConfigurationError, match="--parquet needs a DuckDB file"):
            table.write_parquet(Path("x.parquet"), None)


def test_a_server_is_not_queried(tmp_path: Path) -> None:
    """A statement of the user could change it: that is said, and nothing is run."""
    config = SimulationConfig.from_mapping({}, root=tmp_path)
    facts = replace(FACTS, adapter="postgres", database_path=None)
    with (
        pytest.raises(ConfigurationError, match=r"`query` needs a DuckDB file.*\(postgres\)") as caught,
        open_for_query(config, dbt_runner(config), facts),
    ):
        pass
    assert caught.value.exit_code == 2
