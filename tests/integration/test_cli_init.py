"""``orchestrator init``."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.support.cli_project import COLD, REQUIRED, Cli, interrupt
from tests.support.workspaces import REPOSITORY


def test_nothing_to_do_is_said_within_one_look(lakes: Cli) -> None:
    """A healthy database is left as it is, and dbt is not started."""
    before = lakes.database.read_bytes()
    told = lakes("init")
    assert told.exit_code == 0
    assert "Nothing to do" in told.out and "start dbt" not in told.out
    assert lakes.database.read_bytes() == before


def test_dry_run_lists_exactly_the_nodes_to_build(lakes: Cli) -> None:
    """A dropped seed and a dropped foundation table make two commands of one node; nothing is written."""
    lakes.sql("drop table rain", "drop table lake_shore")
    before = lakes.database.read_bytes()
    told = lakes("init", "--dry-run", "--json")
    assert told.exit_code == 0
    assert told.document() == {
        "ok": True,
        "status": "planned",
        "healing": [
            {"step": "load_seeds", "command": "dbt seed", "nodes": ["rain"]},
            {"step": "build_foundation", "command": "dbt run", "nodes": ["lake_shore"]},
        ],
    }
    assert lakes.database.read_bytes() == before


def test_init_builds_exactly_what_is_missing(lakes: Cli) -> None:
    """Healing shows each step once, as plain lines, and says what was created."""
    lakes.sql("drop table rain", "drop table lake_shore")
    told = lakes("init", "-v")
    assert told.exit_code == 0, told.err
    for words in ("2 of 6 required tables not ready", "start dbt", "load_seeds", "build_foundation", "verify"):
        assert told.out.count(words) == 1
    assert "seed rain" in told.out and "model lake_shore" in told.out
    assert "Created 2 tables: lake_shore, rain" in told.out
    assert "\x1b" not in told.out
    assert lakes("check", "-q").exit_code == 0


def test_recreate_moves_a_damaged_file_and_its_log_aside(lakes: Cli) -> None:
    """The old bytes are kept under a new name, a new database is built, and the document says where."""
    damaged = b"not a database" * 999
    log = lakes.database.with_name(f"{lakes.database.name}.wal")
    lakes.database.write_bytes(damaged)
    log.write_bytes(b"a log")
    told = lakes("init", "--recreate", "--yes", "--json")
    assert told.exit_code == 0, told.err
    (aside,) = lakes.asides()
    document = told.document()
    assert document["set_aside"] == str(aside)
    assert sorted(str(name) for name in document["tables_created"]) == sorted(REQUIRED)  # type: ignore[attr-defined]
    assert aside.read_bytes() == damaged
    assert aside.with_name(f"{aside.name}.wal").read_bytes() == b"a log"
    assert "moved var/reservoir.duckdb to var/reservoir.duckdb.corrupt-" in told.err
    assert lakes("check", "-q").exit_code == 0


def test_recreate_waits_for_nobody_longer_than_allowed(lakes: Cli) -> None:
    """Another run that holds the mutex is named, exit 75, and nothing is moved."""
    with lakes.held():
        told = lakes("init", "--recreate", "--yes", "--json", "--set", "self_healing.lock_timeout_seconds=0.3")
    assert told.exit_code == 75
    assert "orchestrator simulate" in told.error()["message"]
    assert f"pid {os.getpid()}" in told.err
    assert lakes.asides() == []


def test_recreate_refuses_a_file_that_another_program_has_open(lakes: Cli) -> None:
    """A program that would go on writing into the moved file is named, exit 75."""
    with lakes.open_elsewhere() as pid:
        told = lakes("init", "--recreate", "--yes")
    assert told.exit_code == 75
    assert f"pid {pid}" in told.err and "To fix:" in told.err
    assert lakes.asides() == []


@pytest.mark.parametrize("flags", [(), ("--json",), ("-q",)])
def test_recreate_moves_nothing_where_nobody_can_be_asked(lakes: Cli, flags: tuple[str, ...]) -> None:
    """Without a terminal it needs --yes, as a restore does, and ends with 2."""
    before = lakes.database.read_bytes()
    told = lakes("init", "--recreate", *flags)
    assert told.exit_code == 2
    assert "moves var/reservoir.duckdb aside" in told.err and "To fix: add --yes" in told.err
    assert lakes.asides() == [] and lakes.database.read_bytes() == before


@pytest.mark.parametrize("flags", [("--yes",), ("--dry-run",)])
def test_recreate_refuses_a_folder(lakes: Cli, tmp_path: Path, flags: tuple[str, ...]) -> None:
    """It is left where it is, with the words of every other command."""
    folder = tmp_path / "precious"
    folder.mkdir()
    told = lakes("init", "--recreate", *flags, "--database", str(folder))
    assert told.exit_code == 1
    assert f"The database {folder} is a folder, not a file.\nTo fix: set `database:`" in told.err
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(("answer", "exit_code", "moved"), [("n", 2, 0), ("y", 0, 1)])
def test_recreate_asks_on_a_terminal(lakes: Cli, answer: str, exit_code: int, moved: int) -> None:
    """Only a yes moves the database; nothing else does."""
    leader, terminal = pty.openpty()
    os.write(leader, f"{answer}\n".encode())
    command = [sys.executable, "-m", "orchestrator", "init", "--recreate"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command, cwd=lakes.root, env=environment, stdin=terminal, stdout=terminal, stderr=subprocess.PIPE, check=False
    )
    os.close(terminal)
    os.close(leader)
    assert (done.returncode, len(lakes.asides())) == (exit_code, moved), done.stderr
    assert (b"Nothing was changed." in done.stderr) is (answer == "n")


def test_recreate_dry_run_changes_nothing(lakes: Cli) -> None:
    """It says what would be moved and that everything would be built."""
    told = lakes("init", "--recreate", "--dry-run", "--json")
    assert told.exit_code == 0
    assert told.document()["set_aside"] == str(lakes.database)
    healing = told.document()["healing"]
    assert isinstance(healing, list)
    assert sorted(node for command in healing for node in command["nodes"]) == sorted(REQUIRED)
    assert lakes.asides() == []


def test_the_timeout_ends_a_healing_with_124(lakes: Cli) -> None:
    """The message names the limit, since when it counts and what it is by default; nothing is half built."""
    lakes.sql("drop table rain")
    told = lakes("init", "--timeout", "0.01", "--json", env=COLD)
    assert told.exit_code == 124
    assert told.error()["type"] == "InitializationTimeoutError"
    assert "Healing took longer than 0.01 seconds, counted from the moment dbt was ready" in told.error()["message"]
    assert "--timeout or self_healing.timeout_seconds (600 where it is not set)" in told.error()["to_fix"]
    assert "hook" not in told.err


def test_a_wait_for_another_run_ends_by_its_own_limit(lakes: Cli) -> None:
    """The time for the repair, which is over long before, has no say in it: dbt is not even ready."""
    lakes.sql("drop table rain")
    limits = ("--timeout", "0.001", "--set", "self_healing.lock_timeout_seconds=1")
    with lakes.held():
        told = lakes("init", "--json", *limits)
    assert told.exit_code == 75
    assert "self_healing.lock_timeout_seconds" in told.error()["to_fix"]
    assert "1.0 s" in told.error()["message"] or "1 second" in told.error()["message"], told.error()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_the_wait_for_another_run(lakes: Cli, number: signal.Signals) -> None:
    """While it waits, init says for whom; Ctrl-C and SIGTERM end it with 130."""
    lakes.sql("drop table rain")
    with lakes.held():
        process = lakes.start("init")
        assert process.stdout is not None
        while "waiting for pid" not in (line := process.stdout.readline()):
            assert line, process.communicate()
        assert "(orchestrator simulate)" in line and "giving up after 30 s" in line
        told = interrupt(process, number)
    assert told.exit_code == 130
    assert told.err.startswith("Interrupted after") and "run the same command again" in told.err
    assert "Traceback" not in told.err
    with duckdb.connect(str(lakes.database)) as connection:
        assert connection.execute("select 1").fetchall() == [(1,)]


def test_accept_goes_with_nothing_that_builds(lakes: Cli) -> None:
    """The option that was given is named, and no other."""
    told = lakes("init", "--accept", "lakes", "--dry-run")
    assert told.exit_code == 2
    assert "--dry-run cannot be used with it" in told.err and "--recreate" not in told.err
    told = lakes("init", "--accept", "lakes", "--dry-run", "--recreate")
    assert "To fix: leave out --accept, or --dry-run and --recreate\n" in told.err
