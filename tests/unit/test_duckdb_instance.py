"""Files attached for a short look to an instance that this process keeps."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from orchestrator.core.cancel_token import CancelToken
from orchestrator.core.clocks import Deadline
from orchestrator.core.errors import DatabaseCorruptionError, DatabaseLockedError, RunCancelledError
from orchestrator.database import duckdb_instance
from orchestrator.database.duckdb_file import DuckDBReader
from orchestrator.database.duckdb_instance import attach
from tests.support.programs import run_python

WRITE = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('create or replace table t as select 2 as a')"


def database(path: Path) -> Path:
    """Make a database with one table in a schema of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema s; create table s.u (x integer); create table t as select 1 as a")
    return path


def written_elsewhere(path: Path) -> bool:
    """Tell whether another process may write to the file."""
    return run_python(["-c", WRITE, str(path)]).returncode == 0


NAMES = ["plain", "with-dash", "Two Words", 'quo"te', "o'clock", "memory", "temp", "main", "sim.v2", ".hidden"]


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_as_a_connection_of_its_own_does(tmp_path: Path, name: str) -> None:
    """Names of databases, schemas and relations are those that DuckDB gives, and the lock is free afterwards."""
    path = database(tmp_path / f"{name}.duckdb")
    with DuckDBReader(path) as own:
        expected = own.catalog()
    with DuckDBReader(path, shared=True) as reader:
        assert reader.catalog() == expected
        assert reader.query("select a from t") == [(1,)]
        assert not written_elsewhere(path)
    assert written_elsewhere(path)
    with DuckDBReader(path, shared=True) as reader:
        assert reader.query("select a from t") == [(2,)]


def test_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    """Of two open files with one name each reader sees its own, and the same file may be read twice at once."""
    one, other = database(tmp_path / "one" / "db.duckdb"), database(tmp_path / "other" / "db.duckdb")
    assert written_elsewhere(other)
    with DuckDBReader(one, shared=True) as first, DuckDBReader(other, shared=True) as second:
        assert first.query("select a from t") == [(1,)]
        assert second.query("select a from t") == [(2,)]
        with DuckDBReader(other, shared=True) as third:
            assert third.query("select a from t") == [(2,)]


def test_what_is_wrong_with_a_file_is_told_as_ever(tmp_path: Path) -> None:
    """A file that is held, by another process or by this one, or is no database, raises what it always does."""
    path = database(tmp_path / "db.duckdb")
    with duckdb.connect(str(path)), pytest.raises(DatabaseLockedError):
        DuckDBReader(path, shared=True)
    bad = tmp_path / "bad.duckdb"
    bad.write_text("hello" * 1000)
    with pytest.raises(DatabaseCorruptionError):
        DuckDBReader(bad, shared=True)


def test_a_look_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    """While somebody writes, a look without patience fails at once, one with waits, and a cancelled one gives up."""
    path = database(tmp_path / "db.duckdb")
    token = CancelToken("r")
    writer = duckdb.connect(str(path))
    with pytest.raises(DatabaseLockedError):
        DuckDBReader(path)
    with pytest.raises(DatabaseLockedError):
        DuckDBReader(path, patience=Deadline.after(0.1))
    token.cancel()
    with pytest.raises(RunCancelledError):
        DuckDBReader(path, patience=Deadline.after(60, token))
    done = threading.Timer(0.1, writer.close)
    done.start()
    with DuckDBReader(path, patience=Deadline.after(60)) as reader:
        assert reader.query("select a from t") == [(1,)]
    done.join()


def test_a_look_that_was_cut_off_does_not_hold_the_file_for_ever(tmp_path: Path) -> None:
    """What Ctrl-C left attached is detached by the next look, whose end frees the lock."""
    path = database(tmp_path / "left.duckdb")
    left = attach(path)
    assert left is not None
    left.cursor.execute("use memory")
    duckdb_instance._attached.discard("left")
    with DuckDBReader(path, shared=True) as reader:
        assert reader.query("select a from t") == [(1,)]
    assert written_elsewhere(path)


def test_a_forked_process_has_an_instance_of_its_own(tmp_path: Path) -> None:
    """After fork(), the child does not use the threads that it lost."""
    path = database(tmp_path / "db.duckdb")
    code = f"""
import os
from pathlib import Path
from orchestrator.database.duckdb_file import DuckDBReader
path = Path({str(path)!r})
with DuckDBReader(path, shared=True) as reader:
    reader.catalog()
child = os.fork()
if child == 0:
    with DuckDBReader(path, shared=True) as reader:
        os._exit(0 if reader.query("select sum(range) from range(10000000)") else 1)
print(os.waitpid(child, 0)[1])
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
        check=False,
    )
    assert done.stdout == "0\n", done.stderr
