"""Run ``orchestrator simulate`` once for each scenario: ``python loop_of_runs.py YEARS FOLDER RATES SEEDS``.

This is what people write in a shell: every scenario in a process and a database of its own, one after the other.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

years, folder, rates, seeds = sys.argv[1], Path(sys.argv[2]), sys.argv[3].split(","), int(sys.argv[4])
for number, (rate, seed) in enumerate(itertools.product(rates, range(1, seeds + 1))):
    database = folder / str(number) / "simulation.duckdb"
    database.parent.mkdir(parents=True)
    settings = [f"vars.target_growth_rate={rate}", f"simulation.random_seed={seed}"]
    options = [item for setting in settings for item in ("--set", setting)]
    command = [sys.executable, "-P", "-m", "orchestrator", "simulate", years, *options, "--database", str(database)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
