"""Run the command line: ``python -m orchestrator``, or the program ``orchestrator``."""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = 130
SCRIPT = "orchestrator"


def _is_program() -> bool:
    """Tell whether this process is the command line, and no child of it that imports what its parent had."""
    named = os.path.basename(sys.argv[0]).partition(".")[0] == SCRIPT  # noqa: PTH119 - pathlib takes longer than all of this
    return (__name__ == "__main__" or named) and "__mp_main__" not in sys.modules


def _end_at_once(_number: int, _frame: object) -> None:
    """End the process while nothing is done yet: an exception in the middle of an import might abort it."""
    try:
        os.write(2, b"Interrupted; run the same command again.\n")
    finally:
        os._exit(INTERRUPTED)


if _is_program():  # before all other imports; orchestrator.cli.signals takes over when it is there
    for _request in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if _request is signal.SIGTERM or signal.getsignal(_request) is not signal.SIG_IGN:
            signal.signal(_request, _end_at_once)


def run() -> int:
    """Run the command line on ``sys.argv`` and return its exit code; the process ends with it."""
    from orchestrator.cli import main  # these wait until requests to end are met
    from orchestrator.cli.fast_exit import run_with_fast_exit

    return run_with_fast_exit(main)


if __name__ == "__main__":
    sys.exit(run())
