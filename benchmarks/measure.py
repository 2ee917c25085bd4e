"""Run whole processes and say what they cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

KIB = 1024
STARTER = [sys.executable, "-I", "-S", str(Path(__file__).with_name("starter.py"))]


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
    asked = {
        "args": list(command.args),
        "cwd": str(command.cwd),
        "env": environment(command.env),
        "log": str(log.absolute()),
    }
    starter = subprocess.Popen(STARTER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert starter.stdin is not None and starter.stdout is not None
    with starter:
        try:
            starter.stdin.write(json.dumps(asked) + "\n")
            starter.stdin.flush()
            first = starter.stdout.readline()
            if first and watch is not None:
                watch(json.loads(first)["pid"])
            last = starter.stdout.readline()
        except BaseException:
            starter.terminate()
            raise
    if not last:
        raise BenchmarkError(f"{' '.join(command.args)} could not be started in {command.cwd}")
    cost = json.loads(last)
    if cost["exit_code"] != 0:
        said = log.read_text(errors="replace").strip().splitlines()[-25:]
        raise BenchmarkError("\n".join([f"{' '.join(command.args)} ended with {cost['exit_code']}:", *said]))
    return Cost(cost["started_at"], cost["wall_seconds"], cost["cpu_seconds"], cost["peak_kib"] * KIB)


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
