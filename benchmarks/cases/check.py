"""The healthy look at a database: `orchestrator check` as a process, and `ensure_initialized()` in Python.

Generated projects of 30, 300 and 2,000 required tables (one tenth seeds, at most 20; tiny models), built once by
`orchestrator init`. `call` is the median of the calls in one process, the first left out, which reads the cached facts
of the project; every call looks at the database anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.bench import Bench, Contender, program
from benchmarks.generated import write, write_project
from benchmarks.march import ORCHESTRATOR
from benchmarks.measure import Command, Cost
from benchmarks.results import Table

CALLS = 51


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure each size."""
    tables = []
    for count in (30, 60) if bench.quick else (30, 300, 2000):
        folder = bench.folder(f"tables_{count}")
        lay(folder, count)
        bench.say(f"    building {count:,} tables")
        bench.quietly(Command([*ORCHESTRATOR, "init", "--config", "orchestrator.yaml"], cwd=folder))
        tables.append(Table(f"{count:,} required tables, the process", bench.compete([_check(folder)])))
        tables.append(Table(f"{count:,} required tables, in Python", bench.compete([_ensure(bench, folder)])))
    return tables, []


def lay(folder: Path, count: int) -> None:
    """Write a project of so many required tables: it is no simulation, so every seed and model is required."""
    seeds = min(20, count // 10)
    write_project(folder, "tiny", "models: {+materialized: table}\n")
    for number in range(seeds):
        write(folder / "seeds" / f"seed_{number:04}.csv", "id,label\n1,one\n2,two\n")
    for number in range(count - seeds):
        source = f"{{{{ ref('seed_{number % seeds:04}') }}}}"
        sql = f"select id, label, {number} as number from {source}\n"
        write(folder / "models" / f"group_{number // 100:02}" / f"model_{number:04}.sql", sql)
    write(folder / "orchestrator.yaml", "dbt: {project_dir: .}\nself_healing: {timeout_seconds: 3600}\n")


def _check(folder: Path) -> Contender:
    command = Command([*ORCHESTRATOR, "check", "--config", "orchestrator.yaml"], cwd=folder)
    return Contender("orchestrator check", [command])


def _ensure(bench: Bench, folder: Path) -> Contender:
    told = bench.scratch / "ensure.json"
    command = program("ensure.py", str(folder / "orchestrator.yaml"), str(CALLS), str(told))

    def figures(cost: Cost) -> dict[str, float]:
        found: dict[str, float] = json.loads(told.read_text())
        return found

    return Contender("ensure_initialized()", [Command(command.args, cwd=folder)], figures=figures)
