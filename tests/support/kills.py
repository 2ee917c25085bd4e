"""Processes that kill themselves before their n-th change of a file, which Python's audit events tell."""

from __future__ import annotations

import atexit
import functools
import json
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
CODE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {repository!r})
from tests.maintenance.conftest import Shop
from orchestrator.maintenance.backup.backup import create_backup, find_backup
from orchestrator.maintenance.migrate import migrate_databases
from orchestrator.maintenance.backup.restore import restore_backup
shop, operations = Shop(Path({root!r})), 0
CHANGES = {{"os.rename": 1, "os.link": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "os.chmod": 0, "open": 0}}

def before_an_operation(event, args):
    global operations
    place = CHANGES.get(event)
    if place is None or (event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR)):
        return
    path = os.fsdecode(args[place]) if isinstance(args[place], (str, bytes, os.PathLike)) else ""
    if event == "os.remove" and not os.path.lexists(path) or ".lock" in path:
        return
    if path.startswith({root!r}) or not os.path.isabs(path):
        operations += 1
        if {dies}:
            os.kill(os.getpid(), signal.SIGKILL)

def says(path, text):
    return os.path.exists(path) and text in Path(path).read_text()

sys.addaudithook(before_an_operation)
{work}
print(operations)
"""


def program(root: Path, work: str, number: int) -> str:
    """Return a program that does ``work`` and dies before its ``number``-th operation, never where that is 0."""
    return CODE.format(repository=str(REPOSITORY), root=str(root), dies=f"operations == {number}", work=work)


def count_operations(root: Path, work: str) -> int:
    """Do ``work`` in a process of its own; return how many operations it takes."""
    status, output = _programs().run(program(root, work, 0))
    assert status == 0, output
    return int(output)


def die_before(root: Path, work: str, number: int) -> None:
    """Do ``work`` in a process that kills itself before its ``number``-th operation."""
    status, output = _programs().run(program(root, work, number))
    assert status == -signal.SIGKILL, (number, output)


def die_once_it_says(root: Path, work: str, file: Path, text: str) -> None:
    """Do ``work`` in a process that kills itself before the first operation at which ``file`` holds ``text``."""
    dies = f"says({str(file)!r}, {text!r})"
    status, output = _programs().run(CODE.format(repository=str(REPOSITORY), root=str(root), dies=dies, work=work))
    assert status == -signal.SIGKILL, output


SERVER = """
import json, os, sys, tempfile
sys.path.insert(0, sys.argv[1])
import orchestrator.maintenance.backup.restore, orchestrator.maintenance.migrate, tests.maintenance.conftest

for line in sys.stdin:
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for descriptor in (1, 2):
                os.dup2(output.fileno(), descriptor)
            break
        _, status = os.waitpid(child, 0)
        output.seek(0)
        print(json.dumps([os.waitstatus_to_exitcode(status), output.read().decode()]), flush=True)
else:
    sys.exit()
exec(json.loads(line), {"__name__": "__main__"})
"""


class Programs:
    """Runs programs one after the other, each in a fork of a process that has imported what they need."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(REPOSITORY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(self._end)

    def run(self, code: str) -> tuple[int, str]:
        """Run a program to its end; return its exit code, below 0 by a signal, and what it wrote."""
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(code) + "\n")
        self._server.stdin.flush()
        status, output = json.loads(self._server.stdout.readline())
        return int(status), str(output)

    def _end(self) -> None:
        self._server.communicate()


@functools.cache
def _programs() -> Programs:
    return Programs()
