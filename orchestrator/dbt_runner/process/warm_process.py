"""A dbt process that several runners use, one after the other."""

from __future__ import annotations

import threading
from pathlib import Path

from orchestrator.core.events import Emit
from orchestrator.dbt_runner.process.process import DbtProcess


class WarmProcess:
    """Holder of an idle dbt process: who runs next need not start one, and finds the project parsed.

    Each runner takes the process, or starts one where there is none, and gives it back when it is closed. What the
    process read and recorded for one runner serves the next as far as that is proven: other variables, and other files
    of the database. Use it as a context manager, or call :meth:`close`, to end the process.
    """

    def __init__(self) -> None:
        self._idle: DbtProcess | None = None
        self._closed = False
        self._changing = threading.Lock()

    def __enter__(self) -> WarmProcess:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def take(self, emit: Emit, zygote: Path | None) -> tuple[DbtProcess, bool]:
        """Return the process, or a new one where it is gone or in use, and whether it is a new one."""
        with self._changing:
            process, self._idle = self._idle, None
        if process is not None and process.alive():
            process.listen(emit)
            return process, False
        return DbtProcess.take(emit, zygote), True

    def give_back(self, process: DbtProcess) -> None:
        """Take a process that waits for a request and has the database closed; end it where there is one already."""
        with self._changing:
            keep = self._idle is None and not self._closed and process.alive()
            if keep:
                self._idle = process
        if not keep:
            process.close()

    def end_idle(self) -> None:
        """End the process where nobody uses it now; who runs next starts another."""
        with self._changing:
            process, self._idle = self._idle, None
        if process is not None:
            process.close()

    def close(self) -> None:
        """End the process; one that is in use ends when it is given back."""
        self._closed = True
        self.end_idle()
