"""One mutex per database: who holds it, since when, and for how long others wait.

The mutex is an operating-system lock on ``<database>.lock`` beside the database, under its resolved path, so that
every way to name the database meets the same lock, and so that the lock of a killed process is free at once. Who
holds it is noted in ``<database>.lock.json``; the note is believed only while the lock is seen to be held.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from orchestrator.core.clocks import Deadline, pause, stopwatch, utc_now
from orchestrator.core.errors import (
    DatabaseError,
    DatabaseLockedError,
    DatabasePermissionError,
    DiskFullError,
)
from orchestrator.core.events import Emit, LockAcquired, LockReleased, LockWaited, ignore
from orchestrator.core.masking import masked
from orchestrator.core.permissions import (
    ANY_FILE,
    PRIVATE_FILE,
    current_umask,
    described_owner,
    how_to_write,
    make_folder,
    nearest_there,
    touch,
    unwritable,
)
from orchestrator.database.lock_note import LockHolder, LockNote, locked_error, what_stands_at

POLL_SECONDS = 0.05
_holding_threads: dict[Path, tuple[int, int]] = {}


class DatabaseMutex:
    """The mutex of one database, re-entrant for this object in one thread; anybody else is kept out.

    ``lock_path`` replaces ``<database>.lock`` where the database is no file, such as one on a server. ``before_use`` is
    called whenever the mutex was taken, before anybody does anything: it ends what a killed holder began. ``run_id``
    is noted where a hold has none of its own.
    """

    def __init__(
        self,
        database: Path | str,
        *,
        run_id: str,
        command: str | None = None,
        emit: Emit = ignore,
        lock_path: Path | None = None,
        before_use: Callable[[], None] | None = None,
    ) -> None:
        self._before_use = before_use
        self._of_file = lock_path is None
        self.database = str(database) if lock_path else str(Path(database).resolve())
        self.lock_path = lock_path.parent.resolve() / lock_path.name if lock_path else Path(f"{self.database}.lock")
        self.note = LockNote(self.lock_path)
        self._run_id = run_id
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

    def acquire(
        self, timeout: float | None = None, *, deadline: Deadline | None = None, run_id: str | None = None
    ) -> None:
        """Take the mutex, waiting at most ``timeout`` seconds and until ``deadline``, whichever ends first.

        ``timeout`` None waits for ever, 0 tries once. The holder's note names the run ``run_id``. Missing folders above
        the lock are made.

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
        while not self._try(run_id or self._run_id):
            holder = self.note.read()
            if limit.expired() and (last_try or holder.believable):
                raise locked_error(self.database, self.lock_path, holder, waited())
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
            if self._before_use is not None:
                self._before_use()
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
                self.note.remove()
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
        return self.note.read()

    def abandoned_note(self) -> LockHolder | None:
        """Return the note that a killed holder left behind, None when there is none or the mutex is held.

        Its fields are None where the note cannot be read. Nothing is written.
        """
        if self.held_here or not self.note.exists():
            return None
        noted = self.note.read()
        # A holder who let go in the meantime took the note along.
        return None if self._taken() or not self.note.exists() else noted

    def in_use(self) -> DatabaseLockedError | None:
        """Return the error that tells who holds the mutex, None when it is free or held here."""
        holder = None if self.held_here else self.holder()
        return None if holder is None else locked_error(self.database, self.lock_path, holder, 0.0)

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
            return self.note.read().believable
        except OSError as error:
            if error.errno == errno.EROFS:  # nobody takes it where nobody can write
                return False
            raise self._unusable(error) from error
        probe.release()
        return False

    def _try(self, run_id: str) -> bool:
        with self._guard:
            if self._depth and self._thread != threading.get_ident():
                return False
            if self._depth == 0:
                try:
                    touch(self.lock_path, self._mode())
                    self._lock.acquire(blocking=False)
                except Timeout:
                    return False
                except OSError as error:
                    raise self._unusable(error) from error
                try:
                    self._held_for = stopwatch()
                    self.note.write(self._pid, self._command, run_id, mode=self.lock_path.stat().st_mode & ANY_FILE)
                except BaseException:
                    self._lock.release()
                    raise
                self._thread = threading.get_ident()
                _holding_threads[self.lock_path] = _here()
            self._depth += 1
            return True

    def _mode(self) -> int | None:
        """Return the mode of a lock that is not there yet; None leaves it to its place, where the database is no file.

        Whoever may write to the database may lock it, and nobody else: the lock has the mode that the database has, or
        that it will get.
        """
        if not self._of_file:
            return None
        try:
            return stat.S_IMODE(Path(self.database).stat().st_mode) & ANY_FILE | PRIVATE_FILE
        except OSError:
            return ANY_FILE & ~current_umask()

    def _refuse_own_thread(self) -> None:
        if not self.held_here and _holding_threads.get(self.lock_path) == _here():
            holder = self.note.read()
            raise DatabaseLockedError(
                f"The database {self.database} is already held by this thread ({holder.command}), which would wait for "
                "itself: a run was started inside another run, possibly by a hook.",
                lock_path=self.lock_path,
                pid=os.getpid(),
                command=holder.command,
                host=holder.host,
                since=holder.since,
                to_fix="start it when the other run is done, or give it another database",
            )

    def _make_folder(self) -> None:
        try:
            if self._of_file:
                self.lock_path.parent.mkdir(parents=True, exist_ok=True)
            else:
                make_folder(self.lock_path.parent)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> DatabaseError:
        folder = self.lock_path.parent
        reason = error.strerror or str(error)
        taken = what_stands_at(self.lock_path)
        if taken is not None:
            return DatabaseError(
                f"The lock file {self.lock_path} of the database {self.database} is {taken}, which nobody can lock.",
                to_fix=f"move {self.lock_path} away; the next run makes a lock file there",
            )
        there = os.path.lexists(self.lock_path)
        verb = "opened" if there else "made"
        what = f"The lock file {self.lock_path} of the database {self.database} cannot be {verb}: {reason}."
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return DiskFullError(what, to_fix=f"free some space on the disk that holds {folder}.")
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            nearest = nearest_there(folder)
            own = [Path(self.database)] if self._of_file else []
            locked = unwritable([self.lock_path, *own, nearest]) or [self.lock_path if there else nearest]
            return DatabasePermissionError(
                f"{what} {described_owner(locked[0])}.",
                to_fix=f"{how_to_write(locked)}; or choose another database with --database.",
            )
        return DatabaseError(what, to_fix=f"make sure that {folder} is a folder on a disk that can lock files.")

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


def _here() -> tuple[int, int]:
    """Return this process and thread: a forked child has inherited what its parent holds, and does not hold it."""
    return os.getpid(), threading.get_ident()
