"""The snapshot of a DuckDB database."""

from __future__ import annotations

import duckdb

from orchestrator.database.catalog import catalog_of_rows
from orchestrator.database.duckdb_file import CATALOG_SQL, read_catalog
from orchestrator.database.names import RelationName

SHAPES = """
create table t (b integer, a varchar[], "C c" decimal(9, 2));
create table orders__dbt_tmp (x integer);
create schema s;
create table s.T (only_one date);
create view s.v as select b, a from main.t;
create view broken as select x from gone;
create temporary table passing (x integer);
create temporary view passing_view as select 1 as x;
"""


def test_it_names_kinds_and_columns_in_order() -> None:
    """Tables and views of every schema, columns in their order; nothing temporary, of DuckDB's own or of dbt's."""
    with duckdb.connect() as connection:
        connection.execute("create table gone (x integer)")
        connection.execute(SHAPES)
        connection.execute("drop table gone")
        found = read_catalog(lambda sql: connection.execute(sql).fetchall())
        of_one_statement = catalog_of_rows(connection.execute(CATALOG_SQL).fetchall())
    assert found == of_one_statement and list(found.relations) == list(of_one_statement.relations)
    assert [(name.schema, name.name, relation.kind) for name, relation in found.relations.items()] == [
        ("main", "broken", "view"),
        ("main", "t", "table"),
        ("s", "t", "table"),
        ("s", "v", "view"),
    ]
    table = found.get(RelationName.of("memory", "main", "t"))
    assert table is not None
    assert table.columns == (("b", "INTEGER"), ("a", "VARCHAR[]"), ("C c", "DECIMAL(9,2)"))


def test_a_relation_is_dropped_as_what_it_is() -> None:
    """DuckDB refuses to drop a view as a table, and the reverse, also with "if exists"."""
    with duckdb.connect() as connection:
        connection.execute("create table t as select 1 as a; create view v as select a from t")
        found = read_catalog(lambda sql: connection.execute(sql).fetchall())
        assert len(found.relations) == 2
        for name in found.relations:
            connection.execute(found.drop_statement(name, cascade=True))
        assert read_catalog(lambda sql: connection.execute(sql).fetchall()).relations == {}
