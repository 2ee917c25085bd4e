"""What a database is called after its file: the rules that we wrote down, held to DuckDB and to dbt-duckdb."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from dbt.adapters.duckdb.credentials import DuckDBCredentials

from orchestrator.database.file_names import database_for_dbt, database_in, is_a_file, why_unusable

USABLE = ["sim.duckdb", "sim.v2.duckdb", "sim.2026.duckdb", "sim..db", "plain", "memory.duckdb", ".hidden.duckdb"]
USABLE += ["two words.duckdb", "a.it's.db", "ünï.duckdb", "with?mark.duckdb", "a%20b.duckdb", "f;g/x.duckdb", "1.2.db"]
UNUSABLE = ["main.duckdb", "TEMP.duckdb", "system.v2.duckdb", "a#b.duckdb", "a;b.duckdb", "f#g/x.db", "f?g/x.db"]


def made(path: Path) -> str:
    """Make a database and return what DuckDB calls it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        return str(connection.execute("select current_database()").fetchall()[0][0])


@pytest.mark.parametrize("name", [*USABLE, *UNUSABLE])
def test_the_rules_are_those_of_duckdb_and_dbt(tmp_path: Path, name: str) -> None:
    """Every name is what DuckDB makes of the file, and what dbt-duckdb takes it for; where they differ, we say so."""
    path = tmp_path / name
    assert database_in(path) == made(path)
    assert database_for_dbt(path) == DuckDBCredentials.path_derived_database_name(str(path))
    assert (why_unusable(path) is None) is (name in USABLE)


def test_a_link_is_called_as_the_file_that_it_leads_to(tmp_path: Path) -> None:
    """DuckDB follows a link before it takes the name, so a good file is good under any link."""
    made(tmp_path / "real.duckdb")
    (tmp_path / "main.duckdb").symlink_to("real.duckdb")
    assert database_in(tmp_path / "main.duckdb") == made(tmp_path / "main.duckdb") == "real"
    assert why_unusable(tmp_path / "main.duckdb") is None


def test_a_link_that_leads_to_itself_is_unusable(tmp_path: Path) -> None:
    """There is no file at its end."""
    (tmp_path / "loop.duckdb").symlink_to("loop.duckdb")
    assert "back to itself" in str(why_unusable(tmp_path / "loop.duckdb"))


@pytest.mark.parametrize("name", ['quo"te.duckdb', "it's.duckdb", "back\\slash.duckdb"])
def test_names_that_break_the_sql_of_dbt_are_unusable(tmp_path: Path, name: str) -> None:
    """The reason names the character."""
    assert "in its name" in str(why_unusable(tmp_path / name))


@pytest.mark.parametrize("path", [":memory:", ":memory:mine", "md:mine", "MotherDuck:x", "s3://b/x.db", "ducklake:x"])
def test_services_and_memory_are_no_files(path: str) -> None:
    """What DuckDB keeps elsewhere has no file."""
    assert not is_a_file(path)
    assert is_a_file(f"var/{path.rpartition(':')[2] or 'x'}")
