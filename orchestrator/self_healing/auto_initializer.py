"""Heal a database: check, plan, build what is not ready, check again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from orchestrator.config.healing import DEFAULT_TIMEOUT_SECONDS
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
    NodeFailedError,
    OrchestratorError,
    RunCancelledError,
)
from orchestrator.core.events import Emit, Event, StepFinished, ignore
from orchestrator.core.text import plural
from orchestrator.database.catalog import Relation
from orchestrator.database.duckdb_file import SECONDS_TO_WAIT_FOR_OTHERS
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.settings import Vars
from orchestrator.ledger.watched import with_watched
from orchestrator.self_healing.database_look import only_dbt_sees, open_or_name_holder, open_reader
from orchestrator.self_healing.healing_plan import HealingPlan
from orchestrator.self_healing.initialization_state import (
    InitializationResult,
    InitializationState,
    InitializationStep,
    RequiredTable,
    TableFinding,
)
from orchestrator.self_healing.left_out import LeftOut, left_out
from orchestrator.self_healing.planning import plan_repair
from orchestrator.self_healing.registry import is_list, node_of, with_required
from orchestrator.self_healing.repair import Built, CallHook, Repair, as_one, no_hook
from orchestrator.self_healing.sight import Sight
from orchestrator.self_healing.table_checker import TableExistenceChecker

logger = logging.getLogger(__name__)


class AutoInitializer:
    """Makes the required tables of one database ready.

    ``configured`` None derives the list from the dbt project. ``mutex`` gives the database's mutex once its path
    is known; it is re-entrant, so a run that holds it may heal. ``timeout_seconds`` bounds the repair from the moment
    dbt is ready to the last check; ``lock_timeout_seconds`` the wait for the mutex. ``variables`` are the vars of every
    healing command; ``call_hook`` builds the tables that functions build. ``before_replacing`` is called, with the
    file closed, before a relation that is there is built anew. ``replay`` allows to send what dbt sent in an earlier
    repair (:mod:`orchestrator.dbt_runner.replay.replayer`). ``deadline`` makes the deadline of a healing.
    ``last_result`` is what the last healing did, also when it failed.
    """

    def __init__(
        self,
        runner: DbtRunner,
        mutex: Callable[[], DatabaseMutex],
        *,
        configured: Sequence[RequiredTable] | None = None,
        require_fit: Callable[[ProjectFacts], None] | None = None,
        variables: Vars | None = None,
        timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
        lock_timeout_seconds: float | None = 30.0,
        call_hook: CallHook | None = None,
        before_replacing: Callable[[], None] | None = None,
        replay: bool = False,
        emit: Emit = ignore,
        deadline: MakeDeadline = Deadline.after,
    ) -> None:
        self._runner = runner
        self._mutex = mutex
        self._configured = configured
        self._require_fit = require_fit
        self._variables = variables
        self._timeout = timeout_seconds
        self._lock_timeout = lock_timeout_seconds
        self._call_hook = call_hook
        self._before_replacing = before_replacing
        self._replay = replay
        self._emit_further = emit
        self._deadline = deadline
        self._steps: list[InitializationStep] = []
        self._built = Built()
        self._last_checker: tuple[ProjectFacts, TableExistenceChecker] | None = None
        self.state = InitializationState.NOT_STARTED
        self.last_result: InitializationResult | None = None

    def checker(self, facts: ProjectFacts | None = None) -> TableExistenceChecker:
        """Return the checker for this database; without ``facts`` those of an unchanged project, or a parse."""
        known = facts or self._runner.current_facts()
        if self._last_checker is None or self._last_checker[0] is not known:
            if self._require_fit is not None:
                self._require_fit(known)
            whole, required = with_required(known, self._configured)
            look = partial(open_or_name_holder, self._runner, known, self._mutex)
            self._last_checker = known, TableExistenceChecker(required, whole, look)
        return self._last_checker[1]

    def left_out(self, facts: ProjectFacts) -> tuple[LeftOut, ...]:
        """Return the nodes that are not checked, as the last look found them."""
        checker = self.checker(facts)
        return (*checker.unseen, *left_out(facts, checker.required_ids, listed=is_list(self._configured)))

    def plan(self) -> HealingPlan:
        """Return what :meth:`ensure_initialized` would do now, and what it would refuse; nothing is written."""
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
        self.state = InitializationState.IN_PROGRESS
        found: tuple[TableFinding, ...] = ()
        self._built = Built()
        try:
            quick = self._quick_look()
            if quick is None or quick:
                found = self._under_mutex(expendable)
            self.state = InitializationState.COMPLETED
            return self._finish(started_at, found, None)
        except BaseException as error:
            self.state = InitializationState.FAILED
            self._finish(started_at, found, str(error) or type(error).__name__)
            raise

    def _quick_look(self) -> tuple[TableFinding, ...] | None:
        """Check without the mutex and without dbt; None when that cannot tell."""
        facts = self._runner.known_facts()
        if facts is None or only_dbt_sees(facts):
            return None
        try:
            checker = self.checker(facts)
            with step("check_tables", self._emit) as record:
                findings = checker.findings()
                record.detail = _told(findings, checker)
                return findings
        except DatabaseLockedError:
            return None

    def _under_mutex(self, expendable: Set[str]) -> tuple[TableFinding, ...]:
        mutex = self._mutex()
        within_a_run = mutex.held_here
        try:
            mutex.acquire(deadline=self._deadline(self._lock_timeout))
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
            return self._heal(expendable)
        finally:
            if not within_a_run:
                self._runner.release()
            mutex.release()

    def _heal(self, expendable: Set[str]) -> tuple[TableFinding, ...]:
        with self._translated("check_tables", (), self._deadline(None)):
            facts = self._runner.facts()
        deadline = self._deadline(self._timeout)  # not before dbt is ready: a busy machine would time out on nothing
        with self._translated("check_tables", (), deadline):
            patience = deadline.within(SECONDS_TO_WAIT_FOR_OTHERS)
            with (
                step("check_tables", self._emit) as record,
                open_reader(self._runner, facts, patience=patience, through_dbt=True) as reader,
            ):
                checker = self.checker(facts)
                facts = checker.facts
                findings = checker.findings_in(reader)
                record.detail = _told(findings, checker)
                plan = plan_repair(checker, findings, reader, expendable)
                sight = Sight(reader, facts)
                before = {node.unique_id: sight.relation(node) for node in plan.nodes}
                read = with_watched(facts, reader) if findings else facts
        if not findings:
            return ()
        self._keep_what_is_replaced(plan, before)
        call_hook = self._call_hook or no_hook
        repair = Repair(self._runner, read, plan, self._variables, replay=self._replay, call_hook=call_hook)
        failure = self._carry_out(repair, plan, deadline)
        names = [finding.table.name for finding in findings]
        with self._translated("verify", names, deadline), step("verify", self._emit) as record:
            after = Sight(self._runner, facts)
            repair.note_unseen(after, deadline)
            self._built = repair.told_apart(before, after)
            repair.note_contents(checker.lasting_ids, findings, deadline)
            left = checker.findings_in(self._runner)
            record.detail = _told(left, checker)
            expected = plan.left | repair.unbuilt.keys()
            self._verify([finding for finding in left if node_of(finding.table, facts).unique_id not in expected])
        refusal = _both(failure, plan.refusal)
        if refusal is not None:
            raise refusal
        return findings

    def _carry_out(self, repair: Repair, plan: HealingPlan, deadline: Deadline) -> InitializationError | None:
        """Perform every command; return the failure of nodes, which holds back only what is built from them."""
        failure: InitializationError | None = None
        begun = False
        for name in dict.fromkeys(command.step for command in plan.commands):
            commands = [command for command in plan.commands if command.step == name]
            nodes = [node.name for command in commands for node in command.nodes]
            try:
                with self._translated(name, nodes, deadline), step(name, self._emit, nodes=len(nodes)):
                    if not begun:
                        repair.begin(deadline)
                        begun = True
                    failed = [error for one in commands if (error := repair.perform(one, deadline)) is not None]
                    if failed:
                        raise as_one(failed)
            except InitializationError as error:
                if not isinstance(error.__cause__, NodeFailedError):
                    raise
                failure = _both(failure, error)
        return failure

    def _keep_what_is_replaced(self, plan: HealingPlan, before: Mapping[str, Relation | None]) -> None:
        if self._before_replacing is None or not any(before.values()):
            return
        self._runner.release()
        with step("backup", self._emit):
            self._before_replacing()

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
                f"Healing took longer than {plural(deadline.timeout or 0.0, 'second')}, counted from the moment dbt "
                f"was ready, and was stopped in step {name}{f' ({shown})' if shown else ''}. No table is half "
                "built, and the database is not locked.",
                step=name,
                tables=tables,
                to_fix="give it more time with --timeout or self_healing.timeout_seconds "
                f"({DEFAULT_TIMEOUT_SECONDS:g} where it is not set), and run again",
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
        error: str | None,
    ) -> InitializationResult:
        self.last_result = InitializationResult(
            state=self.state,
            steps=tuple(self._steps),
            missing_tables_found=tuple(finding.table.name for finding in found),
            tables_created=self._built.created,
            tables_repaired=self._built.repaired,
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


def _both(first: InitializationError | None, second: InitializationError | None) -> InitializationError | None:
    """Return two reasons why not everything was healed as one."""
    if first is None or second is None:
        return first or second
    remedies = [remedy for remedy in (first.to_fix, second.to_fix) if remedy is not None]
    return InitializationError(
        f"{first.message}\n{second.message}",
        step=first.step,
        tables=[*first.tables, *second.tables],
        exit_code=first.exit_code,
        to_fix="; ".join(dict.fromkeys(remedies)) or None,
    )
