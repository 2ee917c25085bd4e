"""``orchestrator query``: one statement that reads."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb

from tests.support.cli_project import Cli, interrupt
from tests.unit.test_duckdb_select import ENDLESS


def test_the_rows_of_a_statement(lakes: Cli) -> None:
    """For people, and as CSV and JSON; no dbt is imported."""
    told = lakes("query", "select lake, area from lakes order by area", python=["-X", "importtime"])
    assert told.exit_code == 0, told.err
    assert told.out == "lake    area\nupper  10.00\nlower  20.00\n\n2 rows\n"
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in told.err.splitlines()}
    assert not imported & {"dbt", "dbt_common", "sqlalchemy"}
    assert lakes("query", "select null a, '' b, 'x' c", "--csv").out == 'a,b,c\n,"",x\n'
    assert lakes("query", "from range(30)", "--csv", "--limit", "2").out == "range\n0\n1\n"
    assert lakes("query", "from range(30)").out.endswith("\n   19\n\nThe first 20 rows; --limit shows more.\n")
    document = lakes("query", "from range(2)", "--json").document()
    assert document == {
        "ok": True,
        "status": "shown",
        "columns": [{"name": "range", "type": "BIGINT"}],
        "rows": [{"range": 0}, {"range": 1}],
        "total": 2,
        "shown": 2,
    }
    document = lakes("query", "from range(2)", "--json", "--limit", "1").document()
    assert (document["total"], document["shown"]) == (None, 1)
    exact = lakes("query", "select 12345678901234567890.5::decimal(38, 1) a, 0.1::decimal(2, 1) b", "--json").document()
    assert exact["rows"] == [{"a": "12345678901234567890.5", "b": 0.1}]
    plan = lakes("query", "explain select 1").out
    assert "Projection" in plan.splitlines()[0] and "\\n" not in plan


def test_a_parquet_file_is_written(lakes: Cli, tmp_path: Path) -> None:
    """All rows, though no other file can be reached."""
    file = tmp_path / "x.parquet"
    told = lakes("query", "from range(30)", "--parquet", str(file))
    assert (told.exit_code, told.out) == (0, f"Wrote the rows to {file}.\n")
    with duckdb.connect() as connection:
        assert connection.execute(f"select count(*) from '{file}'").fetchall() == [(30,)]
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_refused(lakes: Cli) -> None:
    """Ends with 2, one paragraph and no traceback; nothing is changed."""
    before = lakes.database.read_bytes()
    for sql, words in (
        ("drop table lakes", "this is a DROP statement"),
        ("select 1; drop table lakes", "There are 2 statements"),
        ("select * from lake", 'Did you mean "lakes"?'),
        ("copy lakes to '/tmp/lakes.csv'", "this is a COPY statement"),
    ):
        told = lakes("query", sql, "--json")
        assert told.exit_code == 2, sql
        assert told.error()["type"] == "StatementError"
        assert words in told.error()["message"]
        assert "To fix: " in told.err and "Traceback" not in told.err
    assert lakes.database.read_bytes() == before
    with lakes.open_elsewhere():
        assert lakes("query", "select 1").exit_code == 75
    lakes.database.unlink()
    assert "There is no database" in lakes("query", "select 1").err


def test_ctrl_c(lakes: Cli) -> None:
    """An endless statement ends with 130."""
    process = lakes.start("query", ENDLESS)
    time.sleep(2)
    told = interrupt(process)
    assert told.exit_code == 130
    assert told.err.startswith("Interrupted after ")
