"""Many scenarios: a sweep on two workers against a loop of `orchestrator simulate`, and what one member costs.

24 members (3 rates of growth × 8 seeds) of three years of the shipped simulation. The loop is a process and a database
for each scenario, one after the other; recordings and parses of earlier rounds serve both. `a warm member` is one
in a process that has simulated others before, beside its own recorded SQL on bare DuckDB. `before the first year` is
what members have in common: built by one, copied for another. The memory is that of all processes of a sweep of a small
project, when so many of its members are done.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from datetime import datetime
from pathlib import Path

from benchmarks.bench import Bench, Contender, program
from benchmarks.generated import write, write_project
from benchmarks.march import ORCHESTRATOR
from benchmarks.measure import Command, Cost, run_all
from benchmarks.results import Series, Table
from benchmarks.sampling import INTERVAL
from benchmarks.shipped import FIRST_YEAR, simulation
from orchestrator.scenarios.memory import memory_below

SWEEP, LOOP = "orchestrator sweep, 2 workers", "a loop of orchestrator simulate"
RATES = "0.02,0.03,0.05"
YEARLY = """{{ config(materialized='incremental', tags=['YEARLY']) }}
select {{ var('yr') }} as yr, {{ var('rate') }} as rate, hash({{ var('random_seed') }} + {{ var('yr') }}) as drawn
"""
CONFIGURATION = """simulation: {start_year: 1, end_year: 2, year_var: yr, year_column: yr}
dbt: {project_dir: dbt}
database: var/small.duckdb
stages: [{name: yearly, select: "tag:YEARLY"}]
"""


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure all of it."""
    years = 2 if bench.quick else 3
    members, check = _members(bench, years, seeds=1 if bench.quick else 8)
    alone, before = _warm(bench, years, count=6 if bench.quick else 15)
    few, many = (4, 10) if bench.quick else (20, 500)
    return [members, alone, before, _memory(bench, few, many)], [check]


def _members(bench: Bench, years: int, seeds: int) -> tuple[Table, str]:
    march = simulation(years, name="sweep")
    sweep, loop = march.place(bench, SWEEP), march.place(bench, LOOP)
    range_ = f"{FIRST_YEAR}-{FIRST_YEAR + years - 1}"
    options = ["--vary", f"target_growth_rate={RATES}", "--seeds", f"1-{seeds}", "--workers", "2", "--name", "all"]
    one = Command([*ORCHESTRATOR, "sweep", "run", range_, *options], cwd=sweep)
    each = Command(program("loop_of_runs.py", range_, "var/members", RATES, str(seeds)).args, cwd=loop)
    contenders = [
        Contender(SWEEP, [one], before=lambda: shutil.rmtree(sweep / "var" / "sweeps", ignore_errors=True)),
        Contender(LOOP, [each], before=lambda: shutil.rmtree(loop / "var" / "members", ignore_errors=True)),
    ]
    series = bench.compete(contenders)
    listed = json.loads((sweep / "var" / "sweeps" / "all" / "plan.json").read_text())["members"]
    folders = [sweep / "var" / "sweeps" / "all" / "members" / member["key"] for member in listed]
    for number, folder in enumerate(folders):
        both = {SWEEP: folder / "simulation.duckdb", LOOP: loop / "var" / "members" / str(number) / "simulation.duckdb"}
        bench.equal(both)
    return Table(f"{len(listed)} members, {years} years", series), f"{len(listed)} members: all tables are equal"


def _warm(bench: Bench, years: int, count: int) -> tuple[Table, Table]:
    march = simulation(years, name="warm")
    name = "a warm member"
    folder, out = march.place(bench, name), bench.scratch / "warm.json"
    last = str(FIRST_YEAR + years - 1)
    arguments = ("config/simulation.yaml", "var/members", str(FIRST_YEAR), last, str(count), str(out))
    found: list[dict[str, float]] = []

    def figures(cost: Cost) -> dict[str, float]:
        told: dict[str, float] = json.loads(out.read_text())
        found.append(told)
        return {"member_seconds": told["member_seconds"]}

    warm = Contender(name, [Command(program("warm_members.py", *arguments).args, cwd=folder)], figures=figures)
    series = bench.compete([warm, march.floor(bench, march.record(bench))])
    measured = found[1:]
    built = Series("built", tuple({"start_seconds": told["build_seconds"]} for told in measured))
    copied = Series("copied", tuple({"start_seconds": told["copy_seconds"]} for told in measured))
    return Table(f"a member, {years} years", series), Table("before the first year", (built, copied))


def _memory(bench: Bench, few: int, many: int) -> Table:
    folder = bench.folder("small sweep")
    write_project(folder / "dbt", "small", "vars: {yr: 1, rate: 0}\n")
    write(folder / "dbt" / "models" / "yearly.sql", YEARLY)
    write(folder / "orchestrator.yaml", CONFIGURATION)
    options = ["--vary", "vars.rate=1,2", "--seeds", f"1-{many // 2}", "--workers", "2", "--name", "all"]
    command = Command([*ORCHESTRATOR, "sweep", "run", *options], cwd=folder)
    samples: list[tuple[float, int]] = []

    def watch(pid: int) -> None:
        threading.Thread(target=_sample, args=(pid, samples), daemon=True).start()

    run_all([command], bench.scratch / "output.log", watch=watch)
    ends = sorted(_finished(path) for path in (folder / "var" / "sweeps" / "all" / "members").glob("*/member.json"))
    found = []
    for count in (few, many):
        at = max(number for number, (moment, _) in enumerate(samples) if moment <= ends[count - 1])
        around = sorted(size for _, size in samples[max(0, at - 40) : at + 1])
        found.append(Series(f"member {count}", ({"bytes": float(around[len(around) // 2])},)))
    return Table(f"{many} members of a small project", tuple(found))


def _sample(pid: int, samples: list[tuple[float, int]]) -> None:
    while Path(f"/proc/{pid}").exists():
        samples.append((time.time(), memory_below(pid)))
        time.sleep(INTERVAL)


def _finished(path: Path) -> float:
    return datetime.fromisoformat(str(json.loads(path.read_text())["finished_at"])).timestamp()
