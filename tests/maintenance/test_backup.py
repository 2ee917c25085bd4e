"""Backups: what they hold, how they are checked, restored, undone and removed."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pytest

from orchestrator.config.paths import backups_dir
from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import (
    BackupDamagedError,
    BackupError,
    BackupNotFoundError,
    ConfigurationError,
    DatabaseError,
    DatabaseLockedError,
)
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.ledger.layouts import LAYOUTS
from orchestrator.maintenance.backup.backup import (
    Backup,
    create_backup,
    find_backup,
    list_backups,
    verify_backup,
)
from orchestrator.maintenance.backup.exclusion import recover
from orchestrator.maintenance.backup.journal import JOURNAL
from orchestrator.maintenance.backup.metadata import write_metadata
from orchestrator.maintenance.backup.pruning import prune_backups
from orchestrator.maintenance.backup.workspace import DUCKDB, WorkspaceDatabase, chosen
from orchestrator.storage.factory import create_storage_backend
from orchestrator.storage.head import HEAD
from tests.maintenance.conftest import Shop
from tests.support.kills import count_operations, die_before
from tests.support.programs import run_python, start_python

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {repository!r})
from tests.maintenance.conftest import Shop
from tests.support.kills import count_operations, die_before
from orchestrator.maintenance.backup.backup import create_backup, find_backup
from orchestrator.maintenance.backup.restore import restore_backup
left = {after}
def emit(event):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
shop = Shop(Path({root!r}))
{before}
if {restoring!r}:
    restore_backup(find_backup(shop.root, {restoring!r}), shop.root, history_url=shop.url, lock_timeout=5, emit=emit)
else:
    create_backup(shop.databases, shop.root, reason="killed", lock_timeout=5, emit=emit)
"""


def test_a_backup_says_what_is_in_it(shop: Shop) -> None:
    """Sizes, hashes, versions, schema versions, rows and why it was made."""
    metadata = verify_backup(shop.backup(reason="because"))
    lakes, history = metadata.databases
    assert (metadata.reason, metadata.root) == ("because", str(shop.root))
    assert (lakes.name, lakes.kind, lakes.path) == ("var/lakes of mine.duckdb", "duckdb", "var/lakes of mine.duckdb")
    assert lakes.tables["main.lake_level"] == 1000
    assert lakes.tables["orchestrator.ledger_version"] == 1
    assert (lakes.engine, lakes.schema_version, lakes.whole) == (duckdb.__version__, str(len(LAYOUTS)), True)
    assert (lakes.storage_version or "").startswith("v")
    assert (history.kind, history.tables["workflow_runs"], history.schema_version) == ("sqlite", 3, HEAD)
    assert all(len(file.sha256) == 64 and file.bytes > 0 for record in metadata.databases for file in record.files)


def delete(shop: Shop) -> None:
    """Remove both files."""
    shop.lakes.unlink()
    shop.history.unlink()


def truncate(shop: Shop) -> None:
    """Cut both files short."""
    for file in (shop.lakes, shop.history):
        file.write_bytes(file.read_bytes()[:5000])


def flip(shop: Shop) -> None:
    """Flip bits all over both files."""
    for file in (shop.lakes, shop.history):
        content = bytearray(file.read_bytes())
        for place in range(100, len(content), 1000):
            content[place] ^= 0xFF
        file.write_bytes(content)


def empty(shop: Shop) -> None:
    """Leave files without a byte."""
    shop.lakes.write_bytes(b"")
    shop.history.write_bytes(b"")


def drop(shop: Shop) -> None:
    """Drop a table of each."""
    with closing(duckdb.connect(str(shop.lakes))) as connection:
        connection.execute("drop table lake_level")
    with closing(sqlite3.connect(shop.history)) as connection:
        connection.execute("drop table workflow_runs")
        connection.commit()


def go_on(shop: Shop) -> None:
    """Put more rows into both."""
    shop.fill(rows=50)


def leave_a_log(shop: Shop) -> None:
    """Leave commits in the log of the DuckDB file, as a killed process does."""
    code = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); "
        "c.execute('set checkpoint_threshold = \"1GB\"'); c.execute('delete from lake_level'); os._exit(0)"
    )
    run_python(["-c", code, str(shop.lakes)], check=True)
    assert Path(f"{shop.lakes}.wal").exists()


DAMAGES = [delete, truncate, flip, empty, drop, go_on, leave_a_log]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_restore_brings_everything_back(shop: Shop, damage: Callable[[Shop], None]) -> None:
    """Whatever happened to the files, all tables of both databases are again what they were."""
    before = shop.digests()
    backup = shop.backup()
    damage(shop)
    assert shop.digests() != before
    done = shop.restore(backup)
    assert shop.digests() == before
    assert not Path(f"{shop.lakes}.wal").exists()
    assert set(done.databases) == {"var/lakes of mine.duckdb", "run history"}


@pytest.mark.parametrize("damage", [truncate, flip, drop, go_on, empty])
def test_a_restore_can_be_undone(shop: Shop, damage: Callable[[Shop], None]) -> None:
    """What was replaced is a backup like any other, also where it was damaged: then byte for byte."""
    backup = shop.backup()
    damage(shop)
    damaged, content = shop.digests(), shop.lakes.read_bytes()
    kept = shop.restore(backup).kept
    assert kept is not None
    assert kept.metadata is not None
    assert kept.metadata.reason == f"before restoring {backup.name}"
    shop.restore(kept)
    if all(record.whole for record in kept.metadata.databases):
        assert shop.digests() == damaged
    else:
        assert shop.lakes.read_bytes() == content


def test_one_database_alone(shop: Shop) -> None:
    """The other one is left as it is."""
    backup = shop.backup()
    before = shop.digests()
    shop.fill(rows=10, runs=1)
    later = shop.digests()
    shop.restore(backup, only=shop.lakes)
    now = shop.digests()
    assert now["main.lake_level"] == before["main.lake_level"]
    assert now["runs"] == later["runs"] != before["runs"]
    with pytest.raises(BackupError, match="holds no database"):
        shop.restore(backup, only=shop.root / "other.duckdb")


def test_every_flipped_byte_is_found(shop: Shop) -> None:
    """In every file of a backup, the metadata as well; such a backup is not restored."""
    backup = shop.backup()
    before = shop.files()
    for file in sorted(backup.folder.iterdir()):
        content = file.read_bytes()
        for place in (0, len(content) // 2, len(content) - 1):
            changed = bytearray(content)
            changed[place] ^= 0x01
            file.write_bytes(changed)
            with pytest.raises(BackupDamagedError, match=backup.name):
                verify_backup(backup)
            with pytest.raises(BackupDamagedError):
                shop.restore(backup)
        file.write_bytes(content)
    assert shop.files() == before
    verify_backup(backup)


def test_a_file_that_is_gone_or_longer(shop: Shop) -> None:
    """Is named."""
    backup = shop.backup()
    file = next(path for path in backup.folder.iterdir() if path.name.endswith(".duckdb"))
    with file.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(BackupDamagedError, match="bytes and had"):
        verify_backup(backup)
    file.unlink()
    with pytest.raises(BackupDamagedError, match="is missing") as caught:
        verify_backup(backup)
    assert "orchestrator backup list" in str(caught.value.to_fix)
    (backup.folder / "metadata.json").unlink()
    with pytest.raises(BackupDamagedError, match=r"has no readable metadata\.json") as caught:
        verify_backup(backup)
    assert "orchestrator backup list" in str(caught.value.to_fix)


def test_a_run_that_goes_on_keeps_backups_away(shop: Shop) -> None:
    """Neither is one made nor restored while somebody holds the mutex, and nothing is left half made."""
    backup = shop.backup()
    before = shop.files()
    with DatabaseMutex(shop.lakes, run_id="a run", command="orchestrator simulate").held():
        other = run_python(["-c", script(shop, after=0, restoring="")])
        assert "DatabaseLockedError" in other.stderr
        restoring = run_python(["-c", script(shop, after=0, restoring=backup.name)])
        assert "DatabaseLockedError" in restoring.stderr
    assert shop.files() == before


def test_another_program_that_has_the_file_open(shop: Shop) -> None:
    """A connection of somebody who knows no mutex is met by DuckDB's own lock."""
    backup = shop.backup()
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    holder = start_python(["-c", code, str(shop.lakes)], stdin=subprocess.PIPE, stderr=None)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(DatabaseLockedError, match=str(holder.pid)):
            shop.backup()
        with pytest.raises(DatabaseLockedError, match=str(holder.pid)):
            shop.restore(backup)
    finally:
        holder.communicate("")


def test_a_damaged_database_is_not_backed_up_as_if_it_were_whole(shop: Shop) -> None:
    """Whoever asks for a backup is told; only a restore keeps it as it is."""
    truncate(shop)
    with pytest.raises(DatabaseError):
        shop.backup()
    assert list_backups(shop.root) == ()


def script(shop: Shop, *, after: int, restoring: str, before: str = "") -> str:
    """Return a program that is killed at its n-th event."""
    return KILLED.format(
        repository=str(REPOSITORY), root=str(shop.root), after=after, restoring=restoring, before=before
    )


def killed(shop: Shop, *, after: int, restoring: str = "", before: str = "") -> None:
    """Make or restore a backup in a process that kills itself."""
    code = script(shop, after=after, restoring=restoring, before=before)
    done = run_python(["-c", code])
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_kill_at_every_step_of_a_backup(shop: Shop) -> None:
    """There is no such backup, or all of it; the databases are as they were, and the next command cleans up."""
    before = shop.digests()
    work = "create_backup(shop.databases, shop.root, reason='killed', lock_timeout=5)"
    shutil.copytree(shop.root, shop.root.with_name("copy"))
    for number in range(1, count_operations(shop.root.with_name("copy"), work) + 1):
        die_before(shop.root, work, number)
        recover(shop.root)
        assert shop.digests() == before
        for backup in list_backups(shop.root):
            verify_backup(backup)
        left = [path.name for path in backups_dir(shop.root).iterdir()] if backups_dir(shop.root).exists() else []
        assert [name for name in left if name.startswith(".making")] == []
    verify_backup(shop.backup())


RESTORE = "restore_backup(find_backup(shop.root, {name!r}), shop.root, history_url=shop.url, lock_timeout=5)"


@pytest.mark.parametrize("damaged", [False, True])
def test_a_kill_at_every_step_of_a_restore(shop: Shop, damaged: bool, caplog: pytest.LogCaptureFixture) -> None:
    """The workspace is as before or as in the backup, both databases alike, once the next command has looked."""
    backup = shop.backup()
    then = shop.digests()
    shop.fill(rows=77, runs=2)
    now = shop.backup()
    if damaged:
        shop.lakes.write_bytes(shop.lakes.read_bytes()[:5000])
        leave_a_log_beside(shop)
    before = shop.digests()
    content = shop.lakes.read_bytes()
    work = RESTORE.format(name=backup.name)
    shutil.copytree(shop.root, shop.root.with_name("copy"))
    steps = count_operations(shop.root.with_name("copy"), work)
    ends, named = [], 0
    for number in range(1, steps + 1):
        die_before(shop.root, work, number)
        begun = (backups_dir(shop.root) / JOURNAL).exists()
        caplog.clear()
        recover(shop.root, shop.url)
        found = shop.digests()
        assert found in (before, then), number
        ends.append(found == then)
        told = "restore or migration was completed" if ends[-1] else "the databases are unchanged"
        assert not begun or told in caplog.text, number
        named += "what was there before is backup 2" in caplog.text
        assert not (backups_dir(shop.root) / JOURNAL).exists()
        assert list(shop.root.rglob("*.restoring*")) == []
        assert [path.name for path in backups_dir(shop.root).iterdir() if path.name.startswith((".keep", ".mak"))] == []
        extra = [one for one in list_backups(shop.root) if one.name not in (backup.name, now.name)]
        assert len(extra) == (1 if ends[-1] else 0), number
        for kept in extra:
            assert kept.metadata is not None
            verify_backup(kept)
            shop.restore(kept)  # the undo
            assert shop.digests() == before
            assert shop.lakes.read_bytes() == content or not damaged
        for other in list_backups(shop.root):
            if other.name not in (backup.name, now.name):
                shutil.rmtree(other.folder)
        assert shop.digests() == before
    assert not ends[0]
    assert ends[-1]
    assert ends == sorted(ends)
    assert named


def leave_a_log_beside(shop: Shop) -> None:
    """Leave a log that belongs to nothing beside the DuckDB file."""
    Path(f"{shop.lakes}.wal").write_bytes(b"a log of something")


def test_a_journal_that_cannot_be_read(shop: Shop) -> None:
    """Is named, with the way out."""
    shop.backup()
    (backups_dir(shop.root) / JOURNAL).write_text("{")
    with pytest.raises(BackupError, match=r"restoring\.json") as caught:
        recover(shop.root)
    assert "remove that file" in str(caught.value.to_fix)


def test_a_file_with_holes_is_copied_without_them(shop: Shop) -> None:
    """Where rows were deleted, the copy is smaller and holds the same."""
    with closing(duckdb.connect(str(shop.lakes))) as connection:
        connection.execute("create table big as select i, md5(i::varchar) as text from range(400000) r(i)")
        connection.execute("checkpoint")
        connection.execute("drop table big")
        connection.execute("checkpoint")
    before = shop.digests()
    backup = shop.backup()
    record = verify_backup(backup).databases[0]
    assert record.compacted or record.bytes == shop.lakes.stat().st_size
    assert record.bytes <= shop.lakes.stat().st_size
    shop.restore(backup)
    assert shop.digests() == before


def test_names_that_hold_quotes(tmp_path: Path) -> None:
    """Folders and tables are copied, counted and compacted whatever their names hold."""
    shop = Shop(tmp_path / "it's mine")
    shop.root.mkdir()
    shop.fill()
    with closing(duckdb.connect(str(shop.lakes))) as connection:
        connection.execute('create table "odd ""name" as select 1 as i')
        connection.execute("create table big as select i, md5(i::varchar) as text from range(400000) r(i)")
        connection.execute("checkpoint")
        connection.execute("drop table big")
        connection.execute("checkpoint")
    with closing(sqlite3.connect(shop.history)) as history:
        history.execute('create table "odd ""name" (i integer)')
    lakes, runs = verify_backup(shop.backup()).databases
    assert lakes.compacted
    assert (lakes.tables['main.odd "name'], runs.tables['odd "name']) == (1, 0)


def test_backups_are_found_by_the_beginning_of_their_name(shop: Shop) -> None:
    """The newest where none is given."""
    with pytest.raises(BackupNotFoundError, match="no backup"):
        find_backup(shop.root, None)
    first, second = shop.backup(), shop.backup()
    assert [backup.name for backup in list_backups(shop.root)] == [second.name, first.name]
    assert find_backup(shop.root, None).name == second.name
    assert find_backup(shop.root, first.name).name == first.name
    with pytest.raises(BackupNotFoundError, match="no backup nothing"):
        find_backup(shop.root, "nothing")


def test_pruning_keeps_the_newest_and_one_that_is_whole(shop: Shop) -> None:
    """Also where the newest ones are damaged."""
    backups = [shop.backup() for _ in range(4)]
    for damaged in backups[2:]:
        file = damaged.folder / "01-lakes_of_mine.duckdb"
        file.write_bytes(file.read_bytes()[:-1])
    removed = prune_backups(shop.root, 1, lock_timeout=0).removed
    assert {backup.name for backup in removed} == {backups[0].name, backups[2].name}
    assert {backup.name for backup in list_backups(shop.root)} == {backups[1].name, backups[3].name}
    assert prune_backups(shop.root, 1, lock_timeout=0).removed == ()


def test_what_is_not_ours_is_left_alone(shop: Shop) -> None:
    """Folders of others below var/backups are no backups, and a backup that somebody renamed is not removed."""
    mine = shop.backup()
    named = mine.folder.rename(mine.folder.with_name("before the audit"))
    newer = [shop.backup(), shop.backup()]
    place = backups_dir(shop.root)
    for name in ("2099-mine", "0 odd"):
        (place / name).mkdir()
        (place / name / "file").write_text("theirs")
    (place / "20990101T000000Z").write_text("a file")
    (place / "9dangling").symlink_to("/nowhere")
    assert [backup.name for backup in list_backups(shop.root)] == [newer[1].name, newer[0].name, named.name]
    assert [backup.name for backup in prune_backups(shop.root, 1, lock_timeout=0).removed] == [newer[0].name]
    assert (place / "0 odd" / "file").exists()
    verify_backup(find_backup(shop.root, "before"))
    shop.restore(find_backup(shop.root, "before the audit"))


def test_a_folder_that_may_be_something_else_is_left_alone(shop: Shop) -> None:
    """A link, a folder without metadata, one with files of somebody else: each is named, none is counted."""
    place, elsewhere = backups_dir(shop.root), shop.root / "other disk"
    elsewhere.mkdir()
    linked, noted, old, new = (shop.backup() for _ in range(4))
    linked.folder.rename(elsewhere / linked.name)
    linked.folder.symlink_to(elsewhere / linked.name)
    (noted.folder / "notes.txt").write_text("theirs")
    (place / "20200101T000000Z").mkdir()
    (place / "20200102T000000Z").mkdir()
    (place / "20200102T000000Z" / "file").write_text("theirs")
    done = prune_backups(shop.root, 1, lock_timeout=0)
    assert [backup.name for backup in done.removed] == [old.name]
    assert done.left == {
        linked.name: "is a symbolic link",
        noted.name: "holds what is no part of a backup: notes.txt",
        "20200102T000000Z": "holds what is no part of a backup: file",
        "20200101T000000Z": "has no metadata.json",
    }
    assert [backup.name for backup in list_backups(shop.root)][:3] == [new.name, noted.name, linked.name]
    verify_backup(find_backup(shop.root, linked.name))
    shop.backup()  # which removes what others left half made
    assert linked.folder.is_symlink()
    assert (elsewhere / linked.name / "metadata.json").exists()


def dated(backup: Backup, moment: datetime) -> Backup:
    """Have a backup been made at another time, as the clock of another machine says it."""
    assert backup.metadata is not None
    write_metadata(backup.folder, backup.metadata.model_copy(update={"created_at": moment}))
    folder = backup.folder.rename(backup.folder.with_name(f"{moment:%Y%m%dT%H%M%SZ}"))
    return next(one for one in list_backups(folder.parents[2]) if one.folder == folder)


def test_nobody_knows_the_order_of_what_is_dated_later_than_now(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """It is named, and neither removed nor taken as the newest."""
    later = dated(shop.backup(), utc_now() + timedelta(days=1))
    assert find_backup(shop.root, None).name == later.name  # the only one
    old, new = shop.backup(), shop.backup()
    assert f"Backup {new.name} was made now, and {later.name} is dated later" in caplog.text
    with pytest.raises(BackupNotFoundError, match=f"newest is unknown: {later.name} is dated later than now"):
        find_backup(shop.root, None)
    assert find_backup(shop.root, new.name).name == new.name
    done = prune_backups(shop.root, 1, lock_timeout=0)
    assert [backup.name for backup in done.removed] == [old.name]
    assert done.left == {later.name: "is dated later than now"}


def test_times_of_other_zones_are_put_in_order(shop: Shop) -> None:
    """What metadata of somebody else say is a time as well where it has another zone, or none."""
    first, second, third = (shop.backup() for _ in range(3))
    moment = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    first = dated(first, moment.astimezone(timezone(timedelta(hours=5))))
    second = dated(second, (moment + timedelta(hours=1)).replace(tzinfo=None))
    assert [backup.name for backup in list_backups(shop.root)] == [third.name, second.name, first.name]


CLOSED = """
import os, sys
from pathlib import Path
from orchestrator.core.errors import BackupError
from orchestrator.maintenance.backup.pruning import prune_backups
from tests.maintenance.conftest import Shop
shop = Shop(Path(sys.argv[1]))
shop.fill(rows=1, runs=1)
older, closed, new = (shop.backup() for _ in range(3))
if os.getuid() == 0:
    for path in (shop.root, *shop.root.rglob("*")):
        os.chown(path, 54321, 54321)
    os.setgroups([]); os.setgid(54321); os.setuid(54321)
closed.folder.chmod(0o500)
try:
    prune_backups(shop.root, 1, lock_timeout=0)
except BackupError as error:
    told = str(error)
closed.folder.chmod(0o700)
assert f"Backup {closed.name} cannot be removed: Permission denied" in told, told
assert "with mode 0500" in told and f"Removed were {older.name}." in told, told
print(sorted(os.listdir(closed.folder.parent)) == [".lock", closed.name, new.name], len(os.listdir(closed.folder)))
"""


def test_what_may_not_be_removed_is_not_touched() -> None:
    """Its owner is named, and the others are removed."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to other users
        Path(folder).chmod(0o777)
        done = run_python(["-c", CLOSED, folder], cwd=REPOSITORY, check=True)
    assert done.stdout == "True 4\n"


def test_databases_that_do_not_exist_get_no_lock(shop: Shop) -> None:
    """Those of scenarios that were never simulated."""
    missing = shop.root / "var" / "never.duckdb"
    databases = (*shop.databases, WorkspaceDatabase("var/never.duckdb", DUCKDB, missing))
    create_backup(databases, shop.root, reason="all", lock_timeout=0)
    assert not missing.with_name("never.duckdb.lock").exists()


def test_a_backup_from_a_newer_version(shop: Shop) -> None:
    """Its metadata is not guessed at."""
    backup = shop.backup()
    file = backup.folder / "metadata.json"
    content = json.loads(file.read_text())
    content["unheard_of"] = 1
    text = json.dumps(content)
    file.write_text(text)
    (backup.folder / "metadata.sha256").write_text(hashlib.sha256(text.encode()).hexdigest() + "\n")
    with pytest.raises(BackupDamagedError, match="cannot read") as caught:
        verify_backup(backup)
    assert "version of the orchestrator that made it" in str(caught.value.to_fix)


def test_nothing_to_back_up(shop: Shop) -> None:
    """Is said, and leaves no folder."""
    delete(shop)
    with pytest.raises(BackupError, match="no database to back up"):
        shop.backup()
    assert list_backups(shop.root) == ()
    with pytest.raises(ConfigurationError, match="There is no database"):
        chosen(shop.databases, shop.root / "nowhere.duckdb")


def test_a_restore_into_a_new_clone(shop: Shop, tmp_path: Path) -> None:
    """Paths are relative to the project, so a backup serves another folder as well."""
    before = shop.digests()
    backup = shop.backup()
    clone = Shop(tmp_path / "clone")
    shutil.copytree(backup.folder, backups_dir(clone.root) / backup.name)
    clone.restore(find_backup(clone.root, None))
    assert clone.digests() == before
    with create_storage_backend(clone.url) as backend:
        assert len(backend.runs.list_runs()) == 3
