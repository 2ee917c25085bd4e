"""What a restore does with the files that are there, and with others who want them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from orchestrator.config.paths import backups_dir
from orchestrator.core.errors import BackupDamagedError, BackupError, DiskFullError
from orchestrator.core.events import Event, StepStarted
from orchestrator.factory import create_orchestrator
from orchestrator.maintenance.backup.backup import Backup, create_backup, find_backup, list_backups, verify_backup
from orchestrator.maintenance.backup.journal import JOURNAL
from orchestrator.maintenance.backup.restore import restore_backup
from tests.maintenance.conftest import Shop
from tests.support.kills import REPOSITORY, count_operations, die_before, program
from tests.support.programs import run_python, start_python

pytestmark = pytest.mark.slow

RESTORE = "restore_backup(find_backup(shop.root, {name!r}), shop.root, history_url=shop.url, lock_timeout=5)"
WRITE = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('drop table lake_level')"


def test_what_is_replaced_is_moved(shop: Shop) -> None:
    """The file of the kept backup is the very file that was there, and not a copy of it."""
    backup = shop.backup()
    shop.fill(rows=9)
    there = shop.lakes.stat().st_ino
    kept = shop.restore(backup).kept
    assert kept is not None
    metadata = verify_backup(kept)
    assert (kept.folder / metadata.databases[0].files[0].name).stat().st_ino == there
    assert metadata.databases[0].tables["main.lake_level"] == 1009
    assert shop.lakes.stat().st_nlink == 1


def test_backups_on_another_disk(shop: Shop) -> None:
    """Where a file cannot be moved there, it is copied, and everything else is the same."""
    own = shop.root.stat().st_dev
    place = next((place for place in ("/dev/shm", "/var/tmp") if Path(place).stat().st_dev != own), None)  # noqa: S108
    if place is None:
        pytest.skip("neither /dev/shm nor /var/tmp is a disk of its own here")
    with tempfile.TemporaryDirectory(dir=place) as other:
        backups_dir(shop.root).symlink_to(other)
        before = shop.digests()
        backup = shop.backup()
        shop.fill(rows=9)
        later = shop.digests()
        kept = shop.restore(backup).kept
        assert shop.digests() == before
        assert kept is not None
        verify_backup(kept)
        shop.restore(kept)
        assert shop.digests() == later


def test_a_database_that_is_a_link_stays_one(shop: Shop, tmp_path: Path) -> None:
    """The file it leads to is replaced; its rights stay what they were."""
    elsewhere = tmp_path / "big disk" / "lakes.duckdb"
    elsewhere.parent.mkdir()
    shop.lakes.rename(elsewhere)
    shop.lakes.symlink_to(elsewhere)
    elsewhere.chmod(0o640)
    backup = shop.backup()
    before = shop.digests()
    shop.fill(rows=9)
    shop.restore(backup)
    assert shop.lakes.is_symlink()
    assert shop.digests() == before
    assert elsewhere.stat().st_mode & 0o777 == 0o640
    assert (backup.folder / "01-lakes_of_mine.duckdb").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in elsewhere.parent.iterdir() if ".lock" not in path.name] == ["lakes.duckdb"]


def test_two_names_of_one_file(shop: Shop) -> None:
    """A database that a scenario names by a link is held once, and both names are backed up and restored."""
    link = shop.root / "var" / "same.duckdb"
    link.symlink_to(shop.lakes)
    databases = (*shop.databases, type(shop.databases[0])("var/same.duckdb", "duckdb", link))
    backup = create_backup(databases, shop.root, reason="both", lock_timeout=0)
    before = shop.digests()
    shop.fill(rows=9)
    kept = shop.restore(backup).kept
    assert kept is not None
    verify_backup(kept)
    assert shop.digests() == before


def test_a_mismatch_leaves_everything_as_it_was(shop: Shop) -> None:
    """One byte of the last file of the backup: the first one was laid already, and is removed."""
    backup = shop.backup()
    shop.fill(rows=9)
    file = backup.folder / "02-run_history"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    before = shop.files()
    with pytest.raises(BackupDamagedError, match="02-run_history was changed"):
        shop.restore(backup)
    assert shop.files() == before
    assert shop.lakes.stat().st_nlink == 1
    shop.restore(backup, only=shop.lakes)  # the other file of it is whole


def test_nobody_writes_to_a_file_while_it_is_replaced(shop: Shop) -> None:
    """A program that does not know the mutex meets DuckDB's own lock, so none of its rows are lost."""
    backup = shop.backup()
    shop.fill(rows=9)
    later = shop.digests()
    told: list[str] = []

    def write(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "write metadata":
            done = run_python(["-c", WRITE, str(shop.lakes)])
            told.append(done.stderr)

    kept = restore_backup(backup, shop.root, history_url=shop.url, lock_timeout=0, emit=write).kept
    assert len(told) == 1
    assert "Could not set lock on file" in told[0]
    assert kept is not None
    verify_backup(kept)
    shop.restore(kept)
    assert shop.digests() == later


def test_a_ledger_of_a_newer_version_is_kept_as_well(shop: Shop) -> None:
    """What this version cannot read does not block the way back."""
    backup = shop.backup()
    before = shop.digests()
    with closing(duckdb.connect(str(shop.lakes))) as connection:
        connection.execute("update orchestrator.ledger_version set version = 99")
    kept = shop.restore(backup).kept
    assert shop.digests() == before
    assert kept is not None
    assert not verify_backup(kept).databases[0].whole
    shop.restore(kept)
    with closing(duckdb.connect(str(shop.lakes))) as connection:
        assert connection.execute("select version from orchestrator.ledger_version").fetchall() == [(99,)]


def cut_off(shop: Shop, backup: Backup) -> None:
    """Kill a restore right behind its decision: nothing has been moved yet."""
    work = RESTORE.format(name=backup.name)
    copy = shop.root.with_name("counted")
    shutil.copytree(shop.root, copy)
    for number in range(count_operations(copy, work), 0, -1):
        state = shop.root.with_name("state")
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(shop.root, state)
        die_before(shop.root, work, number)
        journal = backups_dir(shop.root) / JOURNAL
        if journal.exists() and '"swapping"' in journal.read_text() and shop.lakes.stat().st_nlink == 2:
            return
        shutil.rmtree(shop.root)
        state.rename(shop.root)
    pytest.fail("no such moment")


def test_a_run_that_waited_for_a_killed_restore(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the database when the restore is finished, not one that is taken away from it later."""
    backup = shop.backup()
    then = shop.digests()
    shop.fill(rows=9)
    config = {"dbt": {"project_dir": "."}, "database": str(shop.lakes), "storage": {"url": shop.url}}
    monkeypatch.chdir(shop.root)
    with create_orchestrator(config) as orchestrator:
        cut_off(shop, backup)
        with orchestrator.mutex.held(0):
            assert shop.digests() == then
    assert not (backups_dir(shop.root) / JOURNAL).exists()


def test_a_backup_that_waited_for_a_killed_restore(shop: Shop) -> None:
    """It copies what the restore decided."""
    backup = shop.backup()
    shop.fill(rows=9)
    dying = """
from orchestrator.core.events import StepStarted
def wait(event):
    if isinstance(event, StepStarted) and event.step == "write metadata":
        print("here", flush=True)
        sys.stdin.readline()
        global operations
        operations = 1000 - 7  # metadata, its checksum and the journal are two operations each: then the first move
"""
    count = program(shop.root, dying + RESTORE.format(name=backup.name)[:-1] + ", emit=wait)", 1000)
    with start_python(["-c", count], stdin=subprocess.PIPE, stderr=None) as restoring:
        assert restoring.stdout is not None
        assert restoring.stdin is not None
        assert restoring.stdout.readline() == "here\n"
        made: list[Backup] = []
        waiting = threading.Thread(
            target=lambda: made.append(create_backup(shop.databases, shop.root, reason="waited", lock_timeout=30))
        )
        waiting.start()
        restoring.stdin.write("\n")
        restoring.stdin.flush()
        waiting.join(60)
    assert restoring.returncode == -9
    rows = verify_backup(made[0]).databases[0].tables["main.lake_level"]
    with closing(duckdb.connect(str(shop.lakes))) as connection:
        assert connection.execute("select count(*) from lake_level").fetchall() == [(rows,)]
    assert not (backups_dir(shop.root) / JOURNAL).exists()


LIMITED = """
import resource, sys
sys.path.insert(0, {repository!r})
from pathlib import Path
from tests.maintenance.conftest import Shop
from orchestrator.maintenance.backup.backup import find_backup
shop = Shop(Path({root!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    {work}
except Exception as error:
    print(type(error).__name__, str(error))
"""


@pytest.mark.parametrize("work", ["shop.backup()", "shop.restore(find_backup(shop.root, None))"])
def test_a_disk_that_is_full(shop: Shop, work: str) -> None:
    """Is told as that, and everything is as it was."""
    shop.backup()
    before = shop.files()
    code = LIMITED.format(repository=str(REPOSITORY), root=str(shop.root), work=work)
    done = run_python(["-c", code], check=True)
    assert done.stdout.startswith(DiskFullError.__name__), done.stdout
    assert "To fix: free some space" in done.stdout
    assert shop.files() == before


def test_backups_where_no_folder_can_be(shop: Shop) -> None:
    """A file of that name is told, not a traceback."""
    backups_dir(shop.root).write_text("mine")
    with pytest.raises(BackupError, match="backups"):
        shop.backup()
    assert list_backups(shop.root) == ()
    backups_dir(shop.root).unlink()
    shop.backup()
    assert find_backup(shop.root, None).metadata is not None
