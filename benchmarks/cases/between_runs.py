"""Five years of the shipped simulation again, after what people do between two runs.

`orchestrator simulate` from no database, each time after one thing has happened to what earlier runs left in `var/dbt`:
nothing at all, a model was edited, a variable has another value, the recordings of stages are gone, all of `var` is
gone as in a new clone. The command line of dbt for the last of them stands beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.bench import Bench, Contender
from benchmarks.cases.cold_init import forgetful
from benchmarks.march import DBT_COMMANDS, March, remove
from benchmarks.results import Table
from benchmarks.shipped import simulation

EDITED = "dbt/models/event_generation/int_merit_events.sql"
RATES = itertools.cycle(("0.031", "0.032", "0.033", "0.034"))


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure all of them in turns."""
    march = simulation(2 if bench.quick else 5, name="between_runs")
    habits: dict[str, Callable[[Path], None]] = {
        "unchanged": lambda folder: None,
        "a model was edited": _edit,
        "a variable has another value": _vary,
        "no recordings": _forget_recordings,
    }
    contenders = [_after(bench, march, name, habit) for name, habit in habits.items()]
    clones = [_after(bench, march, "new clone", lambda folder: None), march.by_commands(bench)]
    clones[1] = replace(clones[1], name=f"{DBT_COMMANDS}, new clone")
    for place, each in zip(("new clone", DBT_COMMANDS), clones, strict=True):
        contenders.append(replace(each, before=forgetful(march.place(bench, place), each.before)))
    return [Table("2025-2029, 1,000 employees", bench.compete(contenders))], []


def _after(bench: Bench, march: March, name: str, habit: Callable[[Path], None]) -> Contender:
    def before() -> None:
        remove(march.database(bench, name))
        habit(march.place(bench, name))

    return replace(march.ours(bench, name=name), before=before)


def _edit(folder: Path) -> None:
    path = folder / EDITED
    path.write_text(path.read_text() + "-- looked at again\n")


def _vary(folder: Path) -> None:
    path = folder / "config" / "simulation.yaml"
    line = next(line for line in path.read_text().splitlines() if "target_growth_rate:" in line)
    path.write_text(path.read_text().replace(line, f"  target_growth_rate: {next(RATES)}"))


def _forget_recordings(folder: Path) -> None:
    for path in (folder / "var" / "dbt").glob("*.recordings"):
        path.unlink()
