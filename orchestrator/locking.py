"""One mutex per database: who holds it, since when, and for how long others wait.

The mutex is an operating-system lock on ``<database>.lock`` beside the database, under its resolved path, so that
every way to name the database meets the same lock, and so that the lock of a killed process is free at once. Who
holds it is noted in ``<database>.lock.json``; the note is believed only while the lock is seen to be held.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shlex
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from orchestrator.events import Emit, LockAcquired, LockReleased, LockWaited, ignore, jsonable
from orchestrator.exceptions import (
    DatabaseError,
    DatabaseLockedError,
    DatabasePermissionError,
    DiskFullError,
)
from orchestrator.masking import masked
from orchestrator.timing import Deadline, pause, stopwatch, utc_now

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class LockHolder:
    """Who holds a mutex, as its note says; all fields are None where the holder left no note.

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


_holding_threads: dict[Path, tuple[int, int]] = {}


class DatabaseMutex:
    """The mutex of one database, re-entrant for this object in one thread; anybody else is kept out.

    ``lock_path`` replaces ``<database>.lock`` where the database is no file, such as one on a server. ``settle`` is
    called whenever the mutex was taken, before anybody does anything: it ends what a killed holder began.
    """

    def __init__(
        self,
        database: Path | str,
        *,
        run_id: str,
        command: str | None = None,
        emit: Emit = ignore,
        lock_path: Path | None = None,
        settle: Callable[[], None] | None = None,
    ) -> None:
        self._settle = settle
        self.database = str(database) if lock_path else str(Path(database).resolve())
        self.lock_path = lock_path.resolve() if lock_path else Path(f"{self.database}.lock")
        self.note_path = Path(f"{self.lock_path}.json")
        self.run_id = run_id
        self._command = masked(shlex.join(sys.argv)) if command is None else command
        self._emit = emit
        self._start_anew()

    def _start_anew(self) -> None:
        self._pid = os.getpid()
        self._guard = threading.Lock()
        self._depth = 0
        self._thread = 0
        self._held_for: Callable[[], float] = stopwatch()
        self._lock = FileLock(self.lock_path, thread_local=False, fallback_to_soft=False)

    @property
    def held_here(self) -> bool:
        """Tell whether this object holds the mutex for this thread; a forked child of the holder does not."""
        return self._depth > 0 and self._pid == os.getpid() and self._thread == threading.get_ident()

    def acquire(self, timeout: float | None = None, *, deadline: Deadline | None = None) -> None:
        """Take the mutex, waiting at most ``timeout`` seconds and until ``deadline``, whichever ends first.

        ``timeout`` None waits for ever, 0 tries once. Missing folders above the lock are made.

        Raises:
            DatabaseLockedError: somebody else still holds the mutex; it names who. Raised at once where this very
                thread holds it through another object, and would wait for itself.
            DatabasePermissionError: the folder may not be written.
            DiskFullError: there is no room for the lock file.
        """
        if self._pid != os.getpid():
            self._start_anew()
        limit = (deadline or Deadline.after(None)).within(timeout)
        waited = stopwatch()
        self._refuse_own_thread()
        self._make_folder()
        told: LockHolder | None = None
        last_try = False
        while not self._try():
            holder = self._noted()
            if limit.expired() and (last_try or holder.believable):
                raise self._locked(holder, waited())
            # Somebody who only looks who holds the mutex holds it himself for a blink.
            last_try = limit.expired()
            if waited() >= POLL_SECONDS and (told is None or (holder.believable and holder != told)):
                told = holder
                self._tell_waiting(holder, limit)
            left = limit.remaining()
            pause(min(POLL_SECONDS, left) if left else POLL_SECONDS)
        self._emit_acquired(waited())

    def _emit_acquired(self, seconds: float) -> None:
        if self._depth > 1:
            return
        try:
            if self._settle is not None:
                self._settle()
            self._emit(LockAcquired(at=utc_now(), lock_path=str(self.lock_path), seconds=seconds))
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the mutex back; the last of several nested holds frees it. Does nothing where it is not held."""
        if not self.held_here:
            return
        with self._guard:
            self._depth -= 1
            if self._depth:
                return
            _holding_threads.pop(self.lock_path, None)
            try:
                self.note_path.unlink(missing_ok=True)
            except OSError as error:
                logger.warning("The note %s could not be removed: %s", self.note_path, error)
            finally:
                self._lock.release()
        seconds = self._held_for()
        self._emit(LockReleased(at=utc_now(), lock_path=str(self.lock_path), seconds=seconds))

    @contextmanager
    def held(self, timeout: float | None = None, *, deadline: Deadline | None = None) -> Iterator[DatabaseMutex]:
        """Hold the mutex for the length of a ``with`` block; see :meth:`acquire`."""
        self.acquire(timeout, deadline=deadline)
        try:
            yield self
        finally:
            self.release()

    def holder(self) -> LockHolder | None:
        """Return who holds the mutex now, None when it is free.

        Nothing is written: where there is no lock file, none is made.
        """
        if not (self._depth and self._pid == os.getpid()) and not self._taken():
            return None
        return self._noted()

    def abandoned_note(self) -> LockHolder | None:
        """Return the note that a killed holder left behind, None when there is none or the mutex is held.

        Its fields are None where the note cannot be read. Nothing is written.
        """
        if self.held_here or not self._note_exists():
            return None
        noted = self._noted()
        # A holder who let go in the meantime took the note along.
        return None if self._taken() or not self._note_exists() else noted

    def _note_exists(self) -> bool:
        return os.path.exists(self.note_path)  # noqa: PTH110 - see _taken

    def in_use(self) -> DatabaseLockedError | None:
        """Return the error that tells who holds the mutex, None when it is free or held here."""
        holder = None if self.held_here else self.holder()
        return None if holder is None else self._locked(holder, 0.0)

    def _taken(self) -> bool:
        # Path.exists raises where a folder above may not be entered.
        if not os.path.exists(self.lock_path):  # noqa: PTH110
            return False
        probe = FileLock(self.lock_path, thread_local=False, fallback_to_soft=False)
        try:
            probe.acquire(blocking=False)
        except Timeout:
            return True
        except PermissionError:
            return self._noted().believable
        probe.release()
        return False

    def _try(self) -> bool:
        with self._guard:
            if self._depth and self._thread != threading.get_ident():
                return False
            if self._depth == 0:
                try:
                    self._lock.acquire(blocking=False)
                except Timeout:
                    return False
                except OSError as error:
                    raise self._unusable(error) from error
                try:
                    self._held_for = stopwatch()
                    self._write_note()
                except BaseException:
                    self._lock.release()
                    raise
                self._thread = threading.get_ident()
                _holding_threads[self.lock_path] = _here()
            self._depth += 1
            return True

    def _refuse_own_thread(self) -> None:
        if not self.held_here and _holding_threads.get(self.lock_path) == _here():
            holder = self._noted()
            raise DatabaseLockedError(
                f"The database {self.database} is in use by this very thread ({holder.command}), which would wait for "
                "itself: a run was started inside another one, by a hook perhaps.",
                lock_path=self.lock_path,
                pid=os.getpid(),
                command=holder.command,
                host=holder.host,
                since=holder.since,
                to_fix="start it when the other run is done, or give it another database",
            )

    def _make_folder(self) -> None:
        try:
            self.lock_path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> DatabaseError:
        folder = self.lock_path.parent
        reason = error.strerror or str(error)
        what = f"The lock file {self.lock_path} of the database {self.database} cannot be made: {reason}."
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return DiskFullError(what, to_fix=f"free some space on the disk that holds {folder}.")
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            return DatabasePermissionError(
                what,
                to_fix=f"make the folder {folder} writable for you, or choose another with --database.",
            )
        return DatabaseError(what, to_fix=f"make sure that {folder} is a folder on a disk that can lock files.")

    def _write_note(self) -> None:
        note = LockHolder(self._pid, socket.gethostname(), self._command, self.run_id, utc_now())
        beside = self.note_path.with_name(f"{self.note_path.name}.{self._pid}")
        try:
            beside.write_text(json.dumps(jsonable(asdict(note))), encoding="utf-8")
            beside.replace(self.note_path)
        except OSError as error:
            # The lock holds without its note: others then wait for a holder whose name they do not know.
            logger.warning("The note %s could not be written: %s", self.note_path, error)
            beside.unlink(missing_ok=True)

    def _noted(self) -> LockHolder:
        try:
            note = json.loads(self.note_path.read_text(encoding="utf-8"))
            holder = LockHolder(
                int(note["pid"]),
                str(note["host"]),
                str(note["command"]),
                str(note["run_id"]),
                datetime.fromisoformat(note["since"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return LockHolder()
        return replace(holder, alive=_alive(holder))

    def _tell_waiting(self, holder: LockHolder, limit: Deadline) -> None:
        known = holder if holder.believable else LockHolder()
        self._emit(
            LockWaited(
                at=utc_now(),
                lock_path=str(self.lock_path),
                pid=known.pid,
                command=known.command,
                since=known.since,
                timeout=limit.timeout,
            )
        )

    def _locked(self, holder: LockHolder, waited: float) -> DatabaseLockedError:
        after = f" after waiting {_duration(waited)}" if waited >= POLL_SECONDS else ""
        start = f"The database {self.database} is in use by"
        if not holder.believable or holder.since is None:
            gone = "" if holder.pid is None else f" (the last note is of pid {holder.pid}, which is gone)"
            return DatabaseLockedError(
                f"{start} another process{after}; it left no note of itself{gone}. The lock is {self.lock_path}.",
                lock_path=self.lock_path,
                to_fix=f"find the process with 'fuser {shlex.quote(str(self.lock_path))}', and wait for it or stop it.",
            )
        age = (utc_now() - holder.since).total_seconds()
        here = holder.host == socket.gethostname()
        stop = f"with 'kill {holder.pid}'" if here else f"on {holder.host}"
        return DatabaseLockedError(
            f"{start} pid {holder.pid} on {holder.host} ({holder.command}), since {_duration(age)}{after}. "
            f"The lock is {self.lock_path}.",
            lock_path=self.lock_path,
            pid=holder.pid,
            command=holder.command,
            host=holder.host,
            since=holder.since,
            to_fix="wait until it is done, or allow a longer wait (self_healing.lock_timeout_seconds)"
            + ("" if holder.pid == os.getpid() and here else f", or stop it {stop}."),
        )


def _here() -> tuple[int, int]:
    """Return this process and thread: a forked child has inherited what its parent holds, and does not hold it."""
    return os.getpid(), threading.get_ident()


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
