"""Processes that kill themselves before their n-th change of a file, which Python's audit events tell."""

from __future__ import annotations

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
from orchestrator.maintenance.backup.backup import create_backup, find_backup, prune_backups
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
        if operations == {number}:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(before_an_operation)
{work}
print(operations)
"""


def program(root: Path, work: str, number: int) -> str:
    """Return a program that does ``work`` and dies before its ``number``-th operation, never where that is 0."""
    return CODE.format(repository=str(REPOSITORY), root=str(root), number=number, work=work)


def count_operations(root: Path, work: str) -> int:
    """Do ``work`` in a process of its own; return how many operations it takes."""
    done = subprocess.run([sys.executable, "-c", program(root, work, 0)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def die_before(root: Path, work: str, number: int) -> None:
    """Do ``work`` in a process that kills itself before its ``number``-th operation."""
    done = subprocess.run(
        [sys.executable, "-c", program(root, work, number)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, (number, done.stderr)
