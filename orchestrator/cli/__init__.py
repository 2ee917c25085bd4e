"""The command line: the only room that prints results and ends the program."""

from __future__ import annotations

import gc
import sys

INTERRUPTED = 130
OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main() -> int:
    """Run the command line on ``sys.argv`` and return its exit code; imports wait, so that Ctrl-C is met at once."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)  # imports make what stays
    try:
        from orchestrator.cli.clock import since_start  # noqa: F401  # starts the clock first of all
        from orchestrator.cli.signals import end_like_ctrl_c

        end_like_ctrl_c()
        from orchestrator.cli.early_start import dbt_started

        with dbt_started(sys.argv[1:]):
            from orchestrator.cli.app import run_program

            return run_program(sys.argv[1:])
    except KeyboardInterrupt:
        print("Interrupted; run the same command again.", file=sys.stderr)
        return INTERRUPTED
