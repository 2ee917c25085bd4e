"""Time ``ensure_initialized()``: ``python ensure.py CONFIG CALLS OUT.json``; every call looks at the database anew."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from orchestrator import create_orchestrator

with create_orchestrator(Path(sys.argv[1])) as orchestrator:
    seconds = []
    for _ in range(int(sys.argv[2]) + 1):
        start = time.perf_counter()
        result = orchestrator.initializer.ensure_initialized()
        seconds.append(time.perf_counter() - start)
        assert not result.missing_tables_found, result
first, *others = [1000 * each for each in seconds]
Path(sys.argv[3]).write_text(json.dumps({"first_call_ms": first, "call_ms": statistics.median(others)}))
