"""The memory of the parent and of the dbt process at the end of each of 30 years.

Resident bytes of both processes of `orchestrator simulate`, sampled from `/proc` twenty times a second while the
shipped simulation runs; the sample at each `YearFinished` counts. Nothing may grow with the number of years.
"""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.march import OURS
from benchmarks.measure import run_all
from benchmarks.results import Series, Table
from benchmarks.runs import last_run, named, unix_time
from benchmarks.sampling import MemorySampler
from benchmarks.shipped import FIRST_YEAR, simulation


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Sample whole runs."""
    years = 4 if bench.quick else 30
    march = simulation(years)
    ours = march.ours(bench)
    found: dict[int, list[dict[str, float]]] = {}
    for number in range(1, (bench.rounds or (1 if bench.quick else 2)) + 1):
        ours.before()
        sampler = MemorySampler()
        cost = run_all(ours.commands, bench.scratch / "output.log", watch=sampler.watch)
        bench.say(f"    {OURS}, {number}: {cost.wall_seconds:.2f} s, {len(sampler.samples)} samples")
        for event in named(last_run(march.place(bench, OURS)), "YearFinished"):
            sample = sampler.at(unix_time(event))
            year = int(str(event["year"])) - FIRST_YEAR + 1
            figures = {"parent_bytes": float(sample.parent), "dbt_process_bytes": float(sample.children)}
            found.setdefault(year, []).append(figures)
    by_year = tuple(Series(f"year {year}", tuple(figures)) for year, figures in sorted(found.items()))
    return [Table("30 years", by_year)], []
