"""Backups of a workspace whose run history is on a PostgreSQL server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from orchestrator.config.paths import backups_dir
from orchestrator.core.errors import BackupError, DatabaseLockedError
from orchestrator.maintenance.backup.backup import Backup, find_backup, list_backups, verify_backup
from orchestrator.maintenance.backup.exclusion import recover
from orchestrator.maintenance.backup.journal import JOURNAL
from orchestrator.maintenance.backup.restore import restore_backup
from orchestrator.maintenance.backup.server import find_program, run_program
from orchestrator.maintenance.backup.workspace import DUCKDB, HISTORY, POSTGRESQL, WorkspaceDatabase
from orchestrator.maintenance.migrate import CURRENT, MIGRATED, migrate_databases
from orchestrator.storage.factory import create_storage_backend
from orchestrator.storage.models import WorkflowRun
from tests.maintenance.conftest import START, Shop
from tests.storage.test_initialization import make_old
from tests.support.kills import die_once_it_says
from tests.support.postgres import PostgresServer, running_server

pytestmark = pytest.mark.slow


class ServerShop(Shop):
    """A workspace whose history is at ``place``."""

    def __init__(self, root: Path, place: str) -> None:
        super().__init__(root)
        self.place = place

    @property
    def url(self) -> str:
        """Return the URL of the history."""
        return self.place

    @property
    def databases(self) -> tuple[WorkspaceDatabase, ...]:
        """Return both."""
        return (
            WorkspaceDatabase("var/lakes of mine.duckdb", DUCKDB, self.lakes),
            WorkspaceDatabase(HISTORY, POSTGRESQL, None, self.url),
        )

    def runs(self) -> int | None:
        """Return how many runs the server knows, None where it has no history."""
        with psycopg.connect(self.url) as connection:
            there = connection.execute("select to_regclass('workflow_runs')").fetchone()
            if there == (None,):
                return None
            row = connection.execute("select count(*) from workflow_runs").fetchone()
            return None if row is None else int(row[0])

    def state(self) -> tuple[dict[str, object], int | None]:
        """Return the content of both databases."""
        return self.digests(), self.runs()

    def on_server(self, *statements: bytes) -> None:
        """Run statements on the server."""
        with psycopg.connect(self.url) as connection:
            for statement in statements:
                connection.execute(statement)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Run a server of this module's own."""
    with running_server() as made:
        yield made


@pytest.fixture
def far(server: PostgresServer, tmp_path: Path) -> ServerShop:
    """Give a filled workspace with its history on the server."""
    root = tmp_path / "my shop"
    root.mkdir()
    made = ServerShop(root, server.make_database())
    made.fill()
    return made


DEPENDING = b"create view mine as select id from workflow_runs"


@pytest.mark.parametrize("damage", [b"delete from workflow_runs", b"drop table workflow_runs cascade", None])
def test_a_restore_brings_the_history_back(far: ServerShop, damage: bytes | None) -> None:
    """Rows, a table or all tables lost: it is again what it was, and what was there can be restored."""
    before = far.state()
    backup = far.backup()
    if damage is None:
        far.on_server(b"drop schema public cascade", b"create schema public")
    else:
        far.on_server(damage)
    lost = far.runs()
    kept = far.restore(backup).kept
    assert far.state() == before
    assert kept is not None
    verify_backup(kept)
    far.restore(kept)
    assert far.runs() == lost or lost is None


def test_a_server_that_refuses(far: ServerShop) -> None:
    """Somebody's view hangs on a table that is to be replaced: nothing happens, and nothing is to be tried again."""
    backup = far.backup()
    far.fill(rows=9, runs=2)
    far.on_server(DEPENDING)
    before = far.state()
    with pytest.raises(BackupError, match="view mine depends on table workflow_runs") as caught:
        far.restore(backup)
    assert "--database" in str(caught.value.to_fix)
    assert far.state() == before
    assert not (backups_dir(far.root) / JOURNAL).exists()
    assert list(far.root.rglob("*.restoring*")) == []
    assert far.lakes.stat().st_nlink == 1
    assert recover(far.root, far.url) is False
    far.restore(backup, only=far.lakes)
    assert far.runs() == 5


def cut_off(far: ServerShop, backup: Backup) -> None:
    """Kill a restore when it is about to put the history back."""
    work = (
        f"restore_backup(find_backup(shop.root, {backup.name!r}), shop.root, history_url={far.url!r}, lock_timeout=5)"
    )
    far.on_server(DEPENDING)  # right behind that moment it would be refused
    die_once_it_says(far.root, work, backups_dir(far.root) / JOURNAL, '"phase": "server"')


def test_a_restore_that_was_cut_off_and_goes_on(far: ServerShop) -> None:
    """Where the server takes it, the next command finishes it."""
    before = far.state()
    backup = far.backup()
    far.fill(rows=9, runs=2)
    cut_off(far, backup)
    far.on_server(b"drop view mine")
    assert recover(far.root, far.url) is True
    assert far.state() == before
    kept = list_backups(far.root)[0]
    verify_backup(kept)
    far.restore(kept)
    assert far.runs() == 5


@pytest.mark.parametrize("reachable", [True, False])
def test_a_restore_that_was_cut_off_and_cannot_go_on(far: ServerShop, reachable: bool) -> None:
    """It is said once and given up: no command is kept from its work, and what the server held is a backup."""
    backup = far.backup()
    far.fill(rows=9, runs=2)
    before = far.state()
    cut_off(far, backup)
    url = far.url if reachable else "postgresql://me:secret@127.0.0.1:9/runs"
    with pytest.raises(BackupError, match="All files are as they were") as caught:
        recover(far.root, url)
    assert "secret" not in str(caught.value)
    assert recover(far.root, url) is False
    assert far.state() == before
    assert list(far.root.rglob("*.restoring*")) == []
    kept = list_backups(far.root)[0]
    assert [record.kind for record in verify_backup(kept).databases] == [POSTGRESQL]
    far.on_server(b"drop view mine", b"delete from workflow_runs")
    far.restore(kept)
    assert far.runs() == 5


def test_a_dump_of_an_older_schema_undoes_a_migration(server: PostgresServer, tmp_path: Path) -> None:
    """Tables that came later are gone again, and the history can be migrated once more."""
    shop = ServerShop(tmp_path, server.make_database())
    make_old(shop.url, runs=20)
    (history,) = migrate_databases(shop.databases[1:], shop.root, lock_timeout=0)
    assert history.outcome == MIGRATED
    assert history.backup is not None
    shop.restore(find_backup(shop.root, history.backup))
    assert shop.runs() == 20
    again = migrate_databases(shop.databases[1:], shop.root, lock_timeout=0)
    assert [one.outcome for one in again] == [MIGRATED]
    assert [one.outcome for one in migrate_databases(shop.databases[1:], shop.root, lock_timeout=0)] == [CURRENT]


def test_somebody_who_is_writing(far: ServerShop) -> None:
    """A transaction that goes on is not waited for without end."""
    backup = far.backup()
    with psycopg.connect(far.url) as writer:
        writer.execute("update workflow_runs set workflow_name = 'x'")
        with pytest.raises(DatabaseLockedError, match="in use by another connection"):
            far.restore(backup)
    with create_storage_backend(far.url) as backend:
        backend.runs.add(WorkflowRun("lakes", started_at=START))
    far.restore(backup)
    assert far.runs() == 3


def test_options_of_the_url_reach_the_programs(far: ServerShop) -> None:
    """Where a socket is, for one."""
    with psycopg.connect(far.url) as connection:
        (folder,) = connection.execute("show unix_socket_directories").fetchone() or ("",)
    port, database = far.url.rpartition(":")[2].split("/")
    far.place = f"postgresql:///{database}?host={folder}&port={port}&user=tester&password=p%40ss%2Fw%3Ard"
    before = far.state()
    backup = far.backup()
    far.on_server(b"delete from workflow_runs")
    far.restore(backup)
    assert far.state() == before


def test_a_configuration_without_a_server(far: ServerShop) -> None:
    """A dump has nowhere to go, and nothing is touched."""
    backup = far.backup()
    before = far.files()
    with pytest.raises(BackupError, match="is not a PostgreSQL URL") as caught:
        restore_backup(backup, far.root, history_url="sqlite:///x.db", lock_timeout=0)
    assert "--set storage.url" in str(caught.value)
    assert far.files() == before


def test_programs_that_are_not_there() -> None:
    """What to install is said."""
    with pytest.raises(BackupError, match="not installed here") as caught:
        find_program("pg_never", 16)
    assert "apt-get install postgresql-client" in str(caught.value)
    with pytest.raises(BackupError, match="the one here is of version"):
        find_program("pg_dump", 999)


SPY = """#!/bin/sh
if [ "$1" = --version ]; then echo "psql (PostgreSQL) 99.1"; exit; fi
echo "$@" > "$SPY/arguments"
cp "$PGSERVICEFILE" "$SPY/service"
stat -c %a "$PGSERVICEFILE" > "$SPY/mode"
echo "$PGPASSWORD $PGSERVICEFILE" > "$SPY/environment"
"""


def test_no_secret_is_in_a_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody on a machine may read those: the password goes by environment, others by a file that only we read."""
    program = tmp_path / "psql"
    program.write_text(SPY)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SPY", str(tmp_path))
    url = "postgresql://me:first@host/db?sslkey=/a.key&sslpassword=sec%3Dond%20one&sslmode=require"
    run_program("psql", 15, ["-X"], url)
    told = (tmp_path / "arguments").read_text()
    assert "first" not in told and "ond" not in told
    assert "sslkey=%2Fa.key" in told and "service=orchestrator" in told
    assert (tmp_path / "service").read_text() == "[orchestrator]\nsslpassword=sec=ond one\n"
    assert (tmp_path / "mode").read_text() == "600\n"
    password, file = (tmp_path / "environment").read_text().split()
    assert password == "first" and not Path(file).exists()  # noqa: S105 - of a place that does not exist
    for wrong, said in (("service=mine&sslpassword=x", "the service mine"), ("sslpassword=a%0Ab", "control character")):
        with pytest.raises(BackupError, match=said):
            run_program("psql", 15, ["-X"], f"postgresql://host/db?{wrong}")


def test_postgresql_takes_such_a_file(server: PostgresServer) -> None:
    """Its own program reads the service file, and connects as it would without."""
    run_program("psql", 15, ["-X", "-c", "select 1"], f"{server.make_database()}?sslpassword=of-no-key")
