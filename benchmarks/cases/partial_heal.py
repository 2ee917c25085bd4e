"""One seed, or one foundation table, was dropped: `orchestrator init` against dbt's command line with that selection.

The shipped project, healthy before. Ours finds out by itself what is missing; dbt is told.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.bench import Bench, Contender
from benchmarks.march import DATABASE, DBT, DBT_COMMANDS, ORCHESTRATOR, OURS
from benchmarks.measure import Command
from benchmarks.results import Table
from benchmarks.shipped import simulation

SEED, FOUNDATION = "config_age_bands", "int_termination_hazard"


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure both losses; compare the tables."""
    march = simulation(1)
    tables, checks = [], []
    for table, command in ((SEED, "seed"), (FOUNDATION, "run")):
        arguments = [command, "--select", table, *march.beginning()[0][1:]]
        contenders = [
            _without(bench, table, OURS, march.place(bench, OURS), None),
            _without(bench, table, DBT_COMMANDS, march.place(bench, DBT_COMMANDS), arguments),
        ]
        tables.append(Table(f"{table} is missing", bench.compete(contenders)))
        checks.append(march.compare(bench, contenders))
    return tables, checks


def _without(bench: Bench, table: str, name: str, folder: Path, dbt: list[str] | None) -> Contender:
    """Make a healthy database, from which the table is dropped before each round."""
    database = folder / DATABASE
    heal = Command([*ORCHESTRATOR, "init", "--database", str(database)], cwd=folder)
    bench.quietly(heal)
    command = heal
    if dbt is not None:
        command = Command([*DBT, *dbt], folder / "dbt", {"ORCHESTRATOR_DATABASE": str(database)})
    return Contender(name, [command], before=lambda: bench.sql(database, f"drop table {table}"))
