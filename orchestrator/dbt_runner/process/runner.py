"""Commands and SQL for one dbt project, sent to a warm dbt process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.clocks import Deadline, MakeDeadline
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.events import CommandStarted, Emit, Event, ignore
from orchestrator.database.catalog import Catalog
from orchestrator.database.names import RelationName
from orchestrator.dbt_runner.adapter.failed_nodes import failure_of
from orchestrator.dbt_runner.process.client import DbtClient
from orchestrator.dbt_runner.project.database_choice import require_same_database, same_database
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.kept_parse import cached_facts
from orchestrator.dbt_runner.project.results import DbtResult
from orchestrator.dbt_runner.project.settings import (
    CreateEmpty,
    DbtSettings,
    Execute,
    Invoke,
    Query,
    ReadCatalog,
    Select,
    Study,
    Vars,
)

if TYPE_CHECKING:
    from orchestrator.dbt_runner.process.warm_process import WarmProcess
    from orchestrator.dbt_runner.project.parse_inputs import ParseInputs
    from orchestrator.dbt_runner.project.study import ProjectStudy

Selection = str | Sequence[str]


class DbtRunner:
    """Run dbt commands and SQL for one project, in a process that imports and parses once.

    The process starts with :meth:`start` or the first request. From then on it is in use, and keeps the database
    open between requests, until :meth:`release` closes it: a process that dies in use fails the next request, one
    that dies unused is replaced. All ``timeout`` are seconds; one that passes stops the process for
    certain, and the next request starts a new one. Requests of several threads wait for each other.

    ``warm`` holds a process that others used before, and is given it back by :meth:`close`. ``deadline`` makes the
    deadline by which a ``timeout`` is watched; where it tells that the run was cancelled, the process is stopped as
    well. ``zygote`` is the address of the zygote that forks the process, None for what ``ORCHESTRATOR_ZYGOTE`` says.
    """

    def __init__(
        self,
        settings: DbtSettings,
        *,
        emit: Emit = ignore,
        deadline: MakeDeadline = Deadline.after,
        zygote: Path | None = None,
        warm: WarmProcess | None = None,
    ) -> None:
        self.settings = settings
        self._emit = emit
        self._client = DbtClient(settings, self._pass_on, deadline, zygote, warm)
        self._command = ""

    def __enter__(self) -> DbtRunner:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the dbt process, which begins to import and parse; return at once."""
        self._client.start()

    def facts(self, *, timeout: float | None = None) -> ProjectFacts:
        """Return the facts of the parsed project, waiting for the parse.

        Raises:
            DbtProjectError: the project does not parse, or its profile is missing.
            ConfigurationError: the profile uses another database than the configuration names.
        """
        facts = self.parsed(timeout=timeout)
        require_same_database(self.settings, facts)
        return facts

    def parsed(self, *, timeout: float | None = None) -> ProjectFacts:
        """Return the facts of the parsed project, whichever database its profile uses; else as :meth:`facts`."""
        return self._client.parsed(timeout)

    def refresh(self) -> None:
        """Forget the parse when anything that decides it has changed since; not while the database is open."""
        self._client.refresh()

    def known_facts(self) -> ProjectFacts | None:
        """Return the facts without waiting for dbt: of this process, or kept from an unchanged project.

        None also where the profile uses another database than the configuration names: :meth:`facts` says so.
        """
        self.refresh()
        facts = self._client.facts or cached_facts(self.settings)
        return facts if facts is not None and same_database(self.settings, facts) else None

    def parsed_facts(self) -> ProjectFacts | None:
        """Return the facts of this process's last parse, without a look at any file; None before it. Any thread may."""
        return self._client.facts

    def parse_inputs(self) -> ParseInputs | None:
        """Return what decided this process's last parse, None before it."""
        return self._client.inputs

    def current_facts(self) -> ProjectFacts:
        """Return the facts of the project as it is now, in milliseconds where nothing changed since they were kept.

        Only what has changed, or was never parsed, starts dbt and waits for its parse. Raises what :meth:`facts` does.
        """
        return self.known_facts() or self.facts()

    def seed(self, select: Selection = (), vars: Vars | None = None, timeout: float | None = None) -> DbtResult:
        """Run ``dbt seed``; see :meth:`invoke`."""
        return self.invoke("seed", select, vars, timeout)

    def run(self, select: Selection = (), vars: Vars | None = None, timeout: float | None = None) -> DbtResult:
        """Run ``dbt run``; see :meth:`invoke`."""
        return self.invoke("run", select, vars, timeout)

    def test(self, select: Selection = (), vars: Vars | None = None, timeout: float | None = None) -> DbtResult:
        """Run ``dbt test``; see :meth:`invoke`."""
        return self.invoke("test", select, vars, timeout)

    def build(self, select: Selection = (), vars: Vars | None = None, timeout: float | None = None) -> DbtResult:
        """Run ``dbt build``; see :meth:`invoke`."""
        return self.invoke("build", select, vars, timeout)

    def invoke(
        self,
        command: str,
        select: Selection = (),
        vars: Vars | None = None,
        timeout: float | None = None,
        *,
        full_refresh: bool = False,
        replay: bool = False,
        next_vars: Vars | None = None,
        failures_dir: Path | None = None,
    ) -> DbtResult:
        """Run one dbt command over a selection in dbt's syntax; ``vars`` None means those of the parse.

        ``replay`` allows to send again what dbt sent for the same selection in another year, where that is proven to
        be the same (:mod:`orchestrator.dbt_runner.replay.replayer`); ``next_vars`` are likely asked for next. The
        queries of failed tests are written to ``failures_dir``.

        Raises:
            NodeFailedError: a model or seed failed; the text names node, file and the database's message.
            TestFailedError: a test found rows.
            NothingSelectedError: the selector matched nothing.
            DbtTimeoutError: ``timeout`` passed; the process is gone then.
            DatabaseError: the file is locked, damaged, full or not permitted.
        """
        request = Invoke(
            command,
            _words(select),
            vars=self._vars(vars),
            full_refresh=full_refresh,
            replay=replay and not full_refresh,
            next_vars=next_vars,
        )
        return self._invoke(request, timeout, failures_dir)

    def run_nodes(
        self,
        command: str,
        nodes: Sequence[NodeFacts],
        *,
        vars: Vars | None = None,
        timeout: float | None = None,
        full_refresh: bool = False,
        replay: bool = False,
    ) -> DbtResult:
        """Run one dbt command over exactly these nodes; ``replay`` and what is raised are as for :meth:`invoke`."""
        result = self.attempt_nodes(
            command, nodes, vars=vars, timeout=timeout, full_refresh=full_refresh, replay=replay
        )
        error = self.failure_of(result)
        if error is not None:
            raise error
        return result

    def attempt_nodes(
        self,
        command: str,
        nodes: Sequence[NodeFacts],
        *,
        vars: Vars | None = None,
        timeout: float | None = None,
        full_refresh: bool = False,
        replay: bool = False,
    ) -> DbtResult:
        """Do the same, but raise nothing for nodes that fail: :meth:`failure_of` tells what their results amount to."""
        request = Invoke(
            command,
            nodes=tuple(node.unique_id for node in nodes),
            vars=self._vars(vars),
            full_refresh=full_refresh,
            replay=replay and not full_refresh,
        )
        return self._ask(request, timeout)

    def failure_of(self, result: DbtResult, failures_dir: Path | None = None) -> OrchestratorError | None:
        """Return the error that the failed nodes of a result amount to, None where there are none."""
        settings = self.settings
        return failure_of(result, settings.project_dir, self._client.facts, failures_dir, settings.year_vars)

    def select(self, command: str, select: Selection, vars: Vars | None = None) -> tuple[str, ...]:
        """Return the unique ids of the nodes that a command would touch, running nothing."""
        request = Select(command, _words(select), self._vars(vars))
        return self._client.ask(request, f"dbt ls for {command}", None, tuple)

    def query(self, sql: str, timeout: float | None = None) -> list[tuple[object, ...]]:
        """Return all rows of a query; values keep their types (dates, decimals)."""
        return self._client.ask(Query(sql), "A query", timeout, list)

    def execute(self, sql: str | Sequence[str], timeout: float | None = None) -> list[int]:
        """Run one or more statements in one transaction; return the rows each affected, -1 where unknown."""
        statements = (sql,) if isinstance(sql, str) else tuple(sql)
        return self._client.ask(Execute(statements), "A statement", timeout, list)

    def catalog(self, timeout: float | None = None) -> Catalog:
        """Take a snapshot of all relations in the project's schemas."""
        return self._client.ask(ReadCatalog(), "Reading the catalog", timeout, Catalog)

    def relations(self) -> tuple[RelationName, ...]:
        """Return the names of all relations in the project's schemas, dbt's temporary ones left out."""
        return tuple(self.catalog().relations)

    def columns(self, table: str) -> tuple[tuple[str, str], ...]:
        """Return (name, type) of the columns of the table that a node of that name builds, in order.

        Raises:
            LookupError: no node of that name, or its relation does not exist.
        """
        node = self.facts().buildable(table)
        relation = self.catalog().get(node.relation) if node is not None else None
        if relation is None:
            raise LookupError(f"There is no table {table} in the database.")
        return relation.columns

    def create_empty(self, node: NodeFacts, timeout: float | None = None) -> None:
        """Create a model's table without rows, typed from its contract."""
        self._client.ask(CreateEmpty(node.unique_id), f"Creating {node.name}", timeout, type(None))

    def study(self) -> ProjectStudy:
        """Return which variables the project's templates read, and what for; see :meth:`parsed` for what is raised."""
        from orchestrator.dbt_runner.project.study import ProjectStudy  # asked for once in the life of a project

        return self._client.ask(Study(), "Studying the project", None, ProjectStudy)

    def release(self) -> None:
        """Close the database for certain; the process stays and opens it again when needed."""
        self._client.release()

    @property
    def database_open(self) -> bool:
        """Tell whether the dbt process may hold the database open."""
        return self._client.database_open

    @property
    def pid(self) -> int | None:
        """Return the pid of the dbt process, None while there is none."""
        return self._client.pid

    def stop(self) -> None:
        """Stop whatever runs and end the process; callable from any thread."""
        self._client.stop()

    def close(self) -> None:
        """End the process; the database is closed and its lock free afterwards."""
        self._client.close()

    def _invoke(self, request: Invoke, timeout: float | None, failures_dir: Path | None = None) -> DbtResult:
        result = self._ask(request, timeout)
        error = self.failure_of(result, failures_dir)
        if error is not None:
            raise error
        return result

    def _ask(self, request: Invoke, timeout: float | None) -> DbtResult:
        self._command = request.command
        return self._client.ask(request, f"dbt {request.command}", timeout, DbtResult)

    def _vars(self, variables: Vars | None) -> Vars:
        return self.settings.vars if variables is None else variables

    def _pass_on(self, event: Event) -> None:
        if isinstance(event, CommandStarted):
            event = CommandStarted(at=event.at, command=self._command, nodes=event.nodes)
        self._emit(event)


def _words(select: Selection) -> tuple[str, ...]:
    return tuple(select.split()) if isinstance(select, str) else tuple(select)
