"""A replayed year against the same year through dbt (`execution.replay=off`), on the shipped simulation.

Years from the third on, by the `YearFinished` events of `orchestrator simulate` over five years; dbt runs the
first two in either case. Both leave the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import median

from benchmarks.bench import Bench
from benchmarks.march import OURS, March
from benchmarks.measure import Cost
from benchmarks.results import Series, Table
from benchmarks.runs import last_run, year_seconds
from benchmarks.shipped import FIRST_YEAR, simulation

THIRD = FIRST_YEAR + 2
BY_DBT, REPLAYED = "through dbt", "replayed"


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure both in turns."""
    plain = simulation(3 if bench.quick else 5, name="replay_off")
    marches = {BY_DBT: replace(plain, settings=(*plain.settings, "execution.replay=off"), _laid={})}
    marches[REPLAYED] = replace(plain, name="replay_auto", _laid={})
    contenders = [
        replace(march.ours(bench, figures=_figures(bench, march)), name=name) for name, march in marches.items()
    ]
    series = bench.compete(contenders)
    checked = bench.equal({name: march.database(bench, OURS) for name, march in marches.items()})
    years = tuple(
        Series(one.name, tuple({"year_seconds": each["year_seconds"]} for each in one.rounds)) for one in series
    )
    return [Table("a year", years), Table("whole processes", series)], [checked]


def _figures(bench: Bench, march: March) -> Callable[[Cost], Mapping[str, float]]:
    def figures(cost: Cost) -> Mapping[str, float]:
        seconds = year_seconds(last_run(march.place(bench, OURS)))
        return {"year_seconds": median(taken for year, taken in seconds.items() if year >= THIRD)}

    return figures
