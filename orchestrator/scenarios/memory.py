"""The memory of a process and of those below it."""

from __future__ import annotations

import psutil


def memory_below(pid: int) -> int:
    """Return the bytes of memory that a process and all that it started take, 0 where it is gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    found = 0
    for one in family:
        try:
            found += one.memory_info().rss
        except psutil.Error:
            continue
    return found
