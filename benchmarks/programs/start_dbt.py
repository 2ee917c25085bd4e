"""Start dbt, parse, seed: ``python start_dbt.py CONFIG OUT.json [ADDRESS]``, by the zygote at an address where given.

``dbt_cpu_seconds`` are those of the dbt process and of what it started, from its start to the end of ``dbt seed``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from orchestrator import create_orchestrator

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of its children."""
    found = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if entry.name == str(pid) or fields[1] == str(pid):
                found += sum(map(int, fields[11:15]))
    return found / TICKS


zygote = Path(sys.argv[3]) if len(sys.argv) > 3 else None
with create_orchestrator(Path(sys.argv[1]), database=Path("start.duckdb"), zygote=zygote) as orchestrator:
    runner = orchestrator.runner
    start = time.perf_counter()
    runner.facts()
    parsed = time.perf_counter()
    runner.seed()
    seeded = time.perf_counter()
    assert runner.pid is not None
    figures = {
        "parsed_after_seconds": parsed - start,
        "seeded_after_seconds": seeded - start,
        "dbt_cpu_seconds": cpu_seconds(runner.pid),
    }
Path(sys.argv[2]).write_text(json.dumps(figures))
