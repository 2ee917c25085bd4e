"""`orchestrator init` on no database against `dbt seed` + `dbt run --select tag:FOUNDATION` by dbt's command line.

The shipped project, twice: as it is after it was parsed once, and as in a new clone, without any cache. Ours also
creates the empty state tables and its ledger.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.bench import Bench, Contender
from benchmarks.march import DBT, DBT_COMMANDS, ORCHESTRATOR, OURS, March, remove
from benchmarks.measure import BenchmarkError, Command
from benchmarks.results import Table
from benchmarks.shipped import STATE, simulation

CACHES = ("var", "dbt/target", "dbt/logs")


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure both states of the caches; compare the tables."""
    march = simulation(1)
    contenders = [_ours(bench, march), _by_commands(bench, march)]
    warm = bench.compete(contenders)
    checks = [_equal_but_for_state(bench, march)]
    clones = [replace(each, before=forgetful(march.place(bench, each.name), each.before)) for each in contenders]
    cold = bench.compete(clones)
    return [Table("no database, parsed before", warm), Table("no database, new clone", cold)], checks


def _ours(bench: Bench, march: March) -> Contender:
    folder, database = march.place(bench, OURS), march.database(bench, OURS)
    command = Command([*ORCHESTRATOR, "init", "--database", str(database)], cwd=folder)
    return Contender(OURS, [command], before=lambda: remove(database))


def _by_commands(bench: Bench, march: March) -> Contender:
    folder, database = march.place(bench, DBT_COMMANDS) / "dbt", march.database(bench, DBT_COMMANDS)
    environment = {"ORCHESTRATOR_DATABASE": str(database)}
    commands = [Command([*DBT, *arguments], folder, environment) for arguments in march.beginning()]
    return Contender(DBT_COMMANDS, commands, before=lambda: remove(database))


def forgetful(folder: Path, before: Callable[[], None]) -> Callable[[], None]:
    """Prepare a round as if the project had just been cloned."""

    def forget() -> None:
        for name in CACHES:
            shutil.rmtree(folder / name, ignore_errors=True)
        before()

    return forget


def _equal_but_for_state(bench: Bench, march: March) -> str:
    ours = bench.digests(march.database(bench, OURS))
    theirs = bench.digests(march.database(bench, DBT_COMMANDS))
    for name in STATE:
        ours.pop(name)
    if ours != theirs or not ours:
        raise BenchmarkError(f"tables differ: {sorted(name for name, _ in ours.items() ^ theirs.items())}")
    return f"{len(ours)} tables and views are equal, the empty state tables aside, which dbt does not make."
