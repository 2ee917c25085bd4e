"""A dbt project that marches through years, and the ways to run it: ours, dbt's own two, bare SQL."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bench import Bench, Contender, no_figures, program
from benchmarks.measure import Command, Cost

OURS = "orchestrator"
DBT_COMMANDS = "dbt command line"
DBT_RUNNER = "one dbtRunner"
FLOOR = "bare DuckDB"
DATABASE = "march.duckdb"
ORCHESTRATOR = (sys.executable, "-P", "-m", "orchestrator")
DBT = (sys.executable, "-P", "-m", "dbt.cli.main")


@dataclass(frozen=True)
class March:
    """A project of which each contender gets a copy of its own, made by ``lay(folder)``.

    The copy holds ``config/simulation.yaml`` and ``dbt/``. ``stages`` are (dbt command, selector) in the order of a
    year, ``variables`` are handed to every dbt command with the year as ``simulation_year``, ``settings`` to ours as
    ``--set``. ``state`` are tables that the first year reads before anything wrote them, which ours creates itself.
    ``name`` tells recordings apart. ``seeds`` tells whether there are any.
    """

    name: str
    lay: Callable[[Path], None]
    first: int
    last: int
    stages: tuple[tuple[str, str], ...]
    variables: Mapping[str, object]
    settings: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    seeds: bool = True
    _laid: dict[str, Path] = field(default_factory=dict)

    def place(self, bench: Bench, contender: str) -> Path:
        """Return the contender's copy; parse caches in it are kept from round to round."""
        if contender not in self._laid:
            folder = bench.folder(f"{self.name} {contender}")
            self.lay(folder)
            self._laid[contender] = folder
        return self._laid[contender]

    def database(self, bench: Bench, contender: str) -> Path:
        """Return where a contender's rows go; every file has the same name, which is the catalog's name in the SQL."""
        return self.place(bench, contender) / DATABASE

    def commands(self) -> list[list[str]]:
        """Return the dbt commands of seeds, foundation and years, as people write them in a loop of the shell."""
        listed = self.beginning()
        for year in range(self.first, self.last + 1):
            listed += [[command, "--select", select, *self._vars(year)] for command, select in self.stages]
        return listed

    def beginning(self) -> list[list[str]]:
        """Return the dbt commands before the first year."""
        foundation = ["run", "--select", "tag:FOUNDATION", *self._vars(self.first)]
        return [["seed", *self._vars(self.first)], foundation] if self.seeds else [foundation]

    def _vars(self, year: int) -> list[str]:
        return ["--vars", json.dumps({**self.variables, "simulation_year": year})]

    def ours(
        self, bench: Bench, *, figures: Callable[[Cost], Mapping[str, float]] = no_figures, name: str = OURS
    ) -> Contender:
        """Run it by ``orchestrator simulate`` on no database."""
        folder, database = self.place(bench, name), self.database(bench, name)
        command = Command([*ORCHESTRATOR, "simulate", *self._ours_options(), "--database", str(database)], cwd=folder)
        return Contender(name, [command], before=lambda: remove(database), figures=figures)

    def _ours_options(self) -> list[str]:
        options = [f"{self.first}-{self.last}"]
        for setting in self.settings:
            options += ["--set", setting]
        return options

    def by_commands(self, bench: Bench) -> Contender:
        """Run it by dbt's command line, a process for each command."""
        folder, environment = self._dbt_place(bench, DBT_COMMANDS)
        commands = [Command([*DBT, *arguments], cwd=folder, env=environment) for arguments in self.commands()]
        return Contender(DBT_COMMANDS, commands, before=lambda: self._begin(bench, DBT_COMMANDS))

    def by_runner(self, bench: Bench) -> Contender:
        """Run it by dbt's own runner in one process, which parses again whenever a var changes."""
        folder, environment = self._dbt_place(bench, DBT_RUNNER)
        listed = bench.scratch / f"{self.name} commands.json"
        listed.write_text(json.dumps(self.commands()))
        command = program("plain_dbt.py", str(listed))
        command = Command(command.args, cwd=folder, env=environment)
        return Contender(DBT_RUNNER, [command], before=lambda: self._begin(bench, DBT_RUNNER))

    def floor(self, bench: Bench, recording: Path, *, years: int | None = None) -> Contender:
        """Execute the recorded statements on one bare connection, of the first ``years`` where that is said."""
        database = self.database(bench, FLOOR)
        count = len(self.beginning()) + (self.last - self.first + 1 if years is None else years) * len(self.stages)
        told = bench.scratch / f"{self.name} floor.json"
        command = program("floor.py", str(recording), str(database), str(count), str(told))

        def figures(cost: Cost) -> dict[str, float]:
            found: dict[str, float] = json.loads(told.read_text())
            return found

        # Views over files name them relative to the folder of the dbt project, as dbt's own process does.
        command = Command(command.args, cwd=self.place(bench, FLOOR) / "dbt")
        return Contender(FLOOR, [command], before=lambda: self._begin(bench, FLOOR), figures=figures)

    def record(self, bench: Bench) -> Path:
        """Record the statements that dbt sends in all years; once for each project, for those who share a bench."""
        key = f"{self.name} {self.first}-{self.last}"
        if key not in bench.recordings:
            bench.say(f"    recording the statements of {key}")
            folder, environment = self._dbt_place(bench, "recorder")
            self._begin(bench, "recorder")
            listed, path = bench.scratch / f"{key} commands.json", bench.scratch / f"{key} statements.jsonl"
            one_thread = [[*arguments, "--threads", "1"] for arguments in self.commands()]  # for one connection
            listed.write_text(json.dumps(one_thread))
            command = program("record.py", str(listed), str(path))
            bench.quietly(Command(command.args, cwd=folder, env=environment))
            bench.recordings[key] = path
        return bench.recordings[key]

    def all_contenders(self, bench: Bench) -> list[Contender]:
        """Return ours, dbt's command line, one dbtRunner and the floor, whose statements are recorded first."""
        recording = self.record(bench)
        return [self.ours(bench), self.by_commands(bench), self.by_runner(bench), self.floor(bench, recording)]

    def compare(self, bench: Bench, contenders: Sequence[Contender]) -> str:
        """Compare what the contenders left behind in their last round."""
        return bench.equal({each.name: self.database(bench, each.name) for each in contenders})

    def _dbt_place(self, bench: Bench, contender: str) -> tuple[Path, dict[str, str]]:
        return self.place(bench, contender) / "dbt", {"ORCHESTRATOR_DATABASE": str(self.database(bench, contender))}

    def _begin(self, bench: Bench, contender: str) -> None:
        """Make a database that holds nothing but the empty state tables, which plain dbt cannot make."""
        database = self.database(bench, contender)
        remove(database)
        if self.state:
            bench.sql(database, *self._state_tables(bench))

    def _state_tables(self, bench: Bench) -> list[str]:
        """Return the statements that create the state tables, as our own healing writes them."""
        path = bench.scratch / f"{self.name} state.json"
        if not path.exists():
            folder, database = self.place(bench, "state"), self.database(bench, "state")
            options = [item for setting in self.settings for item in ("--set", setting)]
            bench.quietly(Command([*ORCHESTRATOR, "init", *options, "--database", str(database)], cwd=folder))
            path.write_text(bench.quietly(program("tables.py", str(database), *self.state)))
        found: list[str] = json.loads(path.read_text())
        return found


def remove(database: Path) -> None:
    """Remove a database with what lies beside it."""
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
