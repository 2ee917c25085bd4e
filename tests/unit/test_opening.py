"""Opening a DuckDB file that another process has open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from orchestrator.core.clocks import Deadline
from orchestrator.core.errors import DatabaseCorruptionError, DatabaseLockedError
from orchestrator.database.duckdb_file import DuckDBReader, open_when_free
from tests.support.programs import start_python

WRITER = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("create table if not exists t as select 1 as a")
print("open", flush=True)
time.sleep(float(sys.argv[2]))
"""


@contextmanager
def written_elsewhere(path: Path, seconds: float) -> Iterator[int]:
    """Let another process have a file open for writing for so long; give its pid."""
    with start_python(["-c", WRITER, str(path), str(seconds)], stderr=None) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "open\n"
        try:
            yield writer.pid
        finally:
            writer.kill()


def test_a_writer_that_ends_in_time_is_waited_for(tmp_path: Path) -> None:
    """With patience a look begins when the writer has closed the file."""
    path = tmp_path / "a.duckdb"
    with written_elsewhere(path, 0.5), DuckDBReader(path, patience=Deadline.after(60)) as reader:
        assert reader.query("select a from t") == [(1,)]


def test_a_writer_that_stays_is_named(tmp_path: Path) -> None:
    """Without patience, or when it is used up, the error names the process that has the file open."""
    path = tmp_path / "a.duckdb"
    with written_elsewhere(path, 60) as pid:
        for patience in (None, Deadline.after(0.2)):
            with pytest.raises(DatabaseLockedError) as caught:
                DuckDBReader(path, patience=patience)
            assert caught.value.pid == pid


def test_only_a_lock_is_waited_for(tmp_path: Path) -> None:
    """What time does not mend is raised at the first try, and what the driver does not raise as it is."""
    path, tries = tmp_path / "a.duckdb", []

    def damaged() -> None:
        tries.append(1)
        raise duckdb.IOException("Corrupt database file")

    with pytest.raises(DatabaseCorruptionError):
        open_when_free(damaged, duckdb.Error, path, patience=Deadline.after(60))
    assert len(tries) == 1
    with pytest.raises(ZeroDivisionError):
        open_when_free(lambda: 1 // 0, duckdb.Error, path, patience=Deadline.after(60))
