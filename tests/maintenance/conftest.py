"""A small workspace with two databases, without dbt."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pytest

from orchestrator.database.names import SchemaName
from orchestrator.ledger.layouts import upgrade_statements
from orchestrator.maintenance.backup.backup import Backup, create_backup
from orchestrator.maintenance.backup.restore import Restored, restore_backup
from orchestrator.maintenance.backup.workspace import DUCKDB, HISTORY, SQLITE, WorkspaceDatabase
from orchestrator.storage.factory import create_storage_backend
from orchestrator.storage.models import WorkflowRun

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Shop:
    """A workspace: ``lakes`` is its simulated database, ``history`` that of its runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lakes = root / "var" / "lakes of mine.duckdb"
        self.history = root / "var" / "orchestrator.db"

    @property
    def databases(self) -> tuple[WorkspaceDatabase, ...]:
        """Return both."""
        return (
            WorkspaceDatabase("var/lakes of mine.duckdb", DUCKDB, self.lakes),
            WorkspaceDatabase(HISTORY, SQLITE, self.history, self.url),
        )

    @property
    def url(self) -> str:
        """Return the URL of the history."""
        return f"sqlite:///{self.history}"

    def fill(self, rows: int = 1000, runs: int = 3) -> None:
        """Make both databases, or put more into them."""
        self.lakes.parent.mkdir(exist_ok=True)
        with closing(duckdb.connect(str(self.lakes))) as connection:
            for statement in upgrade_statements(0, SchemaName("", "orchestrator")):
                connection.execute(statement)
            connection.execute("create table if not exists lake_level (year integer, level double)")
            connection.execute(f"insert into lake_level select 2000 + i % 3, i * 0.5 from range({rows}) r(i)")
            connection.execute("create or replace view deep as select * from lake_level where level > 10")
        with create_storage_backend(self.url) as backend:
            for _ in range(runs):
                backend.runs.add(WorkflowRun("lakes", started_at=START))

    def digests(self) -> dict[str, object]:
        """Return the content of both databases, table by table; what cannot be read is named so."""
        found: dict[str, object] = {}
        if self.lakes.exists():
            try:
                with closing(duckdb.connect(str(self.lakes))) as connection:
                    tables = "select schema_name, table_name from duckdb_tables() where not internal order by all"
                    for schema, table in connection.execute(tables).fetchall():
                        name = table.replace('"', '""')
                        rows = connection.execute(f'select * from "{schema}"."{name}" order by all').fetchall()
                        found[f"{schema}.{table}"] = (len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())
                    found["views"] = connection.execute(
                        "select view_name from duckdb_views() where not internal order by all"
                    ).fetchall()
            except duckdb.Error:
                found["lakes"] = "damaged"
        if self.history.exists():
            try:
                with closing(sqlite3.connect(self.history)) as connection:
                    found["runs"] = connection.execute("select id, status from workflow_runs order by id").fetchall()
            except sqlite3.Error:
                found["history"] = "damaged"
        return found

    def backup(self, *, reason: str = "test") -> Backup:
        """Make a backup."""
        return create_backup(self.databases, self.root, reason=reason, lock_timeout=0)

    def restore(self, backup: Backup, *, only: Path | None = None) -> Restored:
        """Restore one."""
        return restore_backup(backup, self.root, only=only, history_url=self.url, lock_timeout=0)

    def files(self) -> dict[str, str]:
        """Return a hash of every file of the workspace but locks."""
        kept = [path for path in self.root.rglob("*") if path.is_file() and ".lock" not in path.name]
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(kept)
        }


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Give a filled workspace, in a folder with a space in its name."""
    root = tmp_path / "my shop"
    root.mkdir()
    made = Shop(root)
    made.fill()
    return made
