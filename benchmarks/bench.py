"""What a case stands on: scratch folders, contenders in turn, tables compared."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import BenchmarkError, Command, Cost, environment, run_all
from benchmarks.results import CPU, PEAK, WALL, Series

PROGRAMS = Path(__file__).resolve().parent / "programs"
# Rounds after the warm-up by how long the warm-up took, in seconds.
ROUNDS = ((20.0, 5), (180.0, 3), (600.0, 2))


def nothing() -> None:
    """Prepare nothing."""


def no_figures(cost: Cost) -> Mapping[str, float]:
    """Measure nothing further."""
    return {}


@dataclass(frozen=True)
class Contender:
    """Somebody who does the work of a case.

    ``before`` runs before every round and is not measured; ``commands`` are the measured processes, one after another;
    ``figures`` reads further figures off what a round left behind; ``after`` runs after each round.
    """

    name: str
    commands: Sequence[Command]
    before: Callable[[], None] = nothing
    figures: Callable[[Cost], Mapping[str, float]] = no_figures
    after: Callable[[], None] = nothing


def rounds_for(seconds: float) -> int:
    """Say how many rounds something that took so long is worth.

    >>> [rounds_for(seconds) for seconds in (1, 60, 400, 4000)]
    [5, 3, 2, 1]
    """
    return next((rounds for limit, rounds in ROUNDS if seconds < limit), 1)


@dataclass
class Bench:
    """One run of the benchmarks. ``quick`` asks every case for its smallest size that still does all it does."""

    scratch: Path
    quick: bool = False
    rounds: int | None = None
    say: Callable[[str], None] = print
    recordings: dict[str, Path] = field(default_factory=dict)

    def folder(self, name: str) -> Path:
        """Make a new empty folder."""
        path = self.scratch / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def compete(self, contenders: Sequence[Contender], *, warm_up: bool = True) -> tuple[Series, ...]:
        """Let contenders take turns: a warm-up of each, then round by round, everybody in every round.

        Who is slow takes part in fewer rounds. Without ``warm_up`` each has one round unless more are asked for:
        for work of many minutes, whose start-up does not count.
        """
        found: dict[str, list[dict[str, float]]] = {each.name: [] for each in contenders}
        wanted: dict[str, int] = {}
        for each in contenders:
            if warm_up:
                seconds = self._round(each, "warm-up")[WALL]
                wanted[each.name] = self.rounds or (1 if self.quick else rounds_for(seconds))
            else:
                wanted[each.name] = self.rounds or 1
        for number in itertools.count(1):
            taking_part = [each for each in contenders if number <= wanted[each.name]]
            if not taking_part:
                break
            for each in taking_part:
                found[each.name].append(self._round(each, f"{number} of {wanted[each.name]}"))
        return tuple(Series(name, tuple(rounds)) for name, rounds in found.items())

    def _round(self, contender: Contender, label: str) -> dict[str, float]:
        contender.before()
        cost = run_all(contender.commands, self.scratch / "output.log")
        figures = {
            WALL: cost.wall_seconds,
            CPU: cost.cpu_seconds,
            PEAK: float(cost.peak_bytes),
            **contender.figures(cost),
        }
        contender.after()
        self.say(f"    {contender.name}, {label}: {cost.wall_seconds:.2f} s")
        return figures

    def quietly(self, command: Command) -> str:
        """Run a process that is not measured; return its standard output.

        Raises:
            BenchmarkError: it failed.
        """
        done = subprocess.run(
            command.args, cwd=command.cwd, env=environment(command.env), capture_output=True, text=True
        )
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip().splitlines()[-25:]
            raise BenchmarkError("\n".join([f"{' '.join(command.args)} ended with {done.returncode}:", *said]))
        return done.stdout

    def sql(self, database: Path, *statements: str) -> None:
        """Run statements on a database, in a process of their own: this one stays small."""
        self.quietly(program("sql.py", str(database), *statements))

    def digests(self, database: Path) -> dict[str, str]:
        """Return columns, types, number and hash of the rows of every table and view, the ledger left out."""
        found: dict[str, str] = json.loads(self.quietly(program("digest.py", str(database))))
        return found

    def equal(self, databases: Mapping[str, Path]) -> str:
        """Compare the tables that contenders left behind; return a sentence about it.

        Raises:
            BenchmarkError: two differ, or there is nothing to compare.
        """
        first, *others = databases
        expected = self.digests(databases[first])
        if not expected:
            raise BenchmarkError(f"{databases[first]} of {first} holds no table.")
        for other in others:
            found = self.digests(databases[other])
            differ = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
            if differ:
                raise BenchmarkError(f"{first} and {other} differ in {', '.join(differ)}.")
        return f"{len(expected)} tables and views are equal, columns, types and rows: {', '.join(databases)}."


def program(name: str, *args: str) -> Command:
    """Call one of ``benchmarks/programs`` in this environment."""
    return Command([sys.executable, str(PROGRAMS / name), *args], cwd=PROGRAMS)
