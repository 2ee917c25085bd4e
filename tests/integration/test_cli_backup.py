"""``orchestrator backup`` as a user meets it."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
from pathlib import Path

import duckdb
import pytest

from tests.support.cli_project import Cli
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.slow


@pytest.fixture
def place(lakes: Cli) -> Cli:
    """Give the project without backups or history."""
    for folder in ("backups", "runs"):
        shutil.rmtree(lakes.root / "var" / folder, ignore_errors=True)
    return lakes


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


def test_commands_of_its_last_lines_can_be_typed(place: Cli, tmp_path: Path) -> None:
    """They carry the options that were given, and none that the command named there does not know."""
    config = ("--config", "config/simulation.yaml")
    assert place("backup", "create", *config).out.endswith(" --config config/simulation.yaml\n")
    restored = place("backup", "restore", "-y", *config)
    assert restored.exit_code == 0 and restored.out.endswith(" --config config/simulation.yaml\n")
    place.sql("create table other as select 1 as n")
    other = tmp_path / "other.duckdb"
    shutil.copy(place.database, other)
    refused = place("backup", "restore", "-y", *config, "--database", str(other))
    assert refused.exit_code == 1
    assert refused.err.endswith("To fix: see `orchestrator backup list --config config/simulation.yaml`\n")


def test_what_a_backup_of_a_scenario_says_restores_it(lakes: Cli, tmp_path: Path) -> None:
    """In the layout that `orchestrator new` writes too: the file in the project, its scenarios beside it."""
    shutil.copytree(lakes.root, tmp_path / "lakes")
    place = Cli(tmp_path / "lakes", tmp_path / "lakes" / "var" / lakes.database.name)
    file = place.root / "orchestrator.yaml"
    shutil.move(place.root / "config" / "simulation.yaml", file)
    (place.root / "scenarios").mkdir(exist_ok=True)
    (place.root / "scenarios" / "strong.yaml").write_text("database: var/strong.duckdb\n")
    place.sql("create table other as select 1 as n")
    strong = place.root / "var" / "strong.duckdb"
    shutil.copy(place.database, strong)
    told = [place("backup", "create", *options) for options in ((), ("--scenario", "strong"))]
    for made in told:
        assert made.exit_code == 0, made.err
        assert strong.name in made.out and place.database.name in made.out
        strong.write_bytes(b"lost")
        command = shlex.split(made.out.splitlines()[-1].partition("orchestrator ")[2])
        restored = place(*command, "--yes")
        assert restored.exit_code == 0, restored.err
        with duckdb.connect(str(strong), read_only=True) as connection:
            assert connection.execute("select n from other").fetchall() == [(1,)]
    assert "var/strong.duckdb" in place("migrate", "--dry-run").out


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


def test_what_healing_replaces_is_backed_up_where_that_is_wanted(place: Cli) -> None:
    """Not when something is only missing, and only as many backups stay as are to be kept."""
    wanted = ("--set", "backup.before_heal=true", "--set", "backup.keep=2")
    place.sql("drop table lake_shape cascade")
    healed = place("init", *wanted)
    assert healed.exit_code == 0, healed.err
    assert backups(place) == []
    for number in range(3):
        place.sql("alter table rain add column odd integer")
        healed = place("init", *wanted)
        assert healed.exit_code == 0, healed.err
        assert "✓ backup" in healed.out
        assert len(backups(place)) == min(number + 1, 2)
    newest = backups(place)[0]["metadata"]
    assert isinstance(newest, dict)
    assert newest["reason"] == "before healing"
    assert place("backup", "restore", "--yes").exit_code == 0
    names = place.sql("select column_name from duckdb_columns() where table_name = 'rain'")
    assert ("odd",) in names


def test_a_finished_database_is_backed_up_and_published(place: Cli) -> None:
    """The published file is read-only, whole, and replaced in one move: who reads the older one goes on reading it."""
    wanted = ("--set", "backup.after_run=true", "--set", "publish=var/out/published.duckdb")
    done = place("simulate", "2000", *wanted)
    assert done.exit_code == 0, done.err
    published = place.root / "var" / "out" / "published.duckdb"
    assert published.stat().st_mode & 0o777 == 0o444
    everything = "select * from lake_level order by all"
    assert [backup["metadata"]["reason"] for backup in backups(place)] == ["after a run"]  # type: ignore[index]
    with duckdb.connect(str(published), read_only=True) as reader:
        before = reader.execute(everything).fetchall()
        assert before == place.sql(everything)
        assert place("simulate", "2001", *wanted).exit_code == 0
        assert reader.execute(everything).fetchall() == before
    with duckdb.connect(str(published), read_only=True) as reader:
        assert reader.execute(everything).fetchall() == place.sql(everything) != before
    shutil.rmtree(published.parent)


def test_a_copy_that_cannot_be_published(place: Cli) -> None:
    """The run is complete in its database, and the command says what is missing."""
    place.root.joinpath("var", "blocked").write_text("")
    done = place("simulate", "2000", "--set", "publish=var/blocked/published.duckdb")
    place.root.joinpath("var", "blocked").unlink()
    assert done.exit_code == 1
    assert "could not be published" in done.err
    assert "To fix:" in done.err
    assert place.sql("select distinct water_year from lake_level") == [(2000,)]


def test_doctor_removes_what_killed_processes_left(place: Cli) -> None:
    """Temporary relations after a backup, notes and folders; what may hold the only rows stays."""
    place.sql(
        "create table rain__dbt_tmp as select 1 as a",
        "create view lake_shape__dbt_backup as select 1 as a",
        "alter table lake_shore rename to lake_shore__dbt_backup",
        "create table mine__dbt_tmp as select 1 as a",
    )
    note = place.database.with_name(f"{place.database.name}.lock.json")
    owner = {"pid": 4194303, "host": socket.gethostname(), "command": "gone", "run_id": "r"}
    note.write_text(json.dumps(owner))
    folder = place.root / "var" / "dbt" / "target-4194303"
    folder.mkdir(parents=True)
    told = place("doctor", "--fix")
    assert told.exit_code == 3, told.err
    assert told.out.count("Fixed: ") == 5
    assert "Fixed: dropped table rain__dbt_tmp" in told.out
    assert "Fixed: made backup" in told.out
    names = {str(name) for (name,) in place.sql("select table_name from information_schema.tables")}
    assert {"lake_shore__dbt_backup", "mine__dbt_tmp", "rain", "lake_shape"} <= names
    assert not {"rain__dbt_tmp", "lake_shape__dbt_backup"} & names
    assert not note.exists()
    assert not folder.exists()
    assert len(backups(place)) == 1
    again = place("doctor", "--fix", "--json")
    assert again.document()["fixed"] == []


def test_doctor_mends_what_it_can(place: Cli) -> None:
    """A project that does not parse, or a damaged database, keeps nothing else from being mended or examined."""
    note = place.database.with_name(f"{place.database.name}.lock.json")
    owner = json.dumps({"pid": 4194303, "host": socket.gethostname(), "command": "gone", "run_id": "r"})
    folder = place.root / "var" / "dbt" / "target-4194303"
    model = place.root / "dbt" / "models" / "foundation" / "broken.sql"
    content = place.database.read_bytes()
    for broken in (model, place.database):
        note.write_text(owner)
        folder.mkdir(parents=True)
        broken.write_text("select {{ ")
        told = place("doctor", "--fix")
        assert told.exit_code == 3, told.err
        assert told.out.count("Fixed: removed ") == 2
        assert "Not fixed: leftover tables: " in told.out
        assert "✗ " + ("parse" if broken == model else "scan") in told.out
        assert "✓ disk" in told.out
        assert not note.exists()
        assert not folder.exists()
        model.unlink(missing_ok=True)
    place.database.write_bytes(content)
    assert place("doctor", "--fix", "--json").document()["not_fixed"] == []


def test_a_migration_as_a_user_meets_it(place: Cli) -> None:
    """What would be done, what was done, and that nothing is left to do; a simulation goes on afterwards."""
    assert place("simulate", "2000").exit_code == 0
    with duckdb.connect() as connection:
        connection.execute(f"attach '{place.database}' as new (read_only)")
        connection.execute(f"attach '{place.database}.old' as old (storage_version 'v1.0.0')")
        connection.execute("copy from database new to old")
    place.database.with_name(f"{place.database.name}.old").replace(place.database)
    before = place.database.read_bytes()
    preview = place("migrate", "--dry-run")
    assert preview.exit_code == 0, preview.err
    assert "var/reservoir.duckdb  to be migrated\n  storage: v1.0.0+ to " in preview.out
    assert "run history  already current" in preview.out
    assert place.database.read_bytes() == before
    done = place("migrate")
    assert done.exit_code == 0, done.err
    assert "var/reservoir.duckdb  migrated" in done.out
    again = place("migrate", "--json").document()
    databases = again["databases"]
    assert isinstance(databases, list)
    assert {one["outcome"] for one in databases} == {"already current"}
    assert place("simulate", "--json").document()["resumed_from"] == {"year": 2001, "stage": "flows"}
    place.database.write_bytes(before[:3000])
    failed = place("migrate")
    assert failed.exit_code == 1
    assert "not begun" in failed.out
    assert place.database.read_bytes() == before[:3000]
