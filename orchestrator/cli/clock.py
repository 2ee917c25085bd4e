"""The clock of this invocation; it starts when the module is imported, which is done first of all."""

from __future__ import annotations

from orchestrator.core.clocks import stopwatch

since_start = stopwatch()
