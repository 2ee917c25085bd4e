"""Statements of the user's own on a DuckDB file: what they may do, and that they may do nothing else."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestrator.core.errors import DatabaseLockedError, StatementError
from orchestrator.database.duckdb_select import ReadOnlyDuckDB, read_only

ENDLESS = "select count(*) from range(10000000000) a, range(1000000) b where a.range % 7 = b.range % 5"
OUTSIDE = "a variable of Python"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make a file with a table of 30,000 rows, and a view over a file beside it."""
    file = tmp_path / "db.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table t as select range as i from range(30000)")
        connection.execute(f"copy t to '{tmp_path}/made.parquet'")
        connection.execute(f"set file_search_path = '{tmp_path}'")
        connection.execute("create view v as select * from read_parquet('made.parquet')")
    return file


@pytest.fixture
def database(path: Path) -> Iterator[ReadOnlyDuckDB]:
    """Open it for statements of the user; one file may be written, and none read."""
    with read_only(path, folder=path.parent, only=[path.parent / "out.parquet"]) as opened:
        yield opened


@pytest.mark.parametrize(
    "sql",
    [
        "select * from t;",
        "with x as (from t) select * from x -- why not",
        "from t",
        "values (1)",
        "describe t",
        "summarize t",
        "show tables",
        "pivot t on i % 2 using count(*)",
        "explain select 1",
    ],
)
def test_statements_that_read(database: ReadOnlyDuckDB, sql: str) -> None:
    """They give rows."""
    rows = database.select(database.one_that_reads(sql))
    assert rows.first(1)
    assert rows.columns


@pytest.mark.parametrize(
    "sql",
    [
        "insert into t values (1)",
        "create temp table x as select 1",
        "copy t to '/tmp/x.csv'",
        "attach '/tmp/x.duckdb'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "pragma database_list",
        "call checkpoint()",
        "prepare q as select 1",
        "begin",
        "export database '/tmp/x'",
    ],
)
def test_statements_that_do_more_are_refused(database: ReadOnlyDuckDB, sql: str) -> None:
    """By their kind, before they are run."""
    with pytest.raises(StatementError, match="`query` only reads") as caught:
        database.one_that_reads(sql)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from glob('/etc/*')",
        "select * from read_text('/etc/passwd')",
        "select * from OUTSIDE",
        "select * from read_only",
        "select * from v",
        "select * from duckdb_secrets()",
        "with x as (insert into t values (1) returning i) select * from x",
        "explain analyze insert into t values (1)",
        "explain analyze copy t to '/tmp/stolen.csv'",
        "select * from read_parquet('https://example.org/x.parquet')",
    ],
)
def test_a_statement_reaches_nothing_but_the_database(database: ReadOnlyDuckDB, sql: str) -> None:
    """Neither files, the network, variables of this program nor anything that writes, though it looks like a query."""
    with pytest.raises(StatementError):
        database.select(database.one_that_reads(sql)).first(1)


def test_the_files_of_external_models_are_reached(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view over a file that is named works, by its file or its folder; by a relative path only in its folder."""
    monkeypatch.chdir(path.parent)
    for place in (path.parent / "made.parquet", path.parent):
        with read_only(path, folder=path.parent, only=[place]) as opened:
            assert opened.query("select count(*) from v") == [(30_000,)]


def test_one_statement_and_no_more(database: ReadOnlyDuckDB) -> None:
    """None and several are refused by their number."""
    for sql, words in (("", "is no statement"), ("-- none", "is no statement"), ("select 1; select 2", "are 2 state")):
        with pytest.raises(StatementError, match=words):
            database.one_that_reads(sql)


def test_an_error_points_at_its_place(database: ReadOnlyDuckDB) -> None:
    """In DuckDB's words, in one paragraph."""
    with pytest.raises(StatementError) as caught:
        database.select("select * from tt")
    lines = caught.value.message.splitlines()
    assert lines[0] == "Catalog Error: Table with name tt does not exist!"
    assert lines[-2:] == ["LINE 1: select * from tt", "                      ^^"]
    assert "" not in lines
    assert "show all tables" in str(caught.value.to_fix)
    with pytest.raises(StatementError, match="Parser Error") as caught:
        database.one_that_reads("selec 1")
    assert caught.value.to_fix == "correct the statement"


def test_rows_are_read_as_they_are_wanted(database: ReadOnlyDuckDB) -> None:
    """The first rows of very many come at once; all rows come in batches."""
    assert database.select("from range(1000000000000)").first(2) == [(0,), (1,)]
    sizes = [len(batch) for batch in database.select("from t").batches()]
    assert sum(sizes) == 30_000 and len(sizes) > 1


def test_a_parquet_file(database: ReadOnlyDuckDB, tmp_path: Path) -> None:
    """Only the one that was named is written."""
    out = tmp_path / "out.parquet"
    assert database.write_parquet("from t", out, limit=5) == (("i", "BIGINT"),)
    with duckdb.connect() as connection:
        assert connection.execute(f"select count(*) from '{out}'").fetchall() == [(5,)]
    with pytest.raises(StatementError, match="Permission"):
        database.write_parquet("from t", tmp_path / "other.parquet")


def test_ctrl_c_ends_an_endless_statement(database: ReadOnlyDuckDB) -> None:
    """At once, although DuckDB itself would take the signal at the statement's end."""
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        database.select(ENDLESS).first(1)
    assert database.query("select 1") == [(1,)]


def test_a_file_that_is_written_elsewhere_is_locked(path: Path) -> None:
    """The error is the one of every look at a database."""
    with (
        duckdb.connect(str(path)),
        pytest.raises(DatabaseLockedError),
        read_only(path),
    ):
        pass
