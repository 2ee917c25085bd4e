"""A second `orchestrator simulate` on an unchanged project: seconds until the first node runs.

The first year of the shipped simulation is run again and again. `first node` is the time from the start of the process
to the first `NodeStarted` in the run's `events.jsonl`: interpreter, imports, configuration, the start of dbt, its parse
or the cache in its place, the look at the database, the purge of the year.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.march import OURS
from benchmarks.measure import BenchmarkError, Cost
from benchmarks.results import Table
from benchmarks.runs import last_run, named, unix_time
from benchmarks.shipped import simulation


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure the start."""
    march = simulation(1)
    folder = march.place(bench, OURS)

    def figures(cost: Cost) -> dict[str, float]:
        events = last_run(folder)
        first = next(named(events, "NodeStarted"), None)
        if first is None:
            raise BenchmarkError("the run started no node")
        begun = next(named(events, "RunStarted"))
        return {
            "run_started_seconds": unix_time(begun) - cost.started_at,
            "first_node_seconds": unix_time(first) - cost.started_at,
        }

    ours = march.ours(bench, figures=figures)
    ours.before()
    again = replace(ours, before=lambda: None)  # keeps the database: the warm-up made it
    return [Table("unchanged project", bench.compete([again]))], []
