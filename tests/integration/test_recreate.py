"""Moving a database aside."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from orchestrator.core.errors import DatabaseError, DatabaseLockedError
from orchestrator.database.errors import refuse_other_database
from orchestrator.maintenance import recreate
from orchestrator.maintenance.recreate import set_aside
from tests.support.cli_project import Cli
from tests.support.programs import run_python


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Make a database with a row that is only in its log."""
    path = tmp_path / "some.duckdb"
    script = "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute('create table t as select 1 as n')"
    script += "; c.execute('checkpoint'); c.execute('insert into t values (2)'); os._exit(1)"
    run_python(["-c", script, str(path)])
    assert path.with_name("some.duckdb.wal").exists()
    return path


def rows(path: Path) -> list[tuple[object, ...]]:
    """Return the rows of the table in a database."""
    with duckdb.connect(str(path)) as connection:
        return connection.execute("select n from t order by n").fetchall()


def test_the_moved_database_still_has_its_log(database: Path) -> None:
    """Under the new name every committed row is there, and under the old name nothing."""
    aside = set_aside(database)
    assert aside is not None
    assert re.fullmatch(r"some\.duckdb\.corrupt-\d{8}T\d{6}Z", aside.name)
    assert sorted(path.name for path in database.parent.iterdir()) == [aside.name, f"{aside.name}.wal"]
    assert rows(aside) == [(1,), (2,)]


def test_two_moves_in_one_second_keep_both(database: Path) -> None:
    """A name that is taken is not used again."""
    first = set_aside(database)
    database.write_bytes(b"another")
    second = set_aside(database)
    assert first is not None and second is not None and first != second
    assert rows(first) == [(1,), (2,)] and second.read_bytes() == b"another"


def test_nothing_to_move(tmp_path: Path) -> None:
    """Where there is no file, none is moved."""
    assert set_aside(tmp_path / "none.duckdb") is None
    assert list(tmp_path.iterdir()) == []


def test_a_log_without_its_database_is_kept_too(database: Path) -> None:
    """DuckDB would remove such a log; it is moved like a database."""
    database.unlink()
    aside = set_aside(database)
    assert aside is not None and aside.with_name(f"{aside.name}.wal").exists()
    assert list(database.parent.glob("some.duckdb.wal")) == []


@pytest.mark.parametrize("step", ["_give_second_name", "rename", "flush_folder"])
def test_a_crash_in_between_loses_nothing(database: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Wherever it is cut off, both rows are in one database under one of the names."""

    def cut(*args: object) -> None:
        raise KeyboardInterrupt

    if step == "rename":
        monkeypatch.setattr(Path, "rename", cut)
    else:
        monkeypatch.setattr(recreate, step, cut)
    with pytest.raises(KeyboardInterrupt):
        set_aside(database)
    monkeypatch.undo()
    whole = [path for path in database.parent.iterdir() if path.suffix != ".wal"]
    assert [rows(path) for path in whole] == [[(1,), (2,)]]


def test_an_open_database_is_not_moved(database: Path) -> None:
    """Another program that has it open is named."""
    with Cli(database.parent, database).open_elsewhere() as pid, pytest.raises(DatabaseLockedError) as caught:
        set_aside(database)
    assert caught.value.pid == pid
    assert database.exists()


def test_a_link_stays_and_its_target_is_moved(database: Path, tmp_path: Path) -> None:
    """Through a symbolic link the file is moved where it lies."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "link.duckdb"
    link.symlink_to(database)
    aside = set_aside(link)
    assert aside is not None and aside.parent == database.parent
    assert rows(aside) == [(1,), (2,)]


def test_a_folder_in_its_place_is_left_alone(tmp_path: Path) -> None:
    """What somebody keeps in it is no database, whatever its name."""
    place = tmp_path / "some.duckdb"
    place.mkdir()
    with pytest.raises(DatabaseError, match="is a folder, not a file"):
        set_aside(place)
    assert list(tmp_path.iterdir()) == [place]


def test_what_belongs_to_another_program_is_not_moved(tmp_path: Path) -> None:
    """Nor a device: whoever follows an advice must not lose anything by it."""
    other = tmp_path / "other.duckdb"
    with closing(sqlite3.connect(other)) as made:
        made.execute("create table t (a)")
    with pytest.raises(DatabaseError, match="it is an SQLite file") as caught:
        refuse_other_database(other)
    assert "recreate" not in str(caught.value.to_fix)
    with pytest.raises(DatabaseError, match="is a device, not a file"):
        refuse_other_database(Path("/dev/null"))
