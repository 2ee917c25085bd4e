"""A small project to be swept, and what is seen of its sweeps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import pytest

from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.plan import SweepPlan
from orchestrator.scenarios.state import MemberState
from tests.support.cli_project import Cli, Told
from tests.support.processes import dbt_processes, wait_until
from tests.support.workspaces import Workspace

VARY = ("--vary", "rain_factor=1,2")
SECONDS_OF_A_SWEEP = 280.0
HOLD = """
import os, time
from pathlib import Path

def hold(context):
    root = Path(context.config.root)
    held = root / f"held-{os.getpid()}"
    held.write_text(str(context.database))
    while not (root / "go").exists():
        time.sleep(0.02)
    held.unlink(missing_ok=True)
"""


class Swept(Cli):
    """The command line in a project whose sweeps are looked at."""

    def __init__(self, root: Path, database: Path) -> None:
        super().__init__(root, database)
        self.started: list[subprocess.Popen[str]] = []

    def start(
        self, *args: str, env: dict[str, str] | None = None, python: Sequence[str] = (), cold: bool = False
    ) -> subprocess.Popen[str]:
        """Start a command, and keep it to be looked at in the end."""
        process = super().start(*args, env=env, python=python, cold=cold)
        self.started.append(process)
        return process

    def __call__(
        self, *args: str, env: dict[str, str] | None = None, python: Sequence[str] = (), cold: bool = False
    ) -> Told:
        """Run a command to its end; a sweep on a busy machine takes its time."""
        process = self.start(*args, env=env, python=python, cold=cold)
        out, err = process.communicate(timeout=SECONDS_OF_A_SWEEP)
        return Told(process.returncode, out, err)

    def sweep(self, *args: str, env: dict[str, str] | None = None) -> Told:
        """Run ``sweep run`` with the name ``s``."""
        return self("sweep", "run", "--name", "s", *args, env=env)

    @property
    def folder(self) -> SweepFolder:
        """Return the folder of that sweep."""
        return SweepFolder.of(self.root, "s")

    def plan(self) -> SweepPlan:
        """Return its plan."""
        return SweepPlan.read(self.folder.plan)

    def states(self) -> dict[str, MemberState]:
        """Return the states of its members."""
        return {one.key: MemberState.read(self.folder.member(one.key).state) for one in self.plan().members}

    def statuses(self) -> list[str]:
        """Return the statuses of its members, in their order."""
        return [state.status for state in self.states().values()]

    def results(self, sql: str) -> list[tuple[object, ...]]:
        """Return the rows of a query of its results."""
        with duckdb.connect(str(self.folder.results_database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def hold_members(self) -> None:
        """Let every member wait in its first year until :meth:`let_go`."""
        (self.root / "holding.py").write_text(HOLD)
        file = self.root / "config" / "simulation.yaml"
        file.write_text(file.read_text() + "hooks: [{type: pre_year, call: 'holding:hold'}]\n")

    def waiting(self) -> list[int]:
        """Return the processes whose members wait."""
        return [int(file.name.removeprefix("held-")) for file in self.root.glob("held-*")]

    def wait_held(self, count: int = 1) -> list[int]:
        """Wait until so many members wait; return the processes."""
        running = self.started[-1]
        wait_until(lambda: len(self.waiting()) >= count or running.poll() is not None, "members are held", 120)
        assert running.poll() is None, running.communicate()
        return self.waiting()

    def let_go(self) -> None:
        """Let members go on."""
        for file in self.root.glob("held-*"):
            file.unlink(missing_ok=True)
        (self.root / "go").touch()

    def wait_working(self) -> None:
        """Wait until a member is in a stage of a year."""
        place = str(self.folder.path)

        def works() -> bool:
            told = [file.read_text() for file in self.root.glob("var/runs/*/events.jsonl")]
            return any(place in text and "StageStarted" in text for text in told)

        wait_until(works, "a member works", 120)

    def workers(self) -> list[int]:
        """Return the pids of Dask workers in this folder."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes()
                if b"multiprocessing.spawn" in command and (entry / "cwd").readlink() == self.root:
                    found.append(int(entry.name))
            except (OSError, ValueError):
                continue
        return found

    def wait_nothing_left(self) -> None:
        """Wait until no worker and no dbt process of this folder is left."""
        wait_until(lambda: not self.workers() and not dbt_processes(self.root), "all of its processes are gone", 30)


@pytest.fixture
def swept(fresh: Callable[[str], Workspace]) -> Iterator[Swept]:
    """Give a parsed project without a database; whatever of it still runs at the end is ended, and is a failure."""
    workspace = fresh("reservoir")
    made = Swept(workspace.root, workspace.root / "var" / "reservoir.duckdb")
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
            process.communicate()
    left = [*made.workers(), *dbt_processes(made.root)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def document(told: Told) -> dict[str, object]:
    """Return the document of a command that ended well."""
    assert told.exit_code == 0, told.err
    found = json.loads(told.out)
    assert isinstance(found, dict)
    return found
