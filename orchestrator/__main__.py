"""Run the command line: ``python -m orchestrator``, or the program ``orchestrator``."""

from __future__ import annotations

import sys

from orchestrator.cli import main
from orchestrator.cli.fast_exit import run_with_fast_exit


def run() -> int:
    """Run the command line on ``sys.argv`` and return its exit code; the process ends with it."""
    return run_with_fast_exit(main)


if __name__ == "__main__":
    sys.exit(run())
