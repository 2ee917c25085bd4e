"""The clock of this invocation; it starts when the module is imported, which is done first of all."""

from __future__ import annotations

from orchestrator.timing import stopwatch

since_start = stopwatch()
