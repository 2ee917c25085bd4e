"""`orchestrator report` and `compare` of a sweep of 100 members over five years, as whole processes.

The sweep is laid out as files: its plan, the states of its members, and the closing table of each as Parquet, made
of the shipped simulation's own. Ten groups (five growth rates × two factors) have ten seeds each. `report` is also
measured over a sweep that kept no tables, where each member's database is opened.
"""

from __future__ import annotations

from benchmarks.bench import Bench, Contender, program
from benchmarks.march import ORCHESTRATOR
from benchmarks.measure import Command
from benchmarks.results import Table
from benchmarks.shipped import lay

GROUPS = 10


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure all three."""
    folder = bench.folder("workspace")
    lay(folder)
    bench.quietly(Command([*ORCHESTRATOR, "simulate", "2025-2029"], cwd=folder))
    seeds = 2 if bench.quick else 10
    for kind in ("tables", "databases"):
        bench.quietly(program("write_sweep.py", str(folder), kind, str(seeds), kind))
    commands = {
        "report": ["report", "tables"],
        "report, of databases": ["report", "databases"],
        "compare": ["compare", "tables"],
    }
    contenders = [
        Contender(name, [Command([*ORCHESTRATOR, *words, "-q"], cwd=folder)]) for name, words in commands.items()
    ]
    return [Table(f"{GROUPS * seeds} members, 5 years", bench.compete(contenders))], []
