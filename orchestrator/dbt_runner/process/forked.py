"""A dbt process that a zygote forked, as seen by whoever asked for it: it can do what ``subprocess.Popen`` can."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from orchestrator.core.clocks import Deadline
from orchestrator.dbt_runner.process.inherited import Inherited
from orchestrator.dbt_runner.process.zygote_key import Key
from orchestrator.dbt_runner.process.zygote_messages import (
    STATUS,
    WorkerRequest,
    peer_uid,
    receive_reply,
    send_request,
    short,
)

SECONDS_FOR_A_WORKER = 60.0  # a zygote that was just started imports dbt first
UNSEEN = 255


class Started(Protocol):
    """A process that was started: ``subprocess.Popen`` is one, :class:`ForkedWorker` another."""

    @property
    def pid(self) -> int:
        """The process id."""

    @property
    def returncode(self) -> int | None:
        """Exit code, below 0 by a signal; None until it was asked for."""

    def poll(self) -> int | None:
        """Look whether it ended, and return how."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it ended."""

    def kill(self) -> None:
        """Send it SIGKILL."""


class ZygoteUnavailableError(Exception):
    """Signals that a zygote gave no process; its text says why. Never seen by a user: the start is a cold one then."""


class ForkedWorker:
    """A process that is the child of a zygote, which tells how it ended.

    When the zygote ends before it, nobody learns how the process ended: ``returncode`` is ``UNSEEN`` then. Signals go
    to a pidfd, so another process that has its number by now is never met.
    """

    def __init__(self, pid: int, pidfd: int, connection: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._pidfd = pidfd
        self._connection = connection
        self._connection.settimeout(0)
        self._zygote_gone = False
        self._looking = threading.Lock()
        self._close = weakref.finalize(self, _close, pidfd, connection)

    @classmethod
    def ask(cls, address: Path, fds: tuple[int, int], environment: Mapping[str, str]) -> ForkedWorker:
        """Ask the zygote at ``address`` for a process; ``fds`` are the socket that it serves and its output.

        Raises:
            ZygoteUnavailableError: there is no zygote, or it refuses.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connection.settimeout(SECONDS_FOR_A_WORKER)
            request = WorkerRequest(Key.of_this(), Inherited.of_this(), dict(environment))
            with short(address) as name:
                connection.connect(name)
            if peer_uid(connection) != os.geteuid():
                raise ZygoteUnavailableError(f"{address} belongs to another user")
            folder = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                send_request(connection, request, (*fds, folder))
            finally:
                os.close(folder)
            reply, given = receive_reply(connection)
            if reply.pid is None or not given:
                raise ZygoteUnavailableError(f"the zygote refused: {reply.refused}")
            return cls(reply.pid, given[0], connection)
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            connection.close()
            raise ZygoteUnavailableError(f"no zygote answers at {address}: {error}") from error
        except BaseException:
            connection.close()
            raise

    def poll(self) -> int | None:
        """Look whether it ended, and return how."""
        with self._looking:
            self._look()
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends.

        Raises:
            subprocess.TimeoutExpired: it did not within ``timeout`` seconds.
        """
        deadline = Deadline.after(timeout)
        while (code := self.poll()) is None:
            left = deadline.remaining()
            if left == 0.0:
                raise subprocess.TimeoutExpired(f"dbt process {self.pid}", timeout or 0.0)
            self._await_news(left)
        return code

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it ended."""
        with self._looking:
            self._look()
            if self.returncode is None:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, sig)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _await_news(self, seconds: float | None) -> None:
        """Wait for a word of the zygote, or, where that is gone, for the end; another thread may see it first."""
        with self._looking:
            if self.returncode is not None:
                return
            news = os.dup(self._pidfd if self._zygote_gone else self._connection.fileno())
        try:
            change = select.poll()
            change.register(news, select.POLLIN)
            change.poll(None if seconds is None else seconds * 1000)
        finally:
            os.close(news)

    def _look(self) -> None:
        """See whether it ended, and close then what is of no use any more; the lock is held."""
        if self.returncode is None and (code := self._status()) is not None:
            self.returncode = code
            self._close()

    def _status(self) -> int | None:
        if not self._zygote_gone:
            try:
                told = self._connection.recv(STATUS.size)
            except BlockingIOError:
                return None
            except OSError:
                told = b""
            if len(told) == STATUS.size:
                return int(STATUS.unpack(told)[0])
            self._zygote_gone = True
        ended = select.poll()
        ended.register(self._pidfd, select.POLLIN)
        return UNSEEN if ended.poll(0) else None


def ending(returncode: int | None, *, forked: bool) -> str:
    """Say how a process ended."""
    if forked and returncode == UNSEEN:
        return "a code that nobody saw: its zygote had ended before"
    if returncode is not None and returncode < 0:
        return f"signal {signal.Signals(-returncode).name}"
    return f"exit code {returncode}"


def _close(pidfd: int, connection: socket.socket) -> None:
    os.close(pidfd)
    connection.close()
