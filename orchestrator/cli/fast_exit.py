"""End a process without taking its heap apart, which is a seventh of the time of a healthy check.

Only where a command says that nothing is left to be written: its own files are closed, and no foreign code ran, which
might trust Python's own end to write what it holds.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable

_allowed = False


def allow_fast_exit() -> None:
    """Say that nothing is left to be written but the standard streams."""
    global _allowed
    _allowed = True


def run_with_fast_exit(code: Callable[[], int]) -> int:
    """Return what ``code`` returns; call it when everything that is called at Python's end is still to be registered.

    What is registered first is called last: threads have ended by then, and whoever wanted to has had the last word.
    """
    found: list[int] = []
    atexit.register(_exit_fast, found)
    found.append(code())
    return found[0]


def _exit_fast(code: list[int]) -> None:
    if not (code and _allowed):
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return  # Python says it better
    os._exit(code[0])
