"""Interrupt a run as Ctrl-C in its terminal would, where its process provably is the one that the history names."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from orchestrator.core.errors import ConfigurationError, OrchestratorError
from orchestrator.core.processes import ProcessIdentity

BY_HAND = "press Ctrl-C where it was started"


def interrupt(process: ProcessIdentity) -> None:
    """Ask a process of our command line to end; it ends its own dbt, and records how far it came.

    Raises:
        ConfigurationError: it has ended, runs elsewhere, or is not provably a command of ours.
        OrchestratorError: the system does not let us.
    """
    gone = process.is_gone()
    if gone is None:
        raise ConfigurationError(f"The run goes on at {process.host}, not on this machine.", to_fix=BY_HAND)
    if gone:
        raise ConfigurationError(f"Process {process.pid} has ended already.", to_fix="load the page again")
    if process.started is None or not _is_ours(process.pid):
        raise ConfigurationError(
            f"Process {process.pid} cannot be told to be an orchestrator command, so it is left alone.", to_fix=BY_HAND
        )
    try:
        _send(process)
    except PermissionError as error:
        raise OrchestratorError(f"Process {process.pid} belongs to another user.", to_fix=BY_HAND) from error
    except ProcessLookupError:
        return  # it ended meanwhile, as was wanted


def _send(process: ProcessIdentity) -> None:
    """Send SIGINT by a handle of the process where the system has one, so that no other with its pid gets it."""
    if not hasattr(os, "pidfd_open"):
        os.kill(process.pid, signal.SIGINT)
        return
    handle = os.pidfd_open(process.pid)
    try:
        if not process.is_gone():
            signal.pidfd_send_signal(handle, signal.SIGINT)
    finally:
        os.close(handle)


def _is_ours(pid: int) -> bool:
    """Tell whether a process is ``orchestrator simulate`` or ``init``, by its command line.

    A program that uses the library may be anything, such as a notebook; it is not ours to interrupt.
    """
    words: list[str] = []
    with suppress(OSError):
        words = Path("/proc", str(pid), "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    for place, word in enumerate(words[:-1]):
        module = word == "-m" and words[place + 1] == "orchestrator"
        script = Path(word).name == "orchestrator" and place < 3
        if module or script:
            rest = words[place + (2 if module else 1) :]
            return any(name in rest for name in ("simulate", "init", "doctor", "check"))
    return False
