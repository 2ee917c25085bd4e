"""``orchestrator backup`` as a user meets it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.integration.cli_project import Cli, healed_home, lakes
from tests.storage.postgres import PostgresServer, running_server

__all__ = ["healed_home", "lakes"]


@pytest.fixture
def place(lakes: Cli) -> Cli:
    """Give the project without backups or history."""
    for folder in ("backups", "runs"):
        shutil.rmtree(lakes.root / "var" / folder, ignore_errors=True)
    return lakes


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Run a server of this module's own."""
    with running_server() as made:
        yield made


def backups(place: Cli) -> list[dict[str, object]]:
    """Return all backups, newest first."""
    told = place("backup", "list", "--json")
    assert told.exit_code == 0, told.err
    found = told.document()["backups"]
    assert isinstance(found, list)
    return found


def test_a_simulation_goes_on_from_where_the_backup_was_taken(place: Cli) -> None:
    """Back up, simulate on, lose everything, restore: the ledger knows the years of the backup."""
    assert place("simulate", "2000-2001").exit_code == 0
    columns = place.sql(
        "select column_name from duckdb_columns() where table_name = 'lake_level' order by column_index"
    )
    everything = f"select {', '.join(str(name) for (name,) in columns)} from lake_level order by all"
    then = place.sql(everything)
    made = place("backup", "create", "--reason", "two years")
    assert made.exit_code == 0, made.err
    assert "restore   orchestrator backup restore" in made.out
    assert place("simulate").exit_code == 0
    whole = place.sql(everything)
    place.database.write_bytes(b"not a database any more")
    restored = place("backup", "restore", "--yes")
    assert restored.exit_code == 0, restored.err
    assert "to undo: orchestrator backup restore" in restored.out
    assert place.sql(everything) == then
    again = place("simulate", "--json")
    assert again.exit_code == 0, again.err
    assert again.document()["resumed_from"] == {"year": 2002, "stage": "flows"}
    assert place.sql(everything) == whole
    reasons = [backup["metadata"]["reason"] for backup in backups(place)]  # type: ignore[index]
    assert reasons[1:] == ["two years"]
    assert reasons[0].startswith("before restoring ")


def test_a_backup_is_checked_listed_and_removed(place: Cli) -> None:
    """Each verb with words and with its document."""
    assert "No backup yet" in place("backup", "list").out
    assert place("backup", "verify").exit_code == 2
    made = place("backup", "create", "--json").document()
    metadata = made["metadata"]
    assert isinstance(metadata, dict)
    assert [record["name"] for record in metadata["databases"]] == ["var/reservoir.duckdb"]
    assert place("backup", "verify").out.endswith("is whole.\n")
    file = place.root / "var" / "backups" / str(made["name"]) / metadata["databases"][0]["files"][0]["name"]
    content = bytearray(file.read_bytes())
    content[5000] ^= 1
    file.write_bytes(content)
    damaged = place("backup", "verify", "--json")
    assert damaged.exit_code == 3
    assert damaged.document()["whole"] is False
    before = place.database.read_bytes()
    refused = place("backup", "restore", "--yes")
    assert refused.exit_code == 1
    assert "is damaged" in refused.err
    assert "To fix:" in refused.err
    assert place.database.read_bytes() == before
    assert place("backup", "create").exit_code == 0
    pruned = place("backup", "prune", "--keep", "1", "--json").document()
    assert pruned["removed"] == [made["name"]]


def test_nothing_is_overwritten_unasked(place: Cli) -> None:
    """Where nobody can be asked, ``--yes`` is what to add."""
    assert place("backup", "create").exit_code == 0
    before = place.database.read_bytes()
    refused = place("backup", "restore")
    assert refused.exit_code == 2
    assert "--yes" in refused.err
    assert place.database.read_bytes() == before


def test_a_run_keeps_backups_away(place: Cli) -> None:
    """75, with the holder's name, after the configured time."""
    with place.held():
        told = place("backup", "create", "--set", "self_healing.lock_timeout_seconds=0.2")
    assert told.exit_code == 75
    assert "orchestrator simulate" in told.err


def test_a_history_on_postgresql(place: Cli, server: PostgresServer) -> None:
    """It is dumped and put back by PostgreSQL's own programs; the password is nowhere."""
    url = server.make_database()
    option = ("--set", f"storage.url={url}")
    assert place("simulate", "2000", *option).exit_code == 0
    run_id = place("runs", "list", "--json", *option).document()["runs"][0]["run_id"]  # type: ignore[index]
    made = place("backup", "create", *option)
    assert made.exit_code == 0, made.err
    assert place("runs", "delete", run_id, *option).exit_code == 0
    restored = place("backup", "restore", "--yes", *option)
    assert restored.exit_code == 0, restored.err
    runs = place("runs", "list", "--json", *option).document()["runs"]
    assert [run["run_id"] for run in runs] == [run_id]  # type: ignore[attr-defined]
    secret = url.split(":")[2].split("@")[0].encode()
    folder = place.root / "var" / "backups"
    assert [path for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()] == []
