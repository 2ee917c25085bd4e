"""``orchestrator show``: the rows of one table."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.support.cli_project import Cli

ODD = (
    "insert into lake_level values ('a' || chr(27) || '[2J', 2000, 1.5), ('b' || chr(10) || 'c', 2001, null), "
    "('d,\"e\"', 2001, 12.25)"
)


@pytest.fixture
def levels(lakes: Cli) -> Cli:
    """Give the project with three odd rows in a table of years."""
    lakes.sql(ODD)
    return lakes


def test_rows_are_shown_without_dbt(levels: Cli) -> None:
    """Numbers are aligned, NULL is seen, control characters are written out; neither dbt nor SQLAlchemy is imported."""
    told = levels("show", "lake_level", python=["-X", "importtime"])
    assert told.exit_code == 0, told.err
    assert told.out.splitlines() == [
        "lake      water_year    level",
        "a\\x1b[2J        2000   1.5000",
        "b\\nc            2001     NULL",
        'd,"e"           2001  12.2500',
        "",
        "3 rows",
    ]
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in told.err.splitlines()}
    assert not imported & {"dbt", "dbt_common", "sqlalchemy"}


def test_rows_of_a_year_and_the_first_ones(levels: Cli) -> None:
    """``--year`` goes by the configured column, ``--limit`` says how many there are."""
    told = levels("show", "main.lake_level", "--year", "2000", "--limit", "1")
    assert told.out.splitlines()[1:] == ["a\\x1b[2J        2000  1.5000", "", "1 row"]
    assert levels("show", "lake_level", "--year", "2001", "--limit", "1").out.endswith("\n1 of 2 rows\n")
    refused = levels("show", "lakes", "--year", "2000", "--json")
    assert refused.exit_code == 2
    assert refused.error()["message"].startswith("lakes has no column water_year")
    assert refused.error()["to_fix"] == "leave out --year"
    levels.sql("insert into lake_level select 'x', 2002, 1 from range(30)")
    assert levels("show", "lake_level").out.endswith("\n20 of 33 rows\n")


def test_the_rows_as_json(levels: Cli) -> None:
    """Columns with their types, rows by name, how many there are and are shown."""
    document = levels("show", "LAKE_LEVEL", "--limit", "2", "--json").document()
    assert document == {
        "ok": True,
        "status": "shown",
        "table": "lake_level",
        "columns": [
            {"name": "lake", "type": "VARCHAR"},
            {"name": "water_year", "type": "INTEGER"},
            {"name": "level", "type": "DECIMAL(18,4)"},
        ],
        "rows": [
            {"lake": "a\x1b[2J", "water_year": 2000, "level": 1.5},
            {"lake": "b\nc", "water_year": 2001, "level": None},
        ],
        "total": 3,
        "shown": 2,
    }


def test_all_rows_as_csv(levels: Cli) -> None:
    """Data is written as it is, whatever the encoding of the terminal; NULL is an empty field."""
    levels.sql("insert into lake_level values ('é', 2002, 1), ('', 2002, 1)")
    told = levels("show", "lake_level", "--csv", env={"PYTHONIOENCODING": "ascii"})
    assert told.exit_code == 0, told.err
    assert told.out == (
        'lake,water_year,level\na\x1b[2J,2000,1.5000\n"b\nc",2001,\n"d,""e""",2001,12.2500\né,2002,1.0000\n'
        '"",2002,1.0000\n'
    )
    levels.sql("insert into lake_level select 'x', 2002, 1 from range(30)")
    assert levels("show", "lake_level", "--csv").out.count("\nx,2002") == 30
    assert levels("show", "lake_level", "--csv", "--limit", "1").out.count("\n") == 2


def test_all_rows_as_a_parquet_file(levels: Cli, tmp_path: Path) -> None:
    """The file is replaced as a whole where it is a Parquet file; any other is left alone."""
    file = tmp_path / "it's.parquet"
    for _ in range(2):
        told = levels("show", "lake_level", "--parquet", str(file))
        assert (told.exit_code, told.out) == (0, f"Wrote 3 rows of lake_level to {file}.\n")
    document = levels("show", "lake_level", "--parquet", str(file), "--limit", "2", "--json").document()
    assert document["written"] == 2 and document["total"] == 3 and document["file"] == str(file)
    with duckdb.connect() as connection:
        count = connection.execute("select count(*), sum(water_year) from read_parquet(?)", [str(file)])
        assert count.fetchall() == [(2, 4001)]
    assert list(tmp_path.iterdir()) == [file]
    for other in (levels.database, levels.root / "config" / "simulation.yaml", tmp_path):
        before = other.read_bytes() if other.is_file() else b""
        refused = levels("show", "lake_level", "--parquet", str(other))
        assert refused.exit_code == 2
        assert "exists, and is not a Parquet file.\nTo fix: name another file" in refused.err
        assert (other.read_bytes() if other.is_file() else b"") == before
    assert "there is no folder" in levels("show", "lake_level", "--parquet", str(tmp_path / "no" / "x")).err
    assert "--csv and --json cannot be used together" in levels("show", "lake_level", "--csv", "--json").err


def test_a_table_that_is_not_there(levels: Cli) -> None:
    """The nearest name is told, and a table that is not built yet, or never, is told from a wrong name."""
    told = levels("show", "lake_levle")
    assert told.exit_code == 2
    assert told.err == (
        "Error: There is no table 'lake_levle' in the project or its database.\n"
        "To fix: write lake_level; `orchestrator check` lists the tables of the project\n"
    )
    told = levels("show", "inflow", "--set", "vars.rain_factor=2")
    assert told.exit_code == 2
    assert "inflow is not in the database: it is not built yet.\nTo fix: run `orchestrator simulate --set" in told.err
    levels.sql("create schema other", "create table other.apart (i integer)", "create table main.apart (i integer)")
    told = levels("show", "apart")
    assert told.exit_code == 2
    assert "Several tables are called apart: reservoir.main.apart, reservoir.other.apart." in told.err
    assert levels("show", "reservoir.other.apart").exit_code == 0


def test_a_database_that_is_not_there_or_in_use(levels: Cli) -> None:
    """Nothing is created; a run that has it open is named."""
    with levels.open_elsewhere() as pid:
        told = levels("show", "lakes")
    assert told.exit_code == 75
    assert str(pid) in told.err
    with levels.held(), levels.open_elsewhere():
        assert "orchestrator simulate" in levels("show", "lakes").err
    levels.database.unlink()
    told = levels("show", "lakes")
    assert told.exit_code == 2
    assert "There is no database" in told.err and "To fix: run `orchestrator init`" in told.err
    assert not levels.database.exists()


def test_a_view_whose_tables_are_gone(levels: Cli) -> None:
    """It is a fault of the database, not of the command line."""
    levels.sql("create table gone (i integer)", "create view over as select i from gone", "drop table gone")
    told = levels("show", "over")
    assert told.exit_code == 1
    assert told.err.startswith("Error: main.over cannot be read: ")
    assert "gone" in told.err and "Traceback" not in told.err
