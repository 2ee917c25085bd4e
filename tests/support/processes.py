"""Processes of ours, as the system sees them, and waiting for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

GENEROUS = 60.0
"""Seconds that a busy machine may take for what takes a moment, and far less than what would never end."""
# New interpreters, and forks of a zygote, which have its command line (the zygote itself works in /).
DBT_PROGRAMS = (b"orchestrator.dbt_runner.process.worker", b"orchestrator.dbt_runner.process.zygote_server")


def dbt_processes(below: Path) -> list[int]:
    """Return the pids of the dbt processes that work in a folder below ``below`` and are not zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            place = (entry / "cwd").readlink()
        except OSError:
            continue
        if any(program in command for program in DBT_PROGRAMS) and place.is_relative_to(below):
            found.append(int(entry.name))
    return found


def parent_of(pid: int) -> int:
    """Return the pid of a process's parent."""
    status = Path("/proc", str(pid), "status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("PPid:")).split()[1])


def wait_until(condition: Callable[[], bool], what: str, seconds: float = GENEROUS) -> None:
    """Wait for something that another process does, and fail when it does not come."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"after {seconds} s still not: {what}"
        time.sleep(0.02)
