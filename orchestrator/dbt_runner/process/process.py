"""The parent's end of the dbt process: start it, talk to it, stop it for certain."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import weakref
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from orchestrator.core.clocks import Deadline
from orchestrator.core.errors import DbtProcessError, DbtTimeoutError, RunCancelledError
from orchestrator.core.events import Emit, Event, ignore
from orchestrator.core.text import plural
from orchestrator.dbt_runner.process.forked import Started, ending
from orchestrator.dbt_runner.process.zygote import start_worker
from orchestrator.dbt_runner.project.settings import Answer, Request

SOFT_STOP_SECONDS = 1.2
SECONDS_FOR_LAST_WORDS = 15.0
POLL_SECONDS = 0.25


class DbtProcess:
    """One running dbt process; not thread-safe.

    It stands in a session of its own, so that Ctrl-C in a terminal reaches the parent alone, which then decides.
    """

    def __init__(self, emit: Emit, zygote: Path | None = None) -> None:
        self._emit = emit
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        started = start_worker(self._output, zygote)
        self._popen = started.process
        self._connection = started.connection
        self.forked, self.not_forked = started.forked, started.not_forked
        self._at_exit = weakref.finalize(self, _end, self._popen, self._connection, self._output)

    @classmethod
    def start_ahead(cls) -> None:
        """Start a process that imports dbt before anybody knows for which project; the next :meth:`take` gets it."""
        global _ahead
        _ahead = cls(ignore)

    @classmethod
    def take(cls, emit: Emit, zygote: Path | None = None) -> DbtProcess:
        """Return the process that was started ahead, or a new one; ``zygote`` is the address of what forks it."""
        global _ahead
        process, _ahead = _ahead, None
        if process is None or not process.alive():
            return cls(emit, zygote)
        process.listen(emit)
        return process

    @classmethod
    def drop_ahead(cls) -> None:
        """End the process that was started ahead where nobody took it; it has nothing to close, so at once."""
        global _ahead
        process, _ahead = _ahead, None
        if process is not None:
            process._popen.kill()
            process.close()

    def listen(self, emit: Emit) -> None:
        """Hand all events from now on to ``emit``."""
        self._emit = emit

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._popen.pid

    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return self._popen.poll() is None

    def send(self, request: Request) -> None:
        """Hand over a request.

        Raises:
            DbtProcessError: the process is gone.
        """
        try:
            self._connection.send(request)
        except OSError as error:
            raise self.death() from error

    def answer(self, what: str, deadline: Deadline) -> object:
        """Wait for the answer to the last request, passing on events; return its value or raise its error.

        A deadline that passes, and any exception that interrupts the wait (Ctrl-C), stops the process first.

        Raises:
            DbtTimeoutError: the deadline passed.
            RunCancelledError: the run was cancelled.
            DbtProcessError: the process died.
        """
        try:
            while True:
                left = deadline.remaining()
                if self._connection.poll(POLL_SECONDS if left is None else min(left, POLL_SECONDS)):
                    message = self._connection.recv()
                    if isinstance(message, Event):
                        self._emit(message)
                        continue
                    assert isinstance(message, Answer)
                    if message.error is not None:
                        raise message.error
                    return message.value
                if deadline.expired():
                    self.stop()
                    raise DbtTimeoutError(
                        f"{what} did not end within {plural(deadline.timeout or 0.0, 'second')} and was stopped.",
                        timeout=deadline.timeout or 0.0,
                    )
        except (EOFError, ConnectionError) as error:
            raise self.death() from error
        except (KeyboardInterrupt, SystemExit, RunCancelledError):
            self.stop()
            raise

    def stop(self) -> None:
        """Stop what runs and end the process: SIGINT, and SIGKILL when that took too long."""
        if self.alive():
            self._popen.send_signal(signal.SIGINT)
            _wait(self._popen)
        self.close()

    def close(self) -> None:
        """End an idle process by closing the socket it listens on; also done when the program ends."""
        self._at_exit()

    def death(self) -> DbtProcessError:
        """Return the error that tells how a process that is gone has ended; its last words may take it a while."""
        _wait(self._popen, SECONDS_FOR_LAST_WORDS)
        self._output.seek(0)
        tail = self._output.read().decode(errors="replace").strip().splitlines()[-5:]
        reason = ending(self._popen.returncode, forked=self.forked)
        said = f" Its last output: {' | '.join(tail)}" if tail else ""
        return DbtProcessError(
            f"The dbt process (pid {self._popen.pid}) ended unexpectedly with {reason}.{said}",
            to_fix="run the command again: what was finished is kept",
        )


def _end(popen: Started, connection: Connection, output: IO[bytes]) -> None:
    connection.close()
    _wait(popen)
    output.close()


def _wait(popen: Started, seconds: float = SOFT_STOP_SECONDS) -> None:
    """Wait for a process that is about to end, and kill it when that takes too long or Ctrl-C comes again."""
    patience = Deadline.after(seconds)
    while True:
        try:
            popen.wait(patience.remaining())
            return
        except subprocess.TimeoutExpired:
            popen.kill()
            patience = Deadline.after(None)
        except KeyboardInterrupt:
            patience = Deadline.after(0.0)


_ahead: DbtProcess | None = None
