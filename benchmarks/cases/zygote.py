"""The start of a dbt process: a new interpreter against the fork of a zygote, on the shipped project.

Seconds from the start of dbt's process until the project is parsed, and until the first command (`dbt seed`) is done;
`dbt cpu` is what the dbt process and its children needed for it. Once with the parse that is kept between runs, once
without. The zygote has started before. A fork is no child of the measured process: `cpu` leaves it out.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.bench import PROGRAMS, Bench, Contender
from benchmarks.measure import Command, Cost
from benchmarks.results import Table
from benchmarks.shipped import simulation
from orchestrator import Zygote

NEW, FORKED = "new interpreter", "fork of a zygote"


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure both in turns, with and without a kept parse."""
    march = simulation(1)
    tables = []
    with Zygote.start() as zygote:
        for title, kept in (("a kept parse", True), ("a full parse", False)):
            contenders = [
                _contender(march.place(bench, name), name, address, kept=kept)
                for name, address in ((NEW, None), (FORKED, zygote.address))
            ]
            tables.append(Table(title, bench.compete(contenders)))
    return tables, []


def _contender(folder: Path, name: str, address: Path | None, *, kept: bool) -> Contender:
    out = folder / "figures.json"
    args = [str(PROGRAMS / "start_dbt.py"), "config/simulation.yaml", str(out), *([str(address)] if address else [])]
    return Contender(name, [Command([sys.executable, *args], cwd=folder)], _before(folder, kept=kept), _figures(out))


def _before(folder: Path, *, kept: bool) -> Callable[[], None]:
    def before() -> None:
        (folder / "start.duckdb").unlink(missing_ok=True)
        if not kept:
            shutil.rmtree(folder / "var" / "dbt", ignore_errors=True)

    return before


def _figures(out: Path) -> Callable[[Cost], Mapping[str, float]]:
    def figures(cost: Cost) -> Mapping[str, float]:
        found: dict[str, float] = json.loads(out.read_text())
        return found

    return figures
