"""Who may read what we make: only its owner, unless the umask shall decide."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.config.paths import backups_dir
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.files import replace_file
from orchestrator.core.permissions import decide, make_folder, write_text
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.dbt_runner.process.cache_folder import CacheFolder
from orchestrator.dbt_runner.project.settings import DbtSettings
from orchestrator.maintenance.backup.journal import LAYING, Journal
from orchestrator.maintenance.backup.metadata import METADATA
from orchestrator.storage.json_lines import JsonLinesListener
from orchestrator.storage.listener import RunHistoryListener
from tests.maintenance.conftest import Shop
from tests.support.programs import run_python
from tests.unit.test_work_tree import RUN, story

MODES = {("private", 0o022): 0o600, ("private", 0o077): 0o600, ("umask", 0o022): 0o644, ("umask", 0o077): 0o600}


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Have another umask for the length of a ``with`` block."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def shop_of(root: Path, permissions: str) -> Shop:
    """Make a workspace whose configuration says who may read it."""
    SimulationConfig.from_mapping({"dbt": {"project_dir": "."}, "permissions": permissions}, root=root)
    return Shop(root)


@pytest.mark.parametrize(("permissions", "mask"), MODES)
def test_all_that_we_make_has_the_mode_that_was_decided(permissions: str, mask: int, tmp_path: Path) -> None:
    """Events, history, queries, kept parses, backups, journals and their locks; folders likewise."""
    wanted = MODES[permissions, mask]
    with umask(mask):
        shop = shop_of(tmp_path, permissions)
        runs = tmp_path / "var" / "runs"
        for listener in (JsonLinesListener(runs), RunHistoryListener(shop.url, runs)):
            for event in story():
                listener(event)
        write_text(runs / RUN / "failed_tests" / "a.sql", "select 1")
        cache = CacheFolder(DbtSettings(tmp_path, None, tmp_path, tmp_path / "var" / "dbt"), lambda event: None)
        replace_file(cache.settings.cache_dir / "manifest.json", b"{}")
        shop.fill(runs=1)
        backup = shop.backup()
        Journal(LAYING, ()).write(backups_dir(tmp_path) / "restoring.json")
    var = tmp_path / "var"
    databases = {path for path in var.rglob("*") if "lakes" in path.name}
    made = [path for path in var.rglob("*") if path not in databases]
    files = {path.relative_to(var).as_posix(): mode(path) for path in made if path.is_file()}
    expected = {"orchestrator.db", "orchestrator.db.lock", f"runs/{RUN}/events.jsonl", "dbt/manifest.json"}
    assert expected <= set(files)
    assert {"backups/.lock", "backups/restoring.json", f"backups/{backup.name}/{METADATA}"} <= set(files)
    assert {name: found for name, found in files.items() if found != wanted} == {}
    folders = {path.relative_to(var).as_posix(): mode(path) for path in made if path.is_dir()}
    assert {f"runs/{RUN}/failed_tests", "backups", f"backups/{backup.name}", "dbt"} <= set(folders)
    wanted_folder = wanted | (wanted & 0o444) >> 2
    assert {name: found for name, found in folders.items() if found != wanted_folder} == {}
    open_to_others = 0o777 & ~mask
    assert (mode(var), mode(shop.lakes)) == (open_to_others, 0o666 & ~mask)  # the database, and what holds it


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    """A folder that a person opened to others stays open, and so does a file that is added to."""
    runs = tmp_path / "var" / "runs"
    (runs / RUN).mkdir(parents=True)
    (runs / RUN).chmod(0o755)
    with umask(0o022):
        make_folder(runs / RUN)
    assert mode(runs / RUN) == 0o755


def test_the_nearest_place_counts(tmp_path: Path) -> None:
    """A private project below a place that the umask decides upon is private."""
    with umask(0o022):
        decide([tmp_path], by_umask=True)
        decide([tmp_path / "mine"], by_umask=False)
        for name in ("mine", "ours"):
            write_text(tmp_path / name / "a", "")
        decide([tmp_path], by_umask=False)
    assert [mode(tmp_path / name / "a") for name in ("mine", "ours")] == [0o600, 0o644]


@pytest.mark.parametrize("of_database", [0o600, 0o640, 0o664, 0o666, 0o444])
def test_a_lock_has_the_mode_of_its_database(of_database: int, tmp_path: Path) -> None:
    """Whoever may write to a database may lock it and read who holds it, whatever the umask is; nobody else may."""
    database = tmp_path / "it.duckdb"
    database.touch()
    database.chmod(of_database)
    with umask(0o027), DatabaseMutex(database, run_id=RUN).held(0):
        assert mode(Path(f"{database}.lock")) == of_database | 0o600
        assert mode(Path(f"{database}.lock.json")) == of_database | 0o600


def test_a_lock_of_a_database_that_is_to_come(tmp_path: Path) -> None:
    """It gets the mode that the database will get."""
    with umask(0o027), DatabaseMutex(tmp_path / "it.duckdb", run_id=RUN).held(0):
        assert mode(tmp_path / "it.duckdb.lock") == 0o640


LOCKING = """
import os, sys
from orchestrator.core.errors import OrchestratorError
from orchestrator.database.mutex import DatabaseMutex
os.setgroups([]); os.setgid(54321); os.setuid(54321)
try:
    with DatabaseMutex(sys.argv[1], run_id="r").held(0):
        print("held")
except OrchestratorError as error:
    print(type(error).__name__, error.command if hasattr(error, "command") else "")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_two_users_share_a_lock() -> None:
    """A second user who may write to the database takes the lock that the first one made, and is told who holds it."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        shared = Path(folder)
        shared.chmod(0o777)
        share(shared / "it.duckdb")


SECOND = """
import logging, os, sys
from pathlib import Path
from orchestrator.core.errors import OrchestratorError
from orchestrator.database.errors import database_error
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.dbt_runner.process.cache_folder import CacheFolder
from orchestrator.dbt_runner.project.settings import DbtSettings
from orchestrator.maintenance.backup.backup import list_backups
from orchestrator.maintenance.backup.bounds import Bounds
from orchestrator.maintenance.backup.exclusion import locked, recover_held
from orchestrator.maintenance.doctor.database_check import check_file
from orchestrator.storage.factory import create_storage_backend
from orchestrator.storage.json_lines import JsonLinesListener
from tests.maintenance.conftest import Shop
from tests.unit.test_work_tree import story
shop, group = Shop(Path(sys.argv[1])), int(sys.argv[2])
logging.basicConfig(format="events: %(message)s", stream=sys.stdout)
os.setgroups([]); os.setgid(group); os.setuid(54321)

def told(name, work):
    try:
        work()
    except OrchestratorError as error:
        print(f"{name}: {error}")

told("lock", DatabaseMutex(shop.lakes, run_id="r").acquire)
told("history", lambda: create_storage_backend(shop.url))
told("list", lambda: list_backups(shop.root))
told("before a run", lambda: recover_held(shop.root, shop.url, shop.lakes, Bounds(shop.root)))
told("backups", locked(shop.root / "var" / "backups", 0).__enter__)
var = shop.root / "var"
settings = DbtSettings(shop.root, None, shop.root, var / "dbt")
CacheFolder(settings, lambda event: print("parse:", event.reason)).remove_target()
print("doctor:", check_file(shop.lakes, simulates=True)[0].remedy)
print("database:", database_error(f'IO Error: Cannot open file "{shop.lakes}": Permission denied', shop.lakes))
listener = JsonLinesListener(var / "runs")
for event in story():
    listener(event)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize(
    ("group", "remedy"), [(54321, "let root run `chmod g+rwX "), (54322, "let their owner (root) ")]
)
def test_a_second_user_is_told_whose_file_it_is(group: int, remedy: str) -> None:
    """In a folder that both may write to the files of the first one keep their mode: they are named, not the folder."""
    with tempfile.TemporaryDirectory() as folder, umask(0o022):
        shop = Shop(Path(folder))
        shop.fill(rows=1, runs=1)
        shop.backup()
        for name in ("runs", "dbt"):
            make_folder(shop.root / "var" / name)
        shop.root.chmod(0o777)
        for path in shop.root.rglob("*"):
            os.chown(path, -1, 54321)
        (shop.root / "var").chmod(0o2777)
        done = run_python(["-c", SECOND, folder, str(group)], cwd=Path(__file__).parents[2], check=True)
    said = {line.partition(":")[0]: line for line in done.stdout.replace("\nTo fix", " To fix").splitlines()}
    lakes, owned = shop.lakes, "belongs to user root and group 54321, with mode"
    assert f"{lakes}.lock {owned} 0644" in said["lock"] and f"{lakes}.lock' '{lakes}'" in said["lock"]
    assert f"{shop.history} {owned} 0600" in said["history"]
    assert f"{shop.root}/var/backups {owned} 0700" in said["list"]
    assert f"{shop.root}/var/backups {owned} 0700" in said["backups"]
    assert f"{shop.root}/var/dbt {owned} 0700" in said["parse"]
    assert f"{shop.root}/var/runs {owned} 0700" in said["events"]
    assert f"{lakes} {owned} 0644" in said["database"]
    assert {name for name, line in said.items() if remedy not in line} == {"parse"}
    assert "Whether a restore" in said["before a run"]


def share(database: Path) -> None:
    """Take the lock of a database that everybody may write to, as two users."""
    database.touch()
    database.chmod(0o666)

    def second() -> str:
        done = subprocess.run(
            [sys.executable, "-c", LOCKING, str(database)],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    with umask(0o022):
        with DatabaseMutex(database, run_id=RUN, command="the first user").held(0):
            assert second() == "DatabaseLockedError the first user"
        assert second() == "held"
