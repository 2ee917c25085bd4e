"""Identity of a process that wrote something, and whether it still runs."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class ProcessIdentity:
    """A process; ``started`` tells it from others that had its ``pid``, None where the system does not say."""

    pid: int
    host: str
    started: str | None

    @classmethod
    def of_this(cls) -> ProcessIdentity:
        """Return this very process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity:
        """Return the process that has this ``pid`` now."""
        return cls(pid, socket.gethostname(), started(pid))

    def is_gone(self) -> bool | None:
        """Tell whether the process has ended, None where that cannot be known from here: it is on another host."""
        if self.host != socket.gethostname():
            return None
        if self.started is not None:
            return started(self.pid) != self.started
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


def started(pid: int) -> str | None:
    """Return when a process began, in ticks of one boot of this system; None where it ended or that is not known.

    Source: proc(5), field 22 of ``/proc/<pid>/stat``, counted behind the name, which may hold blanks. A process that
    ended and was not waited for (state Z) counts as ended.
    """
    try:
        fields = (
            Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
        return None if fields[0] == "Z" else f"{_BOOT.read_text().strip()}/{fields[19]}"
    except (OSError, IndexError):
        return None
