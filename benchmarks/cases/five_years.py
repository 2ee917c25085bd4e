"""Five years of the shipped simulation, 1,000 employees, from no database to the last year.

`orchestrator simulate` against dbt as people run it today (a process per stage and year, with `--vars`), against dbt's
own runner in one process (which parses again whenever a var changes), and against the floor: the statements that dbt
sends, recorded once and executed on one bare DuckDB connection. Parse caches are there from the warm-up.
Plain dbt and the floor are given the empty state tables of the first year, which only ours makes.
"""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.results import Table
from benchmarks.shipped import simulation

TITLE = "2025-2029, 1,000 employees"


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure all four; compare their tables."""
    march = simulation(2 if bench.quick else 5)
    contenders = march.all_contenders(bench)
    series = bench.compete(contenders)
    return [Table(TITLE, series)], [march.compare(bench, contenders)]
