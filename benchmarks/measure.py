"""Run whole processes and say what they cost."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

KIB = 1024


class BenchmarkError(Exception):
    """A measured process failed, or contenders disagree about the result."""


@dataclass(frozen=True)
class Command:
    """A process to start; ``env`` is laid over the environment of this process."""

    args: Sequence[str]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What one process, or several one after another, cost.

    ``started_at`` is Unix time; ``cpu_seconds`` are user and system, children included; ``peak_bytes`` is the largest
    resident size that a single one of the processes reached.
    """

    started_at: float
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


def run_all(commands: Sequence[Command], log: Path, *, watch: Callable[[int], None] | None = None) -> Cost:
    """Run processes one after another; ``watch`` is told the pid of each when it has started.

    Raises:
        BenchmarkError: one of them ended with another code than 0; it carries the last lines of its output.
    """
    costs = [_run(command, log, watch) for command in commands]
    return Cost(
        started_at=costs[0].started_at,
        wall_seconds=sum(cost.wall_seconds for cost in costs),
        cpu_seconds=sum(cost.cpu_seconds for cost in costs),
        peak_bytes=max(cost.peak_bytes for cost in costs),
    )


def _run(command: Command, log: Path, watch: Callable[[int], None] | None) -> Cost:
    with log.open("wb") as output:
        started_at, start = time.time(), time.monotonic()
        process = subprocess.Popen(
            command.args,
            cwd=command.cwd,
            env=environment(command.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            if watch is not None:
                watch(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = log.read_text(errors="replace").strip().splitlines()[-25:]
        raise BenchmarkError("\n".join([f"{' '.join(command.args)} ended with {process.returncode}:", *said]))
    return Cost(started_at, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * KIB)


def environment(over: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a contender: nobody reports to anybody, and no setting of ours leaks in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR_", "DBT_"))}
    quiet = {
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "1",
        "NO_COLOR": "1",
    }
    return {**kept, **quiet, **over}
