"""The memory of a process and its children while it runs, from ``/proc``."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
INTERVAL = 0.05


@dataclass(frozen=True)
class Sample:
    """Resident bytes of a process and of its children at a moment in Unix time."""

    at: float
    parent: int
    children: int


class MemorySampler:
    """Samples until the process is gone; give :meth:`watch` to :func:`benchmarks.measure.run_all`."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def watch(self, pid: int) -> None:
        """Begin to sample a process, in a thread of its own."""
        threading.Thread(target=self._sample, args=(pid,), daemon=True).start()

    def _sample(self, pid: int) -> None:
        while True:
            try:
                own = resident(pid)
            except OSError:
                return
            if own == 0:
                return  # a zombie: it has ended and holds nothing
            self.samples.append(Sample(time.time(), own, sum(_resident_or_none(child) for child in children(pid))))
            time.sleep(INTERVAL)

    def at(self, moment: float) -> Sample:
        """Return the last sample that was taken by that moment."""
        return max((sample for sample in self.samples if sample.at <= moment), key=lambda sample: sample.at)


def resident(pid: int) -> int:
    """Return the resident bytes of a process.

    Raises:
        OSError: it is gone.
    """
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE


def children(pid: int) -> list[int]:
    """Return the pids of the children of a process's every thread."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text(encoding="ascii").split())
        except OSError:
            continue
    return found


def _resident_or_none(pid: int) -> int:
    try:
        return resident(pid)
    except OSError:
        return 0
