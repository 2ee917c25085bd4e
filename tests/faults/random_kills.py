"""Kill runs at random moments for as long as wanted: ``python -m tests.faults.random_kills --minutes 15 --seed 7``.

Each round begins with an empty or a simulated database, starts one run or two at once, kills the parent, the dbt
process or both at a moment that is uniform over the length of a run, does so up to three times, and then lets a run go
to its end. Its rows must be those of an undisturbed run. The first difference ends it with 1 and leaves the
workspace; the same seed makes the same choices, as far as the machine lets the moments be the same.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.cli_project import COLD, Cli
from tests.support.processes import dbt_processes, wait_until
from tests.support.workspaces import PROJECTS, REPOSITORY, Workspace

SHIPPED = ("2025-2027",)
PATIENCE = ("--set", "self_healing.lock_timeout_seconds=300", "--set", "self_healing.timeout_seconds=300")
TARGETS = ("parent", "dbt", "both")
MOST_KILLS_A_ROUND = 3
SECONDS_FOR_A_RUN = 600


class DifferenceError(Exception):
    """Signals that a run after a kill failed, or did not give the undisturbed rows."""


@dataclass
class Tally:
    """What was done so far."""

    kills: int = 0
    runs: int = 0

    def words(self, differences: int, seed: int) -> str:
        """Sum up."""
        return f"{self.kills} kills, {self.runs} runs, {differences} difference{'s' * (differences != 1)}, seed {seed}"


class Arena:
    """A workspace, the digests of an undisturbed run in it, and how long such a run takes."""

    def __init__(self, project: str, root: Path) -> None:
        self.root = root
        self._arguments = (*(SHIPPED if project == "shipped" else ()), *PATIENCE)
        if project == "shipped":
            for folder in ("dbt", "config"):
                ignored = shutil.ignore_patterns("target", "logs")
                shutil.copytree(REPOSITORY / folder, root / folder, ignore=ignored)
        else:
            shutil.copytree(PROJECTS / project, root, dirs_exist_ok=True)
        self.workspace = Workspace(root)
        self.database = self.workspace.orchestrator().config.database_path or self.workspace.database
        self.cli = Cli(root, self.database)
        self._to_the_end()
        self.workspace.leave_open()  # else a run on it has nothing to do
        self._kept = self.database.read_bytes()
        self.undisturbed = self.workspace.digests()
        self.database.unlink()
        begun = time.monotonic()
        self._to_the_end()
        self.seconds = time.monotonic() - begun
        if self.workspace.digests() != self.undisturbed:
            raise DifferenceError("two undisturbed runs differ")

    def lay_out(self, *, simulated: bool) -> None:
        """Begin a round."""
        Path(f"{self.database}.wal").unlink(missing_ok=True)
        if simulated:
            self.database.write_bytes(self._kept)
        else:
            self.database.unlink(missing_ok=True)
        shutil.rmtree(self.root / "var" / "runs", ignore_errors=True)

    def kill(self, target: str, seconds: float, *, runs: int) -> None:
        """Start runs, kill the ``target`` of one of them after some seconds, and wait until nothing lives."""
        started = [self._start() for _ in range(runs)]
        time.sleep(seconds)
        victim = started[0]
        children = [pid for pid in dbt_processes(self.root) if _parent_of(pid) == victim.pid]
        if target != "parent":
            for pid in children:
                os.kill(pid, signal.SIGKILL)
        if target != "dbt":
            victim.kill()
        for process in started:
            out, err = process.communicate(timeout=SECONDS_FOR_A_RUN)
            spared = process is not victim or target == "dbt"
            if spared and "Traceback" in err:
                raise DifferenceError(f"a run that was not killed ended with {process.returncode}:\n{out}\n{err}")
            if process is not victim and process.returncode != 0:
                raise DifferenceError(f"the run that waited ended with {process.returncode}:\n{out}\n{err}")
        wait_until(lambda: not dbt_processes(self.root), "no dbt process is left")

    def assert_recovers(self) -> None:
        """Run to the end and compare."""
        self._to_the_end()
        found = self.workspace.digests()
        differing = sorted(n for n in {*found, *self.undisturbed} if found.get(n) != self.undisturbed.get(n))
        if differing:
            raise DifferenceError(f"other rows than an undisturbed run in: {', '.join(differing)}")

    def _start(self) -> subprocess.Popen[str]:
        """Start a run whose dbt process is a new interpreter: a fork would not be its child, by which it is found."""
        return self.cli.start("simulate", *self._arguments, env=COLD)

    def _to_the_end(self) -> None:
        process = self._start()
        out, err = process.communicate(timeout=SECONDS_FOR_A_RUN)
        if process.returncode:
            raise DifferenceError(f"a run that nobody disturbed ended with {process.returncode}:\n{out}\n{err}")


def _parent_of(pid: int) -> int:
    try:
        return int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1


def say(words: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def round_of(arena: Arena, choose: random.Random, tally: Tally) -> None:
    """Kill some runs, then let one go to its end."""
    simulated = choose.random() < 0.3
    arena.lay_out(simulated=simulated)
    for _ in range(choose.randint(1, MOST_KILLS_A_ROUND)):
        target, runs = choose.choice(TARGETS), choose.choice((1, 1, 1, 2))
        seconds = choose.uniform(0, arena.seconds)
        tally.kills += 1
        tally.runs += runs
        ground = "simulated" if simulated else "empty"
        say(f"kill {tally.kills}: {target} of {runs} after {seconds:.2f} s, on {ground}")
        arena.kill(target, seconds, runs=runs)
    tally.runs += 1
    arena.assert_recovers()


def main(arguments: list[str] | None = None) -> int:
    """Go round until the time is over or something differs; return the exit code."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--kills", type=int, help="stop after so many kills")
    parser.add_argument("--seed", type=int, default=None, help="by default another one each time")
    parser.add_argument("--project", choices=("reservoir", "shipped"), default="reservoir")
    parser.add_argument("--folder", type=Path, help="where to work; by default a temporary folder")
    options = parser.parse_args(arguments)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    root = Path(tempfile.mkdtemp(prefix="faults-", dir=options.folder)) / "work"
    root.mkdir()
    choose, tally = random.Random(seed), Tally()  # noqa: S311  # nothing secret hangs on it
    ends = time.monotonic() + options.minutes * 60
    try:
        arena = Arena(options.project, root)
        say(f"a run takes {arena.seconds:.1f} s in {root}")
        while time.monotonic() < ends and (options.kills is None or tally.kills < options.kills):
            round_of(arena, choose, tally)
    except (DifferenceError, AssertionError) as error:
        say(f"\n{error}\n\n{tally.words(1, seed)}\nThe workspace is kept: {root}")
        command = f"--project {options.project} --seed {seed} --minutes {options.minutes:g}"
        say(f"To repeat it: make faults ARGS={shlex.quote(command)}")
        return 1
    shutil.rmtree(root.parent)
    say(f"\n{tally.words(0, seed)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
