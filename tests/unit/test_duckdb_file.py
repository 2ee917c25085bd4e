"""A short look at a DuckDB file."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import duckdb
import pytest

from orchestrator.core.errors import DatabaseError
from orchestrator.database.duckdb_file import DuckDBReader

A_SECOND_LONG = "select bit_xor(hash(n)) from range(300000000) t(n)"  # on one core; DuckDB takes the signal at its end


@pytest.fixture
def reader(tmp_path: Path) -> DuckDBReader:
    """An open look at an empty database."""
    path = tmp_path / "db.duckdb"
    duckdb.connect(str(path)).close()
    return DuckDBReader(path)


def test_ctrl_c_during_a_query_is_ctrl_c(reader: DuckDBReader) -> None:
    """DuckDB makes an error of its own of it, which nobody takes for what it is."""
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    with reader:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            reader.query(A_SECOND_LONG)


def test_an_interruption_by_another_thread_is_an_error(reader: DuckDBReader) -> None:
    """Whoever interrupts from another thread is not the user."""
    timer = threading.Timer(0.1, reader.interrupt)
    with reader:
        timer.start()
        with pytest.raises(DatabaseError, match="Interrupted"):
            reader.query(A_SECOND_LONG)
