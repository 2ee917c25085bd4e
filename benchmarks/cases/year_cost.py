"""What each year of a 30-year run costs, by the `YearFinished` events of `orchestrator simulate`.

The shipped simulation grows by 3 % a year, from 1,030 employees at the end of year 1 to 2,427 at the end of year 30: a
year's cost includes that growth, and must not grow with the years that lie behind it.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.march import OURS
from benchmarks.measure import Cost
from benchmarks.results import Series, Table
from benchmarks.runs import last_run, year_seconds
from benchmarks.shipped import FIRST_YEAR, simulation


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure the years of several runs."""
    years = 3 if bench.quick else 30
    march = simulation(years)
    seen: list[dict[int, float]] = []

    def figures(cost: Cost) -> dict[str, float]:
        seen.append(year_seconds(last_run(march.place(bench, OURS))))
        return {}

    series = bench.compete([replace(march.ours(bench), figures=figures)])
    rounds = seen[-len(series[0].rounds) :]
    by_year = tuple(
        Series(f"year {year}", tuple({"year_seconds": each[FIRST_YEAR + year - 1]} for each in rounds))
        for year in range(1, years + 1)
    )
    return [Table("30 years", by_year), Table("whole processes", series)], []
