"""Statements that do nothing but read, and those that hide something else."""

from __future__ import annotations

import duckdb
import pytest

from orchestrator.database.only_reads import writes


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "/* why */ explain select 1",
        "explain (format json) select 1",
        "explain analyze select 1",
        "pivot t on s using sum(a)",
        "from (pivot t on s using sum(a))",
        "from t",
        "values (1)",
        "describe t",
        "show all tables",
        "summarize t",
        "select \"update\", 'copy' from t -- copy",
        "with recursive r as (select 1 as n union all select n + 1 from r where n < 3) from r",
        "select (select max(a) from t), exists (from t) union all by name select 2",
    ],
)
def test_what_reads(sql: str) -> None:
    """Also with names and texts that look like more."""
    assert writes(duckdb.extract_statements(sql)[0]) is None


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("with a as (copy (select 1) to 'x.csv') from a", "copy"),
        ("select * from (with z as (copy t to 'x') from z)", "copy"),
        ("select 1 where exists (with z as (update t set a = 1) select 1)", "update"),
        ("with a as (insert into t values (1) returning *) from a", "insert"),
        ("with a as (delete from t returning *) from a", "delete"),
        ("explain analyze copy (select 1) to 'x'", "COPY"),
        ("/* x */ explain analyze with a as (copy t to 'x') from a", "copy"),
        ("with a as (copy t to 'x') select * from (pivot t on s using sum(a))", "copy"),
        ("from query('with a as (copy t to ''x'') from a')", "query()"),
        ("pivot (from query('x')) on s using sum(a)", "query"),
        ("copy t to 'x'", "COPY"),
    ],
)
def test_what_writes(sql: str, found: str) -> None:
    """However deep it hides; what runs a text as SQL may hide anything."""
    told = writes(duckdb.extract_statements(sql)[0])

    assert told == found
