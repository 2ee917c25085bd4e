"""The life of one dbt process: started when needed, made to read the project, asked, and replaced when it is gone."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from orchestrator.core.clocks import Deadline, MakeDeadline, utc_now
from orchestrator.core.errors import DbtProcessError, DbtProjectError, OrchestratorError
from orchestrator.core.events import DbtStarted, Emit, ignore
from orchestrator.dbt_runner.project.database_choice import require_same_database
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.loaded import Loaded
from orchestrator.dbt_runner.project.settings import (
    CreateEmpty,
    DbtSettings,
    Execute,
    Invoke,
    Load,
    Query,
    ReadCatalog,
    Release,
    Request,
)

if TYPE_CHECKING:
    from orchestrator.dbt_runner.process.process import DbtProcess
    from orchestrator.dbt_runner.process.warm_process import WarmProcess
    from orchestrator.dbt_runner.project.parse_inputs import ParseInputs

OPENING = (Invoke, Query, Execute, ReadCatalog, CreateEmpty)
PARSES_AT_MOST = 3
T = TypeVar("T")


class DbtClient:
    """One dbt process at a time, and what it has read of the project.

    Requests of several threads wait for each other. A process that dies in use fails the next request, one that dies
    unused is replaced. With ``warm`` the process is taken from there, and given back when the client is closed.
    """

    def __init__(
        self,
        settings: DbtSettings,
        emit: Emit,
        deadline: MakeDeadline,
        zygote: Path | None,
        warm: WarmProcess | None = None,
    ) -> None:
        self._settings = settings
        self._emit = emit
        self._deadline = deadline
        self._zygote = zygote
        self._warm = warm
        self._process: DbtProcess | None = None
        self._loaded: Loaded | None = None
        self._pending_load = False
        self._database_open = False
        self._in_use = False
        self._one_at_a_time = threading.RLock()

    def start(self) -> None:
        """Start the dbt process, which begins to import and parse; return at once."""
        from orchestrator.dbt_runner.process.environment import environment
        from orchestrator.dbt_runner.process.process import DbtProcess  # a look at a database starts none

        with self._one_at_a_time:
            if self._process is None or not self._process.alive():
                if self._warm is None:
                    new, started = DbtProcess.take(self._emit, self._zygote), True
                else:
                    new, started = self._warm.take(self._emit, self._zygote)
                self._process = new
                if started:
                    self._emit(DbtStarted(at=utc_now(), pid=new.pid, forked=new.forked, not_forked=new.not_forked))
                new.send(Load(self._settings, environment(self._settings)))
                self._pending_load = True
                self._database_open = False
            self._in_use = True

    @property
    def facts(self) -> ProjectFacts | None:
        """Return the facts of what was read, without waiting; None before that."""
        return None if self._loaded is None else self._loaded.facts

    @property
    def inputs(self) -> ParseInputs | None:
        """Return what decided the parse that was read last, None before that."""
        return None if self._loaded is None else self._loaded.inputs

    def parsed(self, timeout: float | None) -> ProjectFacts:
        """Return the facts of the project, waiting for the parse; see :meth:`DbtRunner.parsed`."""
        with self._one_at_a_time:
            self._ready(self._deadline(timeout))
            assert self._loaded is not None
            return self._loaded.facts

    def refresh(self) -> None:
        """Forget the parse when anything that decides it has changed since; not while the database is open."""
        with self._one_at_a_time:
            if self._loaded is not None and not self._database_open and not self._unchanged(self._loaded):
                self._loaded = None
                self.close()

    def ask(self, request: Request, what: str, timeout: float | None, kind: type[T]) -> T:
        """Return the answer to a request, which must be of that kind; ``what`` names the request in errors."""
        with self._one_at_a_time:
            deadline = self._deadline(timeout)
            self._ready(deadline)
            if isinstance(request, OPENING) and self._loaded is not None:
                require_same_database(self._settings, self._loaded.facts)
            value = self._exchange(request, what, deadline)
            if not isinstance(value, kind):
                raise DbtProcessError(f"{what}: unexpected answer of type {type(value).__name__} from the dbt process.")
            return value

    def release(self) -> None:
        """Close the database for certain; the process stays and opens it again when needed."""
        with self._one_at_a_time:
            if self._database_open and self._process is not None and self._process.alive():
                self.ask(Release(), "Closing the database", None, type(None))
            self._database_open = False
            self._in_use = False

    @property
    def database_open(self) -> bool:
        """Tell whether the dbt process may hold the database open."""
        return self._database_open

    @property
    def pid(self) -> int | None:
        """Return the pid of the dbt process, None while there is none."""
        return self._process.pid if self._process is not None and self._process.alive() else None

    def stop(self) -> None:
        """Stop whatever runs and end the process; callable from any thread."""
        process, self._process = self._process, None
        self._forget()
        if process is not None:
            process.stop()

    def close(self) -> None:
        """End the process, or give it back; the database is closed and its lock free afterwards."""
        if self._warm is not None and self._process is not None and not self._pending_load:
            with suppress(OrchestratorError):  # it died: nothing is held any more
                self.release()
        process, self._process = self._process, None
        idle = not self._pending_load
        self._forget()
        if process is None:
            return
        if self._warm is not None and idle:
            process.listen(ignore)
            self._warm.give_back(process)
        else:
            process.close()

    def _exchange(self, request: Request | None, what: str, deadline: Deadline) -> object:
        process = self._process
        if process is None:
            raise DbtProcessError("The dbt process was stopped.")
        try:
            if request is not None:
                self._database_open = self._database_open or isinstance(request, OPENING)
                process.send(request)
            return process.answer(what, deadline)
        finally:
            if not process.alive():
                process.close()
                self._process = None
                self._forget()

    def _ready(self, deadline: Deadline) -> None:
        deadline.check()
        process = self._process
        if process is None or not self._in_use:
            self.start()
        elif not process.alive():  # asked once: a dying process that is replaced here would have been used in vain
            error = process.death()
            self.close()
            raise error
        for _ in range(PARSES_AT_MOST):
            if not self._pending_load:
                return
            self._load(deadline)
        self.close()
        changing = f"Files of the dbt project changed each time while dbt read them: {self._settings.project_dir}."
        raise DbtProjectError(changing, to_fix="run the command again when nothing writes to them any more")

    def _load(self, deadline: Deadline) -> None:
        """Wait for the parse; start another where the project is not any more what was read."""
        try:
            loaded = self._exchange(None, "Starting dbt and parsing the project", deadline)
        except OrchestratorError:
            self.close()  # that answer does not come twice
            raise
        assert isinstance(loaded, Loaded)
        if self._unchanged(loaded):
            self._pending_load = False
            self._loaded = loaded
        else:
            self.close()
            self.start()

    def _unchanged(self, loaded: Loaded) -> bool:
        return loaded.inputs.unchanged(self._settings) is not None

    def _forget(self) -> None:
        self._pending_load = False
        self._database_open = False
        self._in_use = False
