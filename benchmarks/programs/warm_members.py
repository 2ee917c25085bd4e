"""Simulate scenario after scenario in one process: ``python warm_members.py CONFIG FOLDER FIRST LAST COUNT OUT.json``.

OUT is told the seconds of a scenario that finds the process warm, of what is shared before the first year (building
it, and taking a copy instead), and of all together.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from pathlib import Path

from orchestrator import WarmProcess, create_orchestrator
from orchestrator.scenarios.shared_start import SharedStart

config, folder, first, last, count, out = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6]), sys.argv[6]
shutil.rmtree(folder, ignore_errors=True)
BUILT = 3  # so many build what is shared, the first of them in a process that is cold; the others take copies
starts: list[tuple[bool, float]] = []
years: list[float] = []
with WarmProcess() as warm:
    for number in range(count):
        database = folder / str(number) / "simulation.duckdb"
        database.parent.mkdir(parents=True)
        overrides = {"vars.target_growth_rate": 0.01 * (1 + number % 5), "simulation.random_seed": number}
        begun = time.perf_counter()
        with create_orchestrator(config, database=database, overrides=overrides, warm=warm) as orchestrator:
            orchestrator.runner.facts()
            shared = SharedStart(folder / f"shared{min(number, BUILT - 1)}", ("target_growth_rate", "random_seed"))
            ready = time.perf_counter()
            copied = shared.prepare(orchestrator, database)
            starts.append((copied, time.perf_counter() - ready))
            orchestrator.execute_multi_year_simulation(first, last)
        years.append(time.perf_counter() - begun)
told = {
    "member_seconds": statistics.median(years[BUILT:]),
    "build_seconds": statistics.median(seconds for copied, seconds in starts[1:] if not copied),
    "copy_seconds": statistics.median(seconds for copied, seconds in starts if copied),
}
Path(out).write_text(json.dumps(told))
