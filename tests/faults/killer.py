"""Simulate until a moment, then kill: ``python killer.py '{"target": "both", "event": "StageStarted", "year": 2001}'``.

Of the moment, ``event`` is the class of an event and every other key one of its fields; ``times`` waits for the n-th
such event, ``seconds`` goes on for so long after it, ``wal`` until the write-ahead log grows after it; ``signal``
is the number of another signal than SIGKILL. It ends and says what the command line would, where it lives to do so.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from orchestrator import PipelineOrchestrator, create_orchestrator
from orchestrator.cli.error_output import report_error
from orchestrator.cli.options import CommonOptions
from orchestrator.cli.output import Output
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.events import Event

SECONDS_TO_START = 120.0


class Killer:
    """A listener that kills at a moment."""

    def __init__(self, moment: dict[str, object]) -> None:
        self._target = str(moment.pop("target"))
        self._event = str(moment.pop("event"))
        self._seconds = float(str(moment.pop("seconds", 0)))
        self._times = int(str(moment.pop("times", 1)))
        self._wal = bool(moment.pop("wal", False))
        self._signal = int(str(moment.pop("signal", int(signal.SIGKILL))))
        self._fields = moment
        self.orchestrator: PipelineOrchestrator | None = None

    def __call__(self, event: Event) -> None:
        """Look at an event."""
        fields = {name: getattr(event, name, None) for name in self._fields}
        if type(event).__name__ != self._event or fields != self._fields or self._times < 1:
            return
        self._times -= 1
        if self._times:
            return
        if self._seconds or self._wal:
            threading.Thread(target=self._later, daemon=True).start()
        else:
            self._kill()

    def _later(self) -> None:
        assert self.orchestrator is not None
        if self._wal:
            log = Path(f"{self.orchestrator.config.database_path}.wal")
            size = _size(log)
            until = time.monotonic() + 30
            while _size(log) == size and time.monotonic() < until:
                pass
        time.sleep(self._seconds)
        self._kill()

    def _kill(self) -> None:
        assert self.orchestrator is not None
        if self._target != "parent":
            os.kill(self._dbt_process(), self._signal)
        if self._target != "dbt":
            os.kill(os.getpid(), self._signal)

    def _dbt_process(self) -> int:
        """Wait until the dbt process, which is started beside all else, is there; return its pid."""
        assert self.orchestrator is not None
        until = time.monotonic() + SECONDS_TO_START
        while (pid := self.orchestrator.runner.pid) is None:
            assert time.monotonic() < until, "there is no dbt process"
            time.sleep(0.001)
        return pid


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def main() -> int:
    """Run; return the exit code that the command line would."""
    killer = Killer(json.loads(sys.argv[1]))
    killer.orchestrator = create_orchestrator(listeners=[killer])
    output = Output(json=False, verbosity=0, quiet=False)
    try:
        killer.orchestrator.execute_multi_year_simulation()
    except (KeyboardInterrupt, OrchestratorError) as error:
        return report_error(error, output, CommonOptions())
    finally:
        killer.orchestrator.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
