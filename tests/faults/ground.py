"""A small project to break: its command line, its database, and what an undisturbed run gives."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestrator.database.mutex import DatabaseMutex
from tests.support.cli_project import Cli, Told
from tests.support.processes import GENEROUS, dbt_processes, wait_until
from tests.support.programs import run_python
from tests.support.workspaces import REPOSITORY, Workspace

KILLER = Path(__file__).with_name("killer.py")
DROP_RIGHTS = """
import ctypes, os, sys
for right in (1, 2):
    ctypes.CDLL(None).prctl(24, right, 0, 0, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


LEDGER = "select 1 from information_schema.tables where table_schema = 'orchestrator' and table_name = 'runs'"


class Ground(Cli):
    """A copy of the reservoir whose years are finished, but not the run; ``undisturbed`` are its tables' digests."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace.root, workspace.database)
        self.workspace = workspace
        self.undisturbed = workspace.digests()

    def leave_open(self) -> None:
        """Let the next run have something to do, although all years may be finished."""
        if self.database.exists() and self.is_free() and self.sql(LEDGER):
            self.workspace.leave_open()

    def empty(self) -> None:
        """Take the database away."""
        self.database.unlink()

    @contextmanager
    def changed(self, file: str, content: str | bytes | None) -> Iterator[Path]:
        """Have a file of the project with other content, or without it, for a while."""
        path = self.root / file
        original = path.read_bytes()
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            yield path
        finally:
            path.write_bytes(original)

    def contents(self) -> dict[str, str]:
        """Return a hash of every file of the database, its lock left out."""
        files = sorted(self.database.parent.glob(f"{self.database.name}*"))
        kept = [path for path in files if path.is_file() and ".lock" not in path.name]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}

    def text(self, file: str) -> str:
        """Return a file of the project."""
        return (self.root / file).read_text()

    def without_rights(self, *args: str) -> Told:
        """Run a command as somebody to whom the rights of files apply, which they do not to root."""
        command = [sys.executable, "-c", DROP_RIGHTS, "-m", "orchestrator", *args]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        return Told(done.returncode, done.stdout, done.stderr)

    def killed_at(self, moment: dict[str, object], target: str) -> subprocess.CompletedProcess[str]:
        """Simulate until an event with these fields, then kill ``parent``, ``dbt`` or ``both``."""
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        return run_python([str(KILLER), json.dumps({"target": target, **moment})], cwd=self.root, env=environment)

    def assert_nothing_left(self) -> None:
        """No process of ours lives, the mutex is free, and nothing temporary lies in the database."""
        wait_until(lambda: not dbt_processes(self.root), "no dbt process is left")
        assert DatabaseMutex(self.database, run_id="probe").holder() is None
        if self.is_free():
            assert [name for name in self.workspace.tables() if "__dbt_" in name] == []

    def assert_recovers(self) -> None:
        """The next run needs no help and gives the rows of an undisturbed one."""
        told = self("simulate")
        assert told.exit_code == 0, told
        assert self.workspace.digests() == self.undisturbed

    def wait_unlocked(self) -> None:
        """Wait until nobody holds the file: a killed process loses its command line before its locks."""
        self.workspace.wait_unlocked()

    def is_free(self) -> bool:
        """Tell whether DuckDB opens the file: it is whole, and nobody has it open for writing."""
        try:
            duckdb.connect(str(self.database), read_only=True).close()
        except duckdb.Error:
            return False
        return True


def wait_dead(process: subprocess.Popen[str], seconds: float = GENEROUS) -> int:
    """Wait for a process to end; kill it when it does not, and fail."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        raise
