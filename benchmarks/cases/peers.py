"""One pipeline through several tools, from no database: ours, dbt's command line, SQLMesh, bare SQL.

10 views and 8 tables of foundation over 10,000 rows; in each of 5 years 12 events, a fact of them, a snapshot that
reads its own year before, 8 marts. Ported to SQLMesh in its own way: a year is an interval, and whatever needs no year
before takes all asked years in one query; `one plan` is one process of its command line, `a plan per year` are five
plans in one process by its Python API. Bare SQL is one statement per relation and year. Every tool keeps its caches
from the warm-up. All relations are compared row by row. Telemetry is off.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.bench import PROGRAMS, Bench, Contender, program
from benchmarks.machine import PEERS_PYTHON
from benchmarks.march import DATABASE, March, remove
from benchmarks.measure import BenchmarkError, Command
from benchmarks.peers import FIRST_YEAR, STAGES, nodes, write_dbt, write_sql, write_sqlmesh
from benchmarks.results import Table

YEARS = 5
ROWS = 10_000
CLI = "import sys; from sqlmesh.cli.main import cli; sys.exit(cli())"


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure all; compare all rows of all relations."""
    if not PEERS_PYTHON.exists():
        raise BenchmarkError("There is no SQLMesh. To fix: make .venv-peers/peers")
    rows = ROWS // 10 if bench.quick else ROWS
    last = FIRST_YEAR + YEARS - 1
    march = March("peers", lambda folder: write_dbt(folder, rows), FIRST_YEAR, last, STAGES, {}, seeds=False)
    ends = [f"{year + 1}-01-01" for year in range(FIRST_YEAR, last + 1)]
    one = ["-c", CLI, "plan", "--auto-apply", "--no-prompts", "--execution-time", ends[-1]]
    contenders = [
        march.ours(bench),
        march.by_commands(bench),
        march.by_runner(bench),
        _sqlmesh(bench, march, rows, "SQLMesh, one plan", one),
        _sqlmesh(bench, march, rows, "SQLMesh, a plan per year", [str(PROGRAMS / "sqlmesh_plans.py"), *ends]),
        _bare(bench, march, rows),
    ]
    series = bench.compete(contenders)
    names = bench.scratch / "relations.json"
    names.write_text(json.dumps([node.name for node in nodes(rows)]))
    databases = [str(march.database(bench, each.name)) for each in contenders]
    compared = int(bench.quietly(program("compare.py", str(names), *databases)))
    check = f"{len(nodes(rows))} relations with {compared:,} rows are equal in all {len(contenders)} databases."
    return [Table("5 years, 10,000 rows", series)], [check]


def _sqlmesh(bench: Bench, march: March, rows: int, name: str, arguments: list[str]) -> Contender:
    folder = _folder(bench, march, name)
    write_sqlmesh(folder, rows)
    command = Command([str(PEERS_PYTHON), "-P", *arguments], cwd=folder)
    return Contender(name, [command], before=lambda: remove(folder / DATABASE))


def _bare(bench: Bench, march: March, rows: int) -> Contender:
    folder = _folder(bench, march, "bare SQL")
    statements, database = folder / "statements.jsonl", folder / DATABASE
    write_sql(statements, rows, YEARS)
    command = program("floor.py", str(statements), str(database))
    return Contender("bare SQL", [command], before=lambda: remove(database))


def _folder(bench: Bench, march: March, name: str) -> Path:
    folder = march.database(bench, name).parent
    folder.mkdir(parents=True, exist_ok=True)
    return folder
