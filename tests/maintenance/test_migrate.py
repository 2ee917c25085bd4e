"""Migrations: each database to the newest shape, or as it was."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from orchestrator.config.paths import backups_dir
from orchestrator.core.events import Event
from orchestrator.ledger.layouts import LAYOUTS
from orchestrator.maintenance.backup.backup import list_backups, verify_backup
from orchestrator.maintenance.backup.exclusion import recover
from orchestrator.maintenance.backup.journal import JOURNAL
from orchestrator.maintenance.backup.workspace import DUCKDB, WorkspaceDatabase
from orchestrator.maintenance.migrate import (
    CURRENT,
    FAILED,
    IN_USE,
    MIGRATED,
    REFUSED,
    SKIPPED,
    TO_MIGRATE,
    Migration,
    migrate_databases,
)
from orchestrator.storage.head import HEAD, VERSION_TABLE
from tests.maintenance.conftest import Shop
from tests.storage.test_initialization import make_old
from tests.support.cli_project import Cli
from tests.support.kills import count_operations, die_before

pytestmark = pytest.mark.slow

ODD = '"odd ""name"'


class PlantedError(OSError):
    """What goes wrong on purpose."""


@pytest.fixture
def old(tmp_path: Path) -> Shop:
    """Give a workspace of older shapes: DuckDB's storage of 1.0, the first layout of the ledger, an older history."""
    shop = Shop(tmp_path / "old shop")
    shop.root.mkdir()
    (shop.root / "var").mkdir()
    with closing(duckdb.connect()) as connection:
        connection.execute(f"attach '{shop.lakes}' as lakes (storage_version 'v1.0.0')")
        connection.execute("use lakes")
        for statement in LAYOUTS[0]:
            connection.execute(statement.format(place="orchestrator"))
        connection.execute("insert into orchestrator.ledger_version values (1)")
        connection.execute("create table lake_level as select i as year, i * 0.5 as level from range(5000) r(i)")
        connection.execute('create table "odd ""name" ("a b" integer primary key, c varchar default \'x\', d date[])')
        connection.execute('insert into "odd ""name" values (1, null, [date \'2026-01-01\'])')
        connection.execute("create view deep as select * from lake_level where level > 10")
        connection.execute("create index by_year on lake_level (year)")
    make_old(shop.url, runs=20)
    return shop


def migrate(shop: Shop, *, dry_run: bool = False) -> tuple[Migration, ...]:
    """Migrate a workspace."""
    return migrate_databases(shop.databases, shop.root, dry_run=dry_run, lock_timeout=0)


def test_everything_is_brought_to_the_newest_shape(old: Shop) -> None:
    """Ledger, storage and run history; all rows are kept, backups are there, and a second time finds nothing."""
    before = old.digests()
    lakes, history = migrate(old)
    assert (lakes.outcome, history.outcome) == (MIGRATED, MIGRATED)
    assert [change.partition(":")[0] for change in lakes.changes] == ["ledger", "storage"]
    assert history.changes == (f"run history: schema 0001 to {HEAD}",)
    after = old.digests()
    assert {name: after[name] for name in before if name != "orchestrator.ledger_version"} == {
        name: value for name, value in before.items() if name != "orchestrator.ledger_version"
    }
    assert {"orchestrator.stages", "orchestrator.runs"} <= set(after)
    names = {lakes.backup, history.backup}
    assert {backup.name for backup in list_backups(old.root)} == names
    for backup in list_backups(old.root):
        verify_backup(backup)
    assert [one.outcome for one in migrate(old)] == [CURRENT, CURRENT]
    assert len(list_backups(old.root)) == 2


def test_a_dry_run_changes_no_byte(old: Shop) -> None:
    """It says what would be done."""
    before = old.files()
    lakes, history = migrate(old, dry_run=True)
    assert (lakes.outcome, history.outcome) == (TO_MIGRATE, TO_MIGRATE)
    assert len(lakes.changes) == 2
    assert old.files() == before
    assert not backups_dir(old.root).exists()


def test_a_new_workspace_needs_nothing(shop: Shop) -> None:
    """And a database that does not exist is skipped."""
    before = shop.files()
    databases = (*shop.databases, WorkspaceDatabase("nothing", DUCKDB, shop.root / "nothing.duckdb"))
    found = migrate_databases(databases, shop.root, lock_timeout=0)
    assert [one.outcome for one in found] == [CURRENT, CURRENT, SKIPPED]
    assert shop.files() == before


def test_a_database_that_is_a_link_stays_one(old: Shop, tmp_path: Path) -> None:
    """The file it leads to is migrated."""
    elsewhere = tmp_path / "elsewhere.duckdb"
    old.lakes.rename(elsewhere)
    old.lakes.symlink_to(elsewhere)
    assert [one.outcome for one in migrate(old)] == [MIGRATED, MIGRATED]
    assert old.lakes.is_symlink()
    assert [one.outcome for one in migrate(old)] == [CURRENT, CURRENT]


def count_steps(old: Shop) -> int:
    """Return how many events a migration emits, by a copy of its own."""
    events: list[Event] = []
    migrate_databases(old.databases, old.root, lock_timeout=0, emit=events.append)
    return len(events)


@pytest.mark.parametrize("number", range(2, 11))
def test_a_fault_at_any_step_leaves_the_files_as_they_were(old: Shop, number: int) -> None:
    """A planted fault in the copy, the rewriting, the comparison, before the replacement: nothing has changed."""
    before = old.files()
    left = number
    failed_in: list[str] = []

    def fail(event: Event) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            failed_in.append(type(event).__name__)
            raise PlantedError(f"planted at {event}")

    found = migrate_databases(old.databases, old.root, lock_timeout=0, emit=fail)
    assert failed_in
    failed = [one for one in found if one.outcome in (FAILED, REFUSED)]
    assert len(failed) == 1
    assert "planted" in str(failed[0].error)
    path = "var/lakes of mine.duckdb" if failed[0].database != "run history" else "var/orchestrator.db"
    after = old.files()
    assert after[path] == before[path]
    assert [name for name in after if ".restoring" in name or name.endswith(JOURNAL)] == []
    assert {one.outcome for one in found if one not in failed} <= {MIGRATED}
    assert {one.outcome for one in migrate(old)} <= {MIGRATED, CURRENT}


def test_what_cannot_be_copied_is_left_as_it_is(old: Shop) -> None:
    """A view that lost its table cannot be made again elsewhere: said, restored, and the other one is migrated."""
    with closing(duckdb.connect(str(old.lakes))) as connection:
        connection.execute("create table base as select 1 as a")
        connection.execute("create view broken as select * from base")
        connection.execute("drop table base")
    before = old.files()
    lakes, history = migrate(old)
    if lakes.outcome == FAILED:
        assert old.files()["var/lakes of mine.duckdb"] == before["var/lakes of mine.duckdb"]
        assert lakes.error
    assert history.outcome == MIGRATED


def test_a_damaged_database_fails_alone(old: Shop) -> None:
    """It is named and not touched."""
    old.lakes.write_bytes(old.lakes.read_bytes()[:3000])
    before = old.lakes.read_bytes()
    lakes, history = migrate(old)
    assert (lakes.outcome, lakes.backup, history.outcome) == (REFUSED, None, MIGRATED)
    assert old.lakes.read_bytes() == before


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_history_of_a_newer_version_is_left_alone(old: Shop, *, dry_run: bool) -> None:
    """Nothing goes down: no change is announced, no backup made."""
    with closing(sqlite3.connect(old.history)) as connection:
        connection.execute(f"update {VERSION_TABLE} set version_num = '0099'")
        connection.commit()
    before = old.digests()["runs"]
    _, history = migrate(old, dry_run=dry_run)
    assert (history.outcome, history.changes, history.backup) == (REFUSED, (), None)
    assert history.error is not None and "schema version 0099" in history.error
    assert "use the newer version" in history.error
    assert old.digests()["runs"] == before


@pytest.mark.parametrize("mode", ["read_write", "read_only"])
def test_a_database_that_another_program_has_open(old: Shop, mode: str) -> None:
    """It is told as in use, with the pid, and was not begun; the other one is migrated."""
    before = old.files()["var/lakes of mine.duckdb"]
    with Cli(old.root, old.lakes).open_elsewhere(mode) as pid:
        lakes, history = migrate(old)
    assert (lakes.outcome, lakes.backup, history.outcome) == (IN_USE, None, MIGRATED)
    assert lakes.error is not None and f"pid {pid}" in lakes.error
    assert old.files()["var/lakes of mine.duckdb"] == before


def test_a_kill_at_every_step(old: Shop) -> None:
    """Before or after, never between; the next command cleans up, and the next migration ends the work."""
    old.backup()
    kept = shutil.copytree(old.root, old.root.with_name("kept"))
    before = old.digests()
    work = "migrate_databases(shop.databases, shop.root, lock_timeout=5)"
    shutil.copytree(old.root, old.root.with_name("copy"))
    steps = count_operations(old.root.with_name("copy"), work)
    after_all = Shop(old.root.with_name("copy")).digests()
    for number in range(1, steps + 1):
        shutil.rmtree(old.root)
        shutil.copytree(kept, old.root)
        die_before(old.root, work, number)
        recover(old.root, old.url)
        found = old.digests()
        tables = {name: value for name, value in found.items() if name.startswith("orchestrator.")}
        ends = [{k: v for k, v in one.items() if k.startswith("orchestrator.")} for one in (before, after_all)]
        assert tables in ends, number
        assert found["main.lake_level"] == before["main.lake_level"]
        assert found["runs"] == before["runs"]
        assert list(old.root.rglob("*.restoring*")) == []
        assert not (backups_dir(old.root) / JOURNAL).exists()
        assert {one.outcome for one in migrate(old)} <= {MIGRATED, CURRENT}


def test_a_kill_while_the_copy_is_written(old: Shop) -> None:
    """The log of the unfinished copy is removed with it."""
    before = old.digests()
    dying = """
import threading, time
def watch():
    while not os.path.exists(f"{shop.lakes}.restoring.wal"):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=watch, daemon=True).start()
migrate_databases(shop.databases, shop.root, lock_timeout=5)
"""
    with closing(duckdb.connect(str(old.lakes))) as connection:
        connection.execute("create table many as select i, md5(i::varchar) as text from range(300000) r(i)")
    before = old.digests()
    die_before(old.root, dying, 0)
    assert Path(f"{old.lakes}.restoring").exists()
    recover(old.root, old.url)
    assert list(old.root.rglob("*.restoring*")) == []
    assert old.digests() == before
