"""Five years of the shipped simulation with 100,000 employees, against the floor.

The employees come from a Parquet file written by `benchmarks/make_census.py`. The floor's statements are recorded over
a small file in its place; that the tables are equal afterwards shows that they are the same.
"""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.results import Table
from benchmarks.shipped import against_floor


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure both; compare their tables."""
    employees, years = (2_000, 2) if bench.quick else (100_000, 5)
    series, check = against_floor(bench, employees=employees, years=years)
    return [Table("5 years, 100,000 employees", series)], [check]
