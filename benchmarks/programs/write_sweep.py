"""Write a sweep as files: ``python write_sweep.py PROJECT NAME SEEDS tables|databases``.

Its members are five growth rates × two factors × so many seeds; each has the closing table of the shipped simulation
in PROJECT, with other numbers, as Parquet or in a database.
"""

from __future__ import annotations

import random
import sys
from itertools import product
from pathlib import Path

import duckdb

from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.plan import Member, SweepPlan, Variation
from orchestrator.scenarios.state import MemberState

SUMMARY = "rpt_scenario_summary"
GROWTH, FACTORS = (0.01, 0.02, 0.03, 0.05, 0.08), (0.5, 1.5)


def write_sweep(root: Path, name: str, seeds: tuple[int, ...], *, kept: bool) -> None:
    """Write a sweep whose members left the closing table as Parquet, or else their databases."""
    growth, factor = "vars.target_growth_rate", "vars.termination_multiplier"
    members = tuple(
        Member.of("baseline", seed, {growth: one, factor: other})
        for one, other, seed in product(GROWTH, FACTORS, seeds)
    )
    variations = (Variation(growth, GROWTH), Variation(factor, FACTORS))
    at = "2026-01-01T00:00:00+00:00"
    plan = SweepPlan(name, at, 2025, 2029, variations, ("baseline",), seeds, members, (SUMMARY,))
    folder = SweepFolder.of(root, name)
    folder.path.mkdir(parents=True)
    plan.write(folder.plan)
    with duckdb.connect(str(root / "var" / "simulation.duckdb"), read_only=True) as connection:
        rows = connection.sql(f"from {SUMMARY}").to_arrow_table()
    for number, member in enumerate(members):
        own = folder.member(member.key)
        own.path.mkdir(parents=True)
        MemberState("done", seconds=2.0 + number % 5, attempts=1).write(own.state)
        more = 1 + random.Random(member.seed).gauss(0, 0.01) + float(str(member.values[growth]))
        with duckdb.connect(":memory:" if kept else str(own.database)) as connection:
            connection.register("given", rows)
            higher = ", ".join(f"{name} * {more}::double as {name}" for name in ("end_headcount", "total_plan_cost"))
            connection.execute(f"create table {SUMMARY} as from given select * replace ({higher})")
            if kept:
                place = folder.results / SUMMARY / "scenario=baseline" / f"seed={member.seed}"
                place.mkdir(parents=True, exist_ok=True)
                connection.table(SUMMARY).write_parquet(str(place / f"{member.key}.parquet"))


write_sweep(Path(sys.argv[1]), sys.argv[2], tuple(range(1, int(sys.argv[3]) + 1)), kept=sys.argv[4] == "tables")
