"""Heal a database: check, plan, build what is not ready, check again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from orchestrator.core.clocks import Deadline, MakeDeadline, step, utc_now
from orchestrator.core.errors import (
    ConcurrentInitializationError,
    ConfigurationError,
    DatabaseError,
    DatabaseLockedError,
    DbtError,
    DbtTimeoutError,
    InitializationError,
    InitializationTimeoutError,
    OrchestratorError,
    RunCancelledError,
)
from orchestrator.core.events import Emit, Event, StepFinished, ignore
from orchestrator.core.text import plural
from orchestrator.database.catalog import Catalog
from orchestrator.database.duckdb_file import SECONDS_TO_WAIT_FOR_OTHERS
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.settings import Vars
from orchestrator.ledger.layouts import is_ledger, ledger_version, upgrade_statements
from orchestrator.ledger.watched import with_watched
from orchestrator.ledger.writing import LedgerWriter
from orchestrator.self_healing.database_look import open_or_name_holder, open_reader
from orchestrator.self_healing.healing_plan import HealingCommand, HealingPlan
from orchestrator.self_healing.initialization_state import (
    InitializationResult,
    InitializationState,
    InitializationStep,
    RequiredTable,
    TableFinding,
)
from orchestrator.self_healing.planning import plan_repair
from orchestrator.self_healing.registry import required_tables
from orchestrator.self_healing.table_checker import TableExistenceChecker

logger = logging.getLogger(__name__)


class AutoInitializer:
    """Makes the required tables of one database ready.

    ``configured`` None derives the list from the dbt project. ``mutex`` gives the database's mutex once its path
    is known; it is re-entrant, so a run that holds it may heal. ``timeout_seconds`` bounds everything from the
    wait for the mutex to the last check; ``lock_timeout_seconds`` the wait alone. ``variables`` are the vars of
    every healing command. ``before_replacing`` is called, with the file closed, before a relation that is there is
    built anew. ``replay`` allows to send what dbt sent in an earlier repair
    (:mod:`orchestrator.dbt_runner.replay.replayer`). ``deadline`` makes the deadline of a healing of so many seconds.
    ``last_result`` is what the last healing did, also when it failed.
    """

    def __init__(
        self,
        runner: DbtRunner,
        mutex: Callable[[], DatabaseMutex],
        *,
        configured: Sequence[RequiredTable] | None = None,
        variables: Vars | None = None,
        timeout_seconds: float | None = 60.0,
        lock_timeout_seconds: float | None = 30.0,
        before_replacing: Callable[[], None] | None = None,
        replay: bool = False,
        emit: Emit = ignore,
        deadline: MakeDeadline = Deadline.after,
    ) -> None:
        self._runner = runner
        self._mutex = mutex
        self._configured = configured
        self._variables = variables
        self._timeout = timeout_seconds
        self._lock_timeout = lock_timeout_seconds
        self._before_replacing = before_replacing
        self._replay = replay
        self._emit_further = emit
        self._deadline = deadline
        self._steps: list[InitializationStep] = []
        self._last_checker: TableExistenceChecker | None = None
        self.state = InitializationState.NOT_STARTED
        self.last_result: InitializationResult | None = None

    def checker(self, facts: ProjectFacts | None = None) -> TableExistenceChecker:
        """Return the checker for this database; without ``facts`` those of an unchanged project, or a parse."""
        known = facts or self._runner.current_facts()
        if self._last_checker is None or self._last_checker.facts is not known:
            required = required_tables(known, self._configured)
            look = partial(open_or_name_holder, self._runner, known, self._mutex)
            self._last_checker = TableExistenceChecker(required, known, look)
        return self._last_checker

    def plan(self) -> HealingPlan:
        """Return what :meth:`ensure_initialized` would do now; nothing is written."""
        facts = self._runner.current_facts()
        with open_reader(self._runner, facts) as reader:
            checker = self.checker(facts)
            return plan_repair(checker, checker.findings_in(reader), reader)

    def ensure_initialized(self, *, expendable: Set[str] = frozenset()) -> InitializationResult:
        """Bring every required table into being; return within milliseconds when nothing is wrong.

        ``expendable`` are unique ids of incremental models whose rows nobody needs any more, because a run that is
        about to begin builds them all again: they may be rebuilt like any other table.

        Raises:
            InitializationError: a step failed; it carries step, tables, cause and remedy.
            InitializationTimeoutError: ``timeout_seconds`` passed; what ran was stopped first.
            ConcurrentInitializationError: somebody else held the mutex for too long.
            DatabaseError: the file is damaged, full, locked by a foreign program or not permitted.
            ConfigurationError: the project does not parse, or the list names what it does not have.
        """
        self._steps = []
        started_at = utc_now()
        deadline = self._deadline(self._timeout)
        self.state = InitializationState.IN_PROGRESS
        found: tuple[TableFinding, ...] = ()
        created: tuple[str, ...] = ()
        try:
            quick = self._quick_look()
            if quick is None or quick:
                found, created = self._under_mutex(deadline, expendable)
            self.state = InitializationState.COMPLETED
            return self._finish(started_at, found, created, None)
        except BaseException as error:
            self.state = InitializationState.FAILED
            self._finish(started_at, found, created, str(error) or type(error).__name__)
            raise

    def _quick_look(self) -> tuple[TableFinding, ...] | None:
        """Check without the mutex and without dbt; None when that cannot tell."""
        facts = self._runner.known_facts()
        if facts is None:
            return None
        try:
            checker = self.checker(facts)
            with step("check_tables", self._emit) as record:
                findings = checker.findings()
                record.detail = _told(findings, checker)
                return findings
        except DatabaseLockedError:
            return None

    def _under_mutex(
        self, deadline: Deadline, expendable: Set[str]
    ) -> tuple[tuple[TableFinding, ...], tuple[str, ...]]:
        mutex = self._mutex()
        within_a_run = mutex.held_here
        try:
            mutex.acquire(self._lock_timeout, deadline=deadline)
        except DatabaseLockedError as error:
            raise ConcurrentInitializationError(
                error.message,
                lock_path=error.lock_path,
                pid=error.pid,
                command=error.command,
                host=error.host,
                since=error.since,
                to_fix=error.to_fix,
            ) from error
        try:
            return self._heal(deadline, expendable)
        finally:
            if not within_a_run:
                self._runner.release()
            mutex.release()

    def _heal(self, deadline: Deadline, expendable: Set[str]) -> tuple[tuple[TableFinding, ...], tuple[str, ...]]:
        with self._translated("check_tables", (), deadline):
            facts = self._runner.facts(timeout=deadline.remaining())
            patience = deadline.within(SECONDS_TO_WAIT_FOR_OTHERS)
            with (
                step("check_tables", self._emit) as record,
                open_reader(self._runner, facts, patience=patience) as reader,
            ):
                checker = self.checker(facts)
                before = reader.catalog()
                findings = checker.findings_in(reader)
                record.detail = _told(findings, checker)
                plan = plan_repair(checker, findings, reader, expendable)
                read = with_watched(facts, reader, before) if findings else facts
        if not findings:
            return (), ()
        self._keep_what_is_replaced(plan, before)
        ledger = LedgerWriter.of(facts)
        begun = False
        for name in dict.fromkeys(command.step for command in plan.commands):
            commands = [command for command in plan.commands if command.step == name]
            nodes = [node.name for command in commands for node in command.nodes]
            with self._translated(name, nodes, deadline), step(name, self._emit, nodes=len(nodes)):
                if not begun:
                    self._begin(plan, facts, ledger, deadline)
                    begun = True
                for command in commands:
                    self._perform(command, facts, deadline)
                    self._runner.execute(
                        ledger.built(read, command.nodes, utc_now()),
                        deadline.remaining(),
                    )
        names = [finding.table.name for finding in findings]
        with self._translated("verify", names, deadline), step("verify", self._emit) as record:
            after = self._runner.catalog(deadline.remaining())
            left = checker.findings_in(self._runner)
            record.detail = _told(left, checker)
            self._verify(left)
        return findings, _gained(before, after, facts)

    def _keep_what_is_replaced(self, plan: HealingPlan, before: Catalog) -> None:
        building = [node for command in plan.commands for node in (*command.nodes, *command.drops)]
        if self._before_replacing is None or all(before.get(node.relation) is None for node in building):
            return
        self._runner.release()
        with step("backup", self._emit):
            self._before_replacing()

    def _begin(self, plan: HealingPlan, facts: ProjectFacts, ledger: LedgerWriter, deadline: Deadline) -> None:
        """State in the ledger, before anything is touched, what is about to be built."""
        lay_out = upgrade_statements(ledger_version(self._runner, facts.ledger), facts.ledger)
        built = [node for command in plan.commands if command.command != "create" for node in command.nodes]
        self._runner.execute([*lay_out, *ledger.building(built, utc_now())], deadline.remaining())

    def _perform(self, command: HealingCommand, facts: ProjectFacts, deadline: Deadline) -> None:
        if command.drops:
            catalog = self._runner.catalog(deadline.remaining())
            cascade = facts.capabilities.drop_cascade
            drops = [catalog.drop_statement(node.relation, cascade=cascade) for node in command.drops]
            self._runner.execute(drops, deadline.remaining())
        if command.command == "create":
            for node in command.nodes:
                self._runner.create_empty(node, deadline.remaining())
            return
        self._runner.run_nodes(
            command.command,
            command.nodes,
            vars=self._variables,
            timeout=deadline.remaining(),
            full_refresh=command.full_refresh,
            replay=self._replay and command.command == "run",
        )

    def _verify(self, findings: Sequence[TableFinding]) -> None:
        if findings:
            wrong = "; ".join(f"{f.table.name} {f.detail}" for f in findings[:5])
            which = f"{plural(len(findings), 'required table')} {'is' if len(findings) == 1 else 'are'}"
            raise InitializationError(
                f"Healing finished, but {which} still not ready: {wrong}.",
                step="verify",
                tables=[finding.table.name for finding in findings],
                to_fix="check these models: they ran without errors but did not produce what is required",
            )

    @contextmanager
    def _translated(self, name: str, tables: Sequence[str], deadline: Deadline) -> Iterator[None]:
        """Turn what a step raises into errors that carry the step, its tables and the cause."""
        try:
            yield
        except DbtTimeoutError as error:
            shown = ", ".join(tables[:5]) + (" …" if len(tables) > 5 else "")
            raise InitializationTimeoutError(
                f"Healing took longer than {plural(deadline.timeout or 0.0, 'second')} and was stopped in step {name}"
                f"{f' ({shown})' if shown else ''}. No table is half built, and the database is not locked.",
                step=name,
                tables=tables,
                to_fix="give it more time with --timeout or self_healing.timeout_seconds, and run again",
            ) from error
        except (ConfigurationError, DatabaseError, InitializationError, RunCancelledError):
            raise
        except (DbtError, OrchestratorError) as error:
            raise InitializationError(
                f"The initialization failed in step {name}. {error.message}",
                step=name,
                tables=tables,
                exit_code=error.exit_code,
                to_fix=error.to_fix,
            ) from error

    def _finish(
        self,
        started_at: datetime,
        found: Sequence[TableFinding],
        created: tuple[str, ...],
        error: str | None,
    ) -> InitializationResult:
        self.last_result = InitializationResult(
            state=self.state,
            steps=tuple(self._steps),
            missing_tables_found=tuple(finding.table.name for finding in found),
            tables_created=created,
            started_at=started_at,
            completed_at=utc_now(),
            error=error,
        )
        return self.last_result

    def _emit(self, event: Event) -> None:
        if isinstance(event, StepFinished):
            record = InitializationStep(
                event.step, event.started_at, event.completed_at, event.seconds, event.success, event.error
            )
            self._steps.append(record)
            logger.info(
                "step %s started_at=%s completed_at=%s seconds=%.3f success=%s error=%s",
                record.name,
                record.started_at,
                record.completed_at,
                record.seconds,
                record.success,
                record.error,
            )
        self._emit_further(event)


def _told(findings: Sequence[TableFinding], checker: TableExistenceChecker) -> str:
    required = len(checker.required)
    if not findings:
        return f"{required} required tables ready"
    return f"{len(findings)} of {required} required tables not ready"


def _gained(before: Catalog, after: Catalog, facts: ProjectFacts) -> tuple[str, ...]:
    return tuple(
        name.name
        for name, relation in after.relations.items()
        if not is_ledger(name, facts.ledger) and ((was := before.get(name)) is None or was.kind != relation.kind)
    )
