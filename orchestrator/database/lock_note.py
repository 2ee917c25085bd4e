"""The note that says who holds a mutex, and the words that follow from it."""

from __future__ import annotations

import json
import logging
import os
import shlex
import socket
import sys
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import DatabaseLockedError
from orchestrator.core.events import jsonable
from orchestrator.core.files import replace_file
from orchestrator.core.untrusted import parsed_json, read_limited

logger = logging.getLogger(__name__)

MOST_BYTES = 1024 * 1024
MOST_PID = 2**31
WORTH_TELLING_SECONDS = 0.05


@dataclass(frozen=True)
class LockHolder:
    """Holder of a mutex, as its note says; all fields are None where the holder left no note.

    ``alive`` is False where no process has that ``pid`` any more, None where that cannot be known from here.
    """

    pid: int | None = None
    host: str | None = None
    command: str | None = None
    run_id: str | None = None
    since: datetime | None = None
    alive: bool | None = None

    @property
    def believable(self) -> bool:
        """Tell whether the note can be that of whoever holds the mutex now."""
        return self.pid is not None and self.alive is not False


class LockNote:
    """The file ``<lock>.json``; it is believed only while the lock is seen to be held."""

    def __init__(self, lock_path: Path) -> None:
        self.path = Path(f"{lock_path}.json")

    def write(self, pid: int, command: str, run_id: str, *, mode: int | None = None) -> None:
        """Note who holds the lock from now on, in a file of a ``mode``; a note that cannot be written is logged."""
        note = LockHolder(pid, socket.gethostname(), command, run_id, utc_now())
        try:
            replace_file(self.path, json.dumps(jsonable(asdict(note))).encode(), mode=mode)
        except OSError as error:
            # The lock holds without its note: others then wait for a holder whose name they do not know.
            logger.warning("The note %s could not be written: %s", self.path, error)

    def read(self) -> LockHolder:
        """Return what is noted; all fields are None where there is no note, or none that can be read."""
        try:
            note = parsed_json(read_limited(self.path, MOST_BYTES))
            if not isinstance(note, dict):
                return LockHolder()
            since = datetime.fromisoformat(note["since"])
            holder_pid = int(note["pid"])
            holder = LockHolder(
                holder_pid,
                str(note["host"]),
                str(note["command"]),
                str(note["run_id"]),
                since,
            )
            if since.tzinfo is None or not 0 < holder_pid < MOST_PID:
                return LockHolder()
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return LockHolder()
        return replace(holder, alive=_alive(holder))

    def remove(self) -> None:
        """Remove it; what cannot be removed is logged, and is believed no more without the lock."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("The note %s could not be removed: %s", self.path, error)

    def exists(self) -> bool:
        """Tell whether there is a note, also where a folder above may not be entered."""
        return os.path.exists(self.path)  # noqa: PTH110 - Path.exists raises there


def what_stands_at(lock_path: Path) -> str | None:
    """Say what is in the place of a lock file, None where that is a file, or nothing.

    A symbolic link is not followed: whoever may write here could have any file made, or emptied.
    """
    # Those of Path raise where a folder above may not be entered.
    if os.path.islink(lock_path):  # noqa: PTH114
        return "a symbolic link"
    return "a folder" if os.path.isdir(lock_path) else None  # noqa: PTH112


def locked_error(database: str, lock_path: Path, holder: LockHolder, waited: float) -> DatabaseLockedError:
    """Return the error of somebody who waited, in seconds, for a mutex that ``holder`` did not give back."""
    after = f" after waiting {_duration(waited)}" if waited >= WORTH_TELLING_SECONDS else ""
    start = f"The database {database} is in use by"
    if not holder.believable or holder.since is None:
        gone = "" if holder.pid is None else f" (the last note names pid {holder.pid}, which has ended)"
        return DatabaseLockedError(
            f"{start} another process{after}, which left no lock note{gone}. The lock is {lock_path}.",
            lock_path=lock_path,
            to_fix=f"find the process with 'fuser {shlex.quote(str(lock_path))}', and wait for it or stop it.",
        )
    age = (utc_now() - holder.since).total_seconds()
    here = holder.host == socket.gethostname()
    stop = f"with 'kill {holder.pid}'" if here else f"on {holder.host}"
    return DatabaseLockedError(
        f"{start} pid {holder.pid} on {holder.host} ({holder.command}), since {_duration(age)}{after}. "
        f"The lock is {lock_path}.",
        lock_path=lock_path,
        pid=holder.pid,
        command=holder.command,
        host=holder.host,
        since=holder.since,
        to_fix="wait until it is done, or allow a longer wait (self_healing.lock_timeout_seconds)"
        + ("" if holder.pid == os.getpid() and here else f", or stop it {stop}."),
    )


def _alive(holder: LockHolder) -> bool | None:
    if holder.pid is None or holder.host != socket.gethostname() or sys.platform == "win32":
        return None
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _duration(seconds: float) -> str:
    """Say a length of time in its fitting unit.

    >>> _duration(0.25), _duration(42.4), _duration(600), _duration(7200)
    ('0.2 s', '42 s', '10 min', '2 h')
    """
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
