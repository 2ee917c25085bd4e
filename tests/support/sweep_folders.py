"""Folders of sweeps as the sweep engine leaves them, made without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path

import duckdb

from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.plan import Member, SweepPlan, Variation
from orchestrator.scenarios.state import MemberState

Rows = Sequence[tuple[object, ...]]
RowsOf = Callable[[Member], Rows]
FAILED = MemberState("failed", message="inflow: no rain", to_fix="look at the rain", attempts=2)


def lay_sweep(
    root: Path,
    name: str,
    rows: RowsOf,
    *,
    table: str,
    columns: Sequence[tuple[str, str]],
    years: tuple[int, int],
    vary: Mapping[str, Sequence[object]] | None = None,
    scenarios: Sequence[str] = ("baseline",),
    seeds: Sequence[int] = (),
    states: Mapping[int, MemberState] | None = None,
    parquet: bool = True,
    databases: bool = False,
) -> SweepPlan:
    """Write a sweep whose members have these rows of a table; ``states`` are those that are not done, by place."""
    variations = tuple(Variation(key, tuple(values)) for key, values in (vary or {}).items())  # type: ignore[arg-type]
    members = tuple(
        Member.of(scenario, seed, {one.key: value for one, value in zip(variations, values, strict=True)})
        for scenario in scenarios
        for values in product(*(one.values for one in variations))
        for seed in (seeds or (None,))
    )
    plan = SweepPlan(
        name, "2026-11-29T20:00:00+00:00", *years, variations, tuple(scenarios), tuple(seeds), members, (table,)
    )
    folder = SweepFolder.of(root, name)
    folder.path.mkdir(parents=True)
    plan.write(folder.plan)
    types = ", ".join(f'"{column}" {kind}' for column, kind in columns)
    for place, member in enumerate(members):
        own = folder.member(member.key)
        own.path.mkdir(parents=True)
        state = (states or {}).get(place) or MemberState("done", seconds=2.0 + place % 3, attempts=1)
        state.write(own.state)
        if state.status != "done":
            continue
        with duckdb.connect(str(own.database) if databases else ":memory:") as connection:
            connection.execute(f'create table "{table}" ({types})')
            marks = ", ".join("?" * len(columns))
            for row in rows(member):
                connection.execute(f'insert into "{table}" values ({marks})', list(row))
            if parquet:
                place_of = folder.results / table / f"scenario={member.scenario}" / f"seed={member.seed}"
                place_of.mkdir(parents=True, exist_ok=True)
                connection.table(table).write_parquet(str(place_of / f"{member.key}.parquet"))
    return plan
