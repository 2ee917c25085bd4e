"""How the cost of the shipped simulation grows with employees and with years, beside the floor.

Five years of 1,000, 10,000 and 100,000 employees, and 1, 5, 10 and 30 years of 1,000 employees.
"""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.results import Table
from benchmarks.shipped import against_floor


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure each size; compare the tables of each."""
    sizes = [(5, 1_000), (5, 10_000), (5, 100_000), (1, 1_000), (10, 1_000), (30, 1_000)]
    if bench.quick:
        sizes = [(2, 500), (2, 1_000), (1, 1_000)]
    longest = max(years for years, _ in sizes)
    tables, checks = [], []
    for years, employees in sizes:
        series, check = against_floor(bench, employees=employees, years=years, recorded_years=longest)
        title = f"{years} {'year' if years == 1 else 'years'}, {employees:,} employees"
        tables.append(Table(title, series))
        checks.append(f"{title}: {check}")
    return tables, checks
