"""One process at a time runs a sweep, and any other can ask it to stop."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from orchestrator.core.clocks import Deadline, pause
from orchestrator.core.errors import SweepBusyError, SweepError
from orchestrator.core.masking import masked
from orchestrator.core.permissions import make_folder, touch
from orchestrator.database.lock_note import LockHolder, LockNote
from orchestrator.scenarios.folders import SweepFolder

POLL_SECONDS = 0.05
SECONDS_UNTIL_SIGNAL = 3.0
SECONDS_TO_END = 15.0


@contextmanager
def held(folder: SweepFolder) -> Iterator[None]:
    """Hold a sweep for the length of a ``with`` block; a request to stop that was left over is taken away.

    Raises:
        SweepBusyError: another process holds it; it names who.
        SweepError: the folder cannot be written.
    """
    note = LockNote(folder.lock)
    lock = FileLock(folder.lock, thread_local=False, fallback_to_soft=False)
    try:
        make_folder(folder.path)
        touch(folder.lock)
        lock.acquire(blocking=False)
    except Timeout:
        raise _busy(folder, note.read()) from None
    except OSError as error:
        raise SweepError(
            f"The folder {folder.path} of the sweep cannot be written: {error.strerror or error}.",
            to_fix=f"make sure that {folder.path.parent} is a folder that you may write to, on a disk with room",
        ) from error
    try:
        note.write(os.getpid(), masked(shlex.join(sys.argv)), folder.path.name)
        folder.stop.unlink(missing_ok=True)
        yield
    finally:
        folder.stop.unlink(missing_ok=True)
        note.remove()
        lock.release()


def holder_of(folder: SweepFolder) -> LockHolder | None:
    """Return who runs a sweep now, None where nobody does; nothing is written."""
    if not folder.lock.exists():
        return None
    probe = FileLock(folder.lock, thread_local=False, fallback_to_soft=False)
    try:
        probe.acquire(blocking=False)
    except Timeout:
        return LockNote(folder.lock).read()
    except OSError:
        return None
    probe.release()
    return None


def stop_asked(folder: SweepFolder) -> bool:
    """Tell whether somebody asked the sweep to stop, and let them see that it was noticed; only the first call does."""
    try:
        folder.stop.unlink()
    except FileNotFoundError:
        return False
    except OSError:
        return folder.stop.exists()
    return True


def ask_to_stop(folder: SweepFolder) -> bool:
    """Ask whoever runs a sweep to stop, and wait until it has; False where nobody runs it.

    Raises:
        SweepError: it does not stop.
    """
    holder = holder_of(folder)
    if holder is None:
        return False
    with suppress(OSError):
        touch(folder.stop)
    if _gone(folder, SECONDS_UNTIL_SIGNAL):
        return True
    if not folder.stop.exists() and _gone(folder, SECONDS_TO_END):  # it noticed, and ends what it does
        return True
    if holder.pid is not None and holder.host == socket.gethostname() and holder == holder_of(folder):
        with suppress(OSError):
            os.kill(holder.pid, signal.SIGTERM)
    if _gone(folder, SECONDS_TO_END):
        return True
    raise SweepError(
        f"The sweep {folder.path.name} does not stop: pid {holder.pid} on {holder.host} still runs it.",
        to_fix=f"end that process: kill {holder.pid}",
    )


def _gone(folder: SweepFolder, seconds: float) -> bool:
    patience = Deadline.after(seconds)
    while holder_of(folder) is not None:
        if patience.expired():
            return False
        pause(POLL_SECONDS)
    return True


def _busy(folder: SweepFolder, holder: LockHolder) -> SweepBusyError:
    name = folder.path.name
    if not holder.believable:
        return SweepBusyError(
            f"The sweep {name} is run by another process, which left no note. The lock is {folder.lock}.",
            to_fix=f"find the process with 'fuser {shlex.quote(str(folder.lock))}', and wait for it or stop it",
        )
    since = f", since {holder.since.astimezone():%H:%M:%S}" if holder.since is not None else ""
    return SweepBusyError(
        f"The sweep {name} is already run by pid {holder.pid} on {holder.host} ({holder.command}){since}.",
        pid=holder.pid,
        to_fix=f"watch it with `orchestrator sweep status {name}`, stop it with `orchestrator sweep cancel {name}`, "
        "or choose another name with --name",
    )
