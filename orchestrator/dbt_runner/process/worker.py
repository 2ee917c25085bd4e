"""The dbt process: ``python -m orchestrator.dbt_runner.process.worker FD``.

It takes requests over a socket, one at a time, and streams events and one answer each back. SIGINT stops what
is running (dbt cancels its queries), rolls back, closes the database and ends the process. It also ends by
itself when the socket closes, so a killed parent leaves no orphan.
"""

from __future__ import annotations

import gc
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, NoReturn, TypeVar

from orchestrator.core.clocks import Deadline
from orchestrator.core.errors import DbtError, OrchestratorError
from orchestrator.core.source_modules import forget_modules_from_source, import_from_source
from orchestrator.database.errors import known_os_error
from orchestrator.dbt_runner.project.settings import (
    Answer,
    CreateEmpty,
    Execute,
    Invoke,
    Load,
    Message,
    Query,
    ReadCatalog,
    Release,
    Request,
    Select,
    Study,
)

if TYPE_CHECKING:
    from orchestrator.dbt_runner.process.session import DbtSession
    from orchestrator.dbt_runner.project.loaded import Loaded

T = TypeVar("T")
SECONDS_TO_END_AFTER_PARENT = 1.0
SECONDS_BETWEEN_INTERRUPTS = 0.05
OBJECTS_BETWEEN_COLLECTIONS, YOUNG_COLLECTIONS_BETWEEN_OLDER = 50_000, 100
"""dbt makes 2,000 objects for each template that it renders, in a circle; Python would look at them three times."""
LOADS_THAT_MAKE_WHAT_STAYS = 3
"""With other settings a parse is analyzed once more; each look at all of that by the collector takes 0.2 seconds."""


class Worker:
    """The loop of the dbt process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._session: DbtSession | None = None
        self._loads = self._frozen = self._collected = 0
        self._sql = ThreadPoolExecutor(1, "sql")
        self._path = list(sys.path)

    def serve(self) -> None:
        """Answer requests until the socket closes or SIGINT arrives."""
        threading.Thread(target=self._receive, name="requests", daemon=True).start()
        try:
            with suppress(Exception):  # the first request raises it again, where it can be answered
                from orchestrator.dbt_runner.process.before_import import prepare_import

                prepare_import()
                import orchestrator.dbt_runner.process.session  # noqa: F401 - imports dbt: seconds
            while True:
                self._answer(self._requests.get())
                self._collect_after_load()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        finally:
            if self._session is not None:
                self._session.close()

    def _receive(self) -> None:
        try:
            while True:
                self._requests.put(self._connection.recv())
        except (EOFError, OSError):
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(SECONDS_TO_END_AFTER_PARENT)
            os._exit(1)

    def _answer(self, request: Request) -> None:
        try:
            answer = Answer(value=self._perform(request))
        except OrchestratorError as error:
            answer = Answer(error=error)
        except OSError as error:
            answer = Answer(error=known_os_error(error) or DbtError(f"{type(error).__name__}: {error}"))
        except Exception as error:  # noqa: BLE001 - the process edge: whatever dbt raises must reach the parent
            answer = Answer(error=DbtError(f"{type(error).__name__}: {error}"))
        self._send(answer)

    def _perform(self, request: Request) -> object:
        if isinstance(request, Load):
            return self._load(request)
        session = self._session
        if session is None:
            raise DbtError("The dbt process was asked for something before it loaded a project.")
        if isinstance(request, Invoke):
            return session.invoke(request)
        if isinstance(request, Select):
            return session.select(request)
        if isinstance(request, Query):
            return self._interruptible(session, lambda: session.database.query(request.sql))
        if isinstance(request, Execute):
            return self._interruptible(session, lambda: session.database.execute(request.statements))
        if isinstance(request, ReadCatalog):
            return self._interruptible(session, session.database.catalog)
        if isinstance(request, CreateEmpty):
            return self._interruptible(session, lambda: session.create_empty(request))
        if isinstance(request, Study):
            return session.study()
        assert isinstance(request, Release)
        session.database.release()
        return None

    def _load(self, request: Load) -> Loaded:
        from orchestrator.dbt_runner.process.session import DbtSession

        before, self._session = self._session, None
        if before is not None:
            before.close()
        import_from_source()
        forget_modules_from_source(self._path)
        os.chdir(request.settings.cwd)
        os.environ.clear()
        os.environ.update(request.environment)
        self._session = DbtSession(request.settings, self._send, self._aside, before)
        loaded = self._session.load()
        self._loads += 1
        return loaded

    def _collect_after_load(self) -> None:
        """After each load, while the parent reads the answer: collect what the project before has left.

        A parse leaves a sixth of the memory as garbage. What the first loads leave behind stays, and later collections,
        which take milliseconds, leave it out.
        """
        if self._frozen < min(self._loads, LOADS_THAT_MAKE_WHAT_STAYS):
            self._frozen = self._loads
            gc.collect()
            gc.freeze()
            gc.enable()
        elif self._collected < self._loads:
            gc.collect()  # a process that serves hundreds of members would grow by each of them
        self._collected = self._loads

    def _aside(self, work: Callable[[], T], meanwhile: Callable[[], None]) -> T:
        assert self._session is not None
        return self._interruptible(self._session, work, meanwhile)

    def _interruptible(
        self, session: DbtSession, work: Callable[[], T], meanwhile: Callable[[], None] = lambda: None
    ) -> T:
        """Run SQL beside the main thread, which alone gets signals: a driver's call would hold them back."""
        future = self._sql.submit(work)
        try:
            meanwhile()
            return future.result()
        except KeyboardInterrupt:
            patience = Deadline.after(SECONDS_TO_END_AFTER_PARENT)
            while not future.done() and not patience.expired():  # it may be between two statements
                session.database.cancel()
                wait([future], SECONDS_BETWEEN_INTERRUPTS)
            raise
        except BaseException:
            wait([future])
            raise

    def _send(self, message: Message) -> None:
        with self._sending:
            try:
                self._connection.send(message)
            except OSError:
                return  # the parent is gone; the receiving thread ends this process


def main() -> None:
    """Serve the socket whose descriptor is the first argument."""
    serve(int(sys.argv[1]))


def serve(descriptor: int) -> NoReturn:
    """Serve a socket until its other end closes, and end this process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, YOUNG_COLLECTIONS_BETWEEN_OLDER)
    gc.disable()  # imports and the parse make what stays: collecting meanwhile costs a tenth of their time
    Worker(Connection(descriptor)).serve()
    os._exit(0)  # the database is closed; to take Python's heap apart takes a tenth of a second


if __name__ == "__main__":
    main()
