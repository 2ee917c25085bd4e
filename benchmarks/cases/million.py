"""Ten years of the shipped simulation with 1,000,000 employees, against the floor.

Runs only when it is named, or with `--long`; one round each, without a warm-up. As in `hundred_thousand`, the floor's
statements are recorded over a small file in the place of the large one.
"""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.results import Table
from benchmarks.shipped import against_floor


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure both; compare their tables."""
    employees, years = (3_000, 2) if bench.quick else (1_000_000, 10)
    series, check = against_floor(bench, employees=employees, years=years, warm_up=False)
    return [Table("10 years, 1,000,000 employees", series)], [check]
