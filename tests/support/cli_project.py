"""The command line as a user meets it: a real process in a real project."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestrator.database.mutex import DatabaseMutex
from orchestrator.dbt_runner.process.zygote import VARIABLE
from tests.support.processes import GENEROUS, wait_until
from tests.support.programs import start_python
from tests.support.workspaces import REPOSITORY

REQUIRED = ["lakes", "rain", "lake_shape", "stg_rain", "lake_shore", "lake_level"]
COLD = {VARIABLE: ""}
"""The environment of a command whose dbt process is to be a new interpreter, which takes its time to start."""
HOLD_FILE = """
import duckdb, sys
c = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read_only")
print("held", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Told:
    """What a command said and how it ended."""

    exit_code: int
    out: str
    err: str

    def document(self) -> dict[str, object]:
        """Return the one JSON document on standard output."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    def error(self) -> dict[str, str]:
        """Return the ``error`` of a failure's document."""
        error = self.document()["error"]
        assert isinstance(error, dict)
        return error


class Cli:
    """The command line in one project folder; ``database`` is its file."""

    def __init__(self, root: Path, database: Path) -> None:
        self.root = root
        self.database = database

    def start(
        self, *args: str, env: dict[str, str] | None = None, python: Sequence[str] = (), cold: bool = False
    ) -> subprocess.Popen[str]:
        """Start a command and return at once; ``cold`` and with options of ``python`` it is a new interpreter."""
        ours = ("ORCHESTRATOR_", "PYTEST_CURRENT_TEST")  # dbt hangs on odd events where it believes to be tested
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment |= {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "80", VARIABLE: os.environ.get(VARIABLE, "")}
        environment |= env or {}
        command = [*python, "-m", "orchestrator", *args]
        return start_python(command, cwd=self.root, env=environment, cold=cold or bool(python))

    def __call__(
        self, *args: str, env: dict[str, str] | None = None, python: Sequence[str] = (), cold: bool = False
    ) -> Told:
        """Run a command to its end, as :meth:`start` starts it."""
        process = self.start(*args, env=env, python=python, cold=cold)
        out, err = process.communicate(timeout=120)
        return Told(process.returncode, out, err)

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements on the database from outside; return the rows of the last."""
        rows: list[tuple[object, ...]] = []
        with duckdb.connect(str(self.database)) as connection:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
        return rows

    @contextmanager
    def held(self) -> Iterator[DatabaseMutex]:
        """Hold the mutex, as another run does."""
        with DatabaseMutex(self.database, run_id="another", command="orchestrator simulate").held() as mutex:
            yield mutex

    @contextmanager
    def open_elsewhere(self, mode: str = "read_write") -> Iterator[int]:
        """Have the database open in another program, ``read_write`` or ``read_only``; yield its pid."""
        process = start_python(["-c", HOLD_FILE, str(self.database), mode], stdin=subprocess.PIPE, stderr=None)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process.pid
        finally:
            process.communicate("")

    def asides(self) -> list[Path]:
        """Return the databases that were moved aside, without their logs."""
        found = sorted(self.database.parent.glob("*.corrupt-*"))
        return [path for path in found if path.suffix != ".wal"]


def interrupt(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> Told:
    """Send a signal, wait at most 2 seconds and some for a busy machine, and return what was said."""
    process.send_signal(number)
    out, err = process.communicate(timeout=GENEROUS)
    return Told(process.returncode, out, err)


def wait_for_file(path: Path) -> None:
    """Wait until another process has made a file."""
    wait_until(path.exists, f"{path} is there", 60)
