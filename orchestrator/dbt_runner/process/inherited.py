"""Inheritance of a process from the one that starts it: what a forked one takes over, and what must be the same.

A new interpreter inherits all of it from its parent. One that a zygote forks has the zygote for a parent: what can be
set afterwards is set, and what cannot must be the same for both, or the zygote refuses.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# The rights, the limits of the control group and what the process can see: nothing of it can be set afterwards.
RIGHTS = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
SPACES = ("mnt", "net", "pid", "user", "ipc", "uts", "cgroup")
LIMITS = tuple(sorted(name for name in dir(resource) if name.startswith("RLIMIT_")))
HANDLED_BY_PYTHON = frozenset({signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGKILL, signal.SIGSTOP})


@dataclass(frozen=True)
class Inherited:
    """Settings that a forked process takes over from the one that asked for it.

    ``limits`` are soft and hard by name; ``ignored`` and ``blocked`` are numbers of signals. Not taken over, and not
    compared: the scheduling policy, the priority of input and output, and how soon the system kills for memory.
    """

    umask: int
    niceness: int
    processors: Sequence[int]
    limits: dict[str, tuple[int, int]]
    ignored: Sequence[int]
    blocked: Sequence[int]

    @classmethod
    def of_this(cls) -> Inherited:
        """Return what this thread of this process would hand to a process that it starts."""
        status = _status()
        return cls(
            umask=int(status["Umask"], 8),
            niceness=os.getpriority(os.PRIO_PROCESS, 0),
            processors=sorted(os.sched_getaffinity(0)),
            limits={name: resource.getrlimit(getattr(resource, name)) for name in LIMITS},
            ignored=[number for number in _signals(status["SigIgn"]) if number not in HANDLED_BY_PYTHON],
            blocked=_signals(status["SigBlk"]),
        )

    def take_over(self) -> None:
        """Make it so in this process, which was forked.

        Raises:
            OSError, ValueError: this process may not: it would need more than it was given.
        """
        os.umask(self.umask)
        if os.getpriority(os.PRIO_PROCESS, 0) != self.niceness:
            os.setpriority(os.PRIO_PROCESS, 0, self.niceness)
        if sorted(os.sched_getaffinity(0)) != sorted(self.processors):
            os.sched_setaffinity(0, self.processors)
        for name, (soft, hard) in self.limits.items():
            if resource.getrlimit(getattr(resource, name)) != (soft, hard):
                resource.setrlimit(getattr(resource, name), (soft, hard))
        for number in signal.valid_signals() - HANDLED_BY_PYTHON:
            signal.signal(number, signal.SIG_IGN if number in self.ignored else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.blocked)


def place() -> str:
    """Return where in the system this process is: rights, control group, name spaces and root."""
    status = _status()
    rights = [f"{name} {status.get(name)}" for name in RIGHTS]
    spaces = [str(Path("/proc/self/ns", name).readlink()) for name in SPACES if Path("/proc/self/ns", name).exists()]
    root = os.stat("/")  # noqa: PTH116 - a number and no path
    return "\n".join([*rights, *spaces, f"{root.st_dev}:{root.st_ino}", Path("/proc/self/cgroup").read_text()])


def _status() -> dict[str, str]:
    lines = Path("/proc/thread-self/status").read_text(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _signals(mask: str) -> list[int]:
    bits = int(mask, 16)
    return sorted(int(number) for number in signal.valid_signals() if bits >> (number - 1) & 1)
