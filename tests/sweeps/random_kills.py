"""Kill processes of sweeps at random moments: ``python -m tests.sweeps.random_kills --kills 30 --seed 7``.

Each round sweeps six members, kills at a moment that is uniform over the length of a sweep what the choice fell on (the
process that was started, a worker, a dbt process, or, with workers of a scheduler elsewhere, that scheduler), up to
three times, and then lets the same command go to its end. The tables of every member must be those of ``simulate``
alone. The first difference ends it with 1 and leaves the workspace; the same seed makes the same choices, as far as the
machine lets the moments be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from orchestrator.scenarios.plan import Member
from tests.faults.random_kills import DifferenceError, say
from tests.support.processes import dbt_processes, wait_until
from tests.support.workspaces import PROJECTS, REPOSITORY, Workspace
from tests.sweeps.conftest import Swept
from tests.sweeps.test_schedulers import Machines

VALUES = {"reservoir": ("rain_factor", "1,2,0.5"), "shipped": ("target_growth_rate", "0.02,0.03,0.05")}
SEEDS = "1-2"
TARGETS = ("parent", "worker", "dbt", "scheduler")
MOST_KILLS_A_ROUND = 3
SECONDS_FOR_A_SWEEP = 900


class Arena:
    """A project whose sweeps are disturbed, and the tables that each member must have in the end."""

    def __init__(self, project: str, base: Path) -> None:
        self._base = base
        self._project = base / "project"
        if project == "shipped":
            for folder in ("dbt", "config"):
                ignored = shutil.ignore_patterns("target", "logs")
                shutil.copytree(REPOSITORY / folder, self._project / folder, ignore=ignored)
        else:
            shutil.copytree(PROJECTS / project, self._project)
        name, values = VALUES[project]
        years = ("2025-2026",) if project == "shipped" else ()
        self._arguments = (*years, "--vary", f"{name}={values}", "--seeds", SEEDS, "--retries", "3")
        self._years = years
        self._round = 0
        swept = self.lay_out()
        begun = time.monotonic()
        self.to_the_end(swept)
        self.seconds = time.monotonic() - begun
        self._alone = {member.key: self._simulated_alone(member) for member in swept.plan().members}
        self.assert_equal(swept)

    def lay_out(self) -> Swept:
        """Begin a round, in a folder of its own."""
        self._round += 1
        root = Path(shutil.copytree(self._project, self._base / f"round-{self._round}"))
        return Swept(root, root / "var" / "alone" / "simulation.duckdb")

    def start(self, swept: Swept, *options: str) -> subprocess.Popen[str]:
        """Start the sweep, or go on with it."""
        return swept.start("sweep", "run", "--name", "s", *self._arguments, "--workers", "2", *options)

    def to_the_end(self, swept: Swept) -> None:
        """Let the sweep go to its end."""
        process = self.start(swept)
        out, err = process.communicate(timeout=SECONDS_FOR_A_SWEEP)
        if process.returncode:
            raise DifferenceError(f"a sweep that nobody disturbed ended with {process.returncode}:\n{out}\n{err}")

    def kill(self, swept: Swept, target: str, seconds: float) -> None:
        """Start the sweep, kill something after some seconds, and wait until nothing of it lives."""
        if target == "scheduler":
            self._kill_scheduler(swept, seconds)
            return
        process = self.start(swept)
        time.sleep(seconds)
        found = {"parent": [process.pid], "worker": swept.workers(), "dbt": dbt_processes(swept.root)}[target]
        for pid in found[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._await_end(swept, process)

    def _kill_scheduler(self, swept: Swept, seconds: float) -> None:
        place = self._base / f"machines-{self._round}-{time.monotonic_ns()}"
        place.mkdir()
        machines = Machines(place, swept.root)
        try:
            for name in ("one", "two"):
                machines.add_worker(name, hidden=False)
            process = self.start(swept, "--scheduler", machines.address)
            time.sleep(seconds)
            machines.scheduler.kill()
            self._await_end(swept, process)
        finally:
            machines.close()
            wait_until(lambda: not dbt_processes(place) and not dbt_processes(swept.root), "no dbt process is left", 60)

    def _await_end(self, swept: Swept, process: subprocess.Popen[str]) -> None:
        _, err = process.communicate(timeout=SECONDS_FOR_A_SWEEP)
        if "Traceback" in err:
            raise DifferenceError(f"a sweep ended with {process.returncode}:\n{err}")
        swept.wait_nothing_left()

    def assert_equal(self, swept: Swept) -> None:
        """Compare every table of every member with a simulation alone."""
        for member in swept.plan().members:
            found = Workspace(swept.folder.member(member.key).path).digests()
            wanted = self._alone[member.key]
            differing = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
            if differing:
                raise DifferenceError(f"{member.key}: other rows than simulated alone in {', '.join(differing)}")

    def _simulated_alone(self, member: Member) -> dict[str, str]:
        folder = self._base / "alone" / member.key
        root = Path(shutil.copytree(self._project, folder / "project"))
        settings = [f"{key}={json.dumps(value)}" for key, value in member.overrides().items()]
        options = [item for setting in settings for item in ("--set", setting)]
        database = folder / "simulation.duckdb"
        told = Swept(root, database)("simulate", *self._years, *options, "--database", str(database))
        if told.exit_code:
            raise DifferenceError(f"a simulation alone ended with {told.exit_code}:\n{told.err}")
        return Workspace(folder).digests()


def main(arguments: list[str] | None = None) -> int:
    """Go round until there were enough kills, or something differs; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.sweeps.random_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=None, help="by default another one each time")
    parser.add_argument("--project", choices=tuple(VALUES), default="reservoir")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    base = Path(tempfile.mkdtemp(prefix="sweeps-"))
    choose, kills = random.Random(seed), 0  # noqa: S311  # nothing secret hangs on it
    try:
        arena = Arena(options.project, base)
        say(f"a sweep takes {arena.seconds:.1f} s in {base}")
        while kills < options.kills:
            swept = arena.lay_out()
            for _ in range(choose.randint(1, MOST_KILLS_A_ROUND)):
                target, seconds = choose.choice(TARGETS), choose.uniform(0, arena.seconds)
                kills += 1
                say(f"kill {kills}: {target} after {seconds:.2f} s")
                arena.kill(swept, target, seconds)
            arena.to_the_end(swept)
            arena.assert_equal(swept)
            shutil.rmtree(swept.root)
    except (DifferenceError, AssertionError) as error:
        say(f"\n{error}\n\n{kills} kills, 1 difference, seed {seed}\nThe workspace is kept: {base}")
        return 1
    shutil.rmtree(base)
    say(f"\n{kills} kills, 0 differences, seed {seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
