"""Run years × stages of one dbt project over one database."""

from __future__ import annotations

import shlex
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from traceback import format_exception

from orchestrator.config.schema import HookType
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.errors import (
    HookDefinitionError,
    InitializationError,
    OrchestratorError,
)
from orchestrator.core.events import (
    ChangesFound,
    Emit,
    RowsLost,
    RunFinished,
    RunResumed,
    RunStarted,
    StartFound,
    TablesLost,
    YearsPurged,
)
from orchestrator.core.masking import masked
from orchestrator.core.processes import ProcessIdentity
from orchestrator.core.versions import installed_versions
from orchestrator.database.catalog import SECONDS_TO_WAIT_FOR_OTHERS
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.ledger.reading import read_ledger
from orchestrator.pipeline.current_run import CurrentRun
from orchestrator.pipeline.hooks import HookManager
from orchestrator.pipeline.resume import Start
from orchestrator.pipeline.run_ledger import RunLedger
from orchestrator.pipeline.selectors import require_matches
from orchestrator.pipeline.stage_history import StageHistory, StageTime
from orchestrator.pipeline.summary import read_summary
from orchestrator.pipeline.table_digests import TableDigests
from orchestrator.pipeline.workflow import (
    SimulationPlan,
    SimulationResult,
    outputs_of,
)
from orchestrator.pipeline.year_loop import YearLoop
from orchestrator.pipeline.year_variable import require_year_read
from orchestrator.self_healing.auto_initializer import AutoInitializer
from orchestrator.self_healing.database_look import open_reader
from orchestrator.self_healing.initialization_state import InitializationResult, TableTier
from orchestrator.self_healing.registry import node_of


class PipelineOrchestrator:
    """Everything one configuration needs to run; made by :func:`orchestrator.create_orchestrator`.

    ``hooks`` may be given more hooks before a run; ``initializer`` heals, ``runner`` talks to dbt. Use it as a
    context manager, or call :meth:`close`, to end the dbt process; it ends with the program in any case. ``keepers``
    are called after a completed run, with the database closed and its mutex held.
    """

    def __init__(
        self,
        config: SimulationConfig,
        *,
        runner: DbtRunner,
        mutex: Callable[[], DatabaseMutex],
        hooks: HookManager,
        initializer: AutoInitializer,
        auto_initialize: bool,
        runs_dir: Path,
        keepers: Sequence[Callable[[], None]] = (),
        emit: Emit,
    ) -> None:
        self.config = config
        self.runner = runner
        self.hooks = hooks
        self.initializer = initializer
        self._mutex = mutex
        self._auto_initialize = auto_initialize
        self._runs_dir = runs_dir
        self._keepers = keepers
        self._emit = emit
        self._one_run_at_a_time = threading.Lock()
        self._running_thread: int | None = None

    def __enter__(self) -> PipelineOrchestrator:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def mutex(self) -> DatabaseMutex:
        """Return the database's mutex; finding its path may need a parse of the project."""
        return self._mutex()

    def close(self) -> None:
        """End the dbt process; a later call starts a new one."""
        self.runner.close()

    def find_start(self, start_year: int | None = None, end_year: int | None = None, *, fresh: bool = False) -> Start:
        """Return where a run of this range would begin now, and why; nothing is written.

        Raises:
            YearSequenceError: the range cannot follow what is in the database.
            DatabaseLockedError: a run is going on.
        """
        run = self._new_run(SimulationPlan.of(self.config, start_year, end_year))
        return self._find_start(run, self.runner.current_facts(), fresh=fresh)[1]

    def stage_history(self) -> StageHistory:
        """Return what the stages that are finished in the database took; nothing is written.

        Raises:
            DatabaseLockedError: a run is going on.
        """
        assert self.config.simulation is not None
        facts = self.runner.current_facts()
        with open_reader(self.runner, facts, patience=SECONDS_TO_WAIT_FOR_OTHERS) as reader:
            ledger = read_ledger(reader, facts.ledger_database)
        times = tuple(StageTime(stage.year, stage.stage, stage.seconds) for stage in ledger.stages)
        return StageHistory(times, self.config.simulation.start_year)

    def execute_multi_year_simulation(
        self, start_year: int | None = None, end_year: int | None = None, *, fresh: bool = False
    ) -> SimulationResult:
        """Heal the database, then run every stage of every year from ``start_year`` to ``end_year``.

        Both years are included and by default the configured ones. Where a part of the range is finished and made of
        the very same code, seeds and variables, the run goes on behind it (``resumed_from`` of the result says
        where); a range that is wholly finished, and any with ``fresh``, is run anew. Rows of the first year that is
        built and of all later years are removed first. Blocks until done; Ctrl-C stops dbt first.

        Raises:
            ConfigurationError: the range, the configuration or the dbt project is wrong.
            HookDefinitionError: a hook is for a stage that does not exist.
            DatabaseLockedError: another process holds the database longer than ``lock_timeout_seconds``.
            HookError: a hook stopped the run; when it was healing, also an :class:`InitializationError`.
            NodeFailedError: a model failed.
            TestFailedError: a dbt test found rows.
            StageTimeoutError: a stage outlived its ``timeout_seconds``.
            YearSequenceError: the year before the range is not there, not whole, or made of something else.
            ContinuityError: the rows that a year left for the next one were changed while the run went on.
        """
        plan = SimulationPlan.of(self.config, start_year, end_year)
        self._require_stages_of_hooks(plan)
        if self._running_thread == threading.get_ident():
            raise OrchestratorError(
                "A run of this orchestrator was started inside another one, by a hook perhaps.",
                to_fix="start it when the other run is done, or make another orchestrator with another database",
            )
        with self._one_run_at_a_time:
            self._running_thread = threading.get_ident()
            try:
                return self._run(plan, fresh=fresh)
            finally:
                self._running_thread = None

    def _require_stages_of_hooks(self, plan: SimulationPlan) -> None:
        names = [stage.name for stage in plan.stages]
        for hook in self.hooks.list_hooks():
            if hook.stage is not None and hook.stage not in names:
                raise HookDefinitionError(
                    f"Hook {hook.name!r} is for stage {hook.stage!r}, which does not exist: it would never be called.",
                    to_fix=f"name one of the stages: {', '.join(names)}",
                )

    def _run(self, plan: SimulationPlan, *, fresh: bool) -> SimulationResult:
        run, process = self._new_run(plan), ProcessIdentity.of_this()
        self._emit(
            RunStarted(
                at=utc_now(),
                run_id=run.run_id,
                scenario=self.config.scenario,
                database=str(self.config.database_path or "as the dbt profile says"),
                years=plan.years,
                stages=tuple(stage.name for stage in plan.stages),
                fresh=fresh,
                command=masked(shlex.join(sys.argv)),
                host=process.host,
                pid=process.pid,
                process_started=process.started,
                config=self.config.snapshot(),
                versions=installed_versions(),
            )
        )
        try:
            result = self._execute(run, fresh=fresh)
            self._keep()
        except BaseException as error:
            status = "failed" if isinstance(error, Exception) else "interrupted"
            run.fire(HookType.ON_FAILURE, error=error)
            words = "Interrupted." if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
            trace = masked("".join(format_exception(error)))
            self._finished(run, status, error=masked(words), traceback=trace)
            raise
        finally:
            self.runner.release()
            if run.mutex is not None:
                run.mutex.release()
        self._finished(run, "completed", outputs=outputs_of(result))
        return result

    def _new_run(self, plan: SimulationPlan) -> CurrentRun:
        return CurrentRun(self.config, plan, self.hooks, self.runner)

    def _keep(self) -> None:
        """Let copies be made of the finished database, while it is closed and nobody else can begin."""
        if self._keepers:
            self.runner.release()
        for keeper in self._keepers:
            keeper()

    def _execute(self, run: CurrentRun, *, fresh: bool) -> SimulationResult:
        self.runner.failures_dir = self._runs_dir / run.run_id / "failed_tests"
        self.runner.refresh()
        self.runner.start()
        mutex = self._mutex()
        mutex.run_id = run.run_id
        mutex.acquire(self.config.self_healing.lock_timeout_seconds)
        run.mutex = mutex
        facts = self.runner.current_facts()  # kept ones serve until dbt, which is starting meanwhile, has parsed
        require_year_read(self.config, facts)
        ledger, start = self._find_start(run, facts, fresh=fresh)
        require_matches(self.config, self.runner, facts, run.plan, start.year)
        self.initializer.expendable = ledger.expendable(start)
        try:
            facts = self._prepare(run)
        finally:
            self.initializer.expendable = frozenset()
        ledger, start = self._find_start(run, facts, fresh=fresh)
        digests = TableDigests(facts, self._year_column())
        loop = YearLoop(run, runner=self.runner, ledger=ledger, start=start, digests=digests, emit=self._emit)
        loop.repeat_left_hooks()
        self._begin(ledger, start)
        years = tuple(loop.years())
        run.fire(HookType.POST_SIMULATION)
        ledger.completed(self.runner)
        return SimulationResult(
            run_id=run.run_id,
            status="completed",
            scenario=self.config.scenario,
            fingerprint=ledger.fingerprint,
            database=str(facts.database_path) if facts.database_path is not None else None,
            seconds=run.elapsed(),
            years=years,
            initialization=self._initialization(),
            resumed_from=start.point,
            summary=read_summary(self.runner, facts, self._year_column(), run.plan.years),
        )

    def _prepare(self, run: CurrentRun) -> ProjectFacts:
        """Call the hooks before the first year, healing among them; return the facts of the project as it is now."""
        run.fire(HookType.PRE_SIMULATION)
        looked_at = self.runner.known_facts()
        facts = self.runner.facts()
        if not self._auto_initialize:
            self._require_ready(facts)
        elif looked_at is None or facts.nodes != looked_at.nodes:
            self.initializer.ensure_initialized()  # the hook may have gone by a parse that is older than the project
        return facts

    def _find_start(self, run: CurrentRun, facts: ProjectFacts, *, fresh: bool) -> tuple[RunLedger, Start]:
        required = self.initializer.checker(facts).required
        carried = tuple(node_of(table, facts) for table in required if table.tier is TableTier.STATE)
        lasting = frozenset(node_of(table, facts).unique_id for table in required if table.tier is not TableTier.STATE)
        ledger = RunLedger(run.run_id, self.config.scenario, run.plan, facts, carried, lasting, self._year_column())
        with open_reader(self.runner, facts, patience=SECONDS_TO_WAIT_FOR_OTHERS) as reader:
            return ledger, ledger.find_start(reader, fresh=fresh)

    def _begin(self, ledger: RunLedger, start: Start) -> None:
        elapsed = stopwatch()
        self._emit(StartFound(at=utc_now(), year=start.year, stage=start.stage, fingerprint=ledger.fingerprint))
        for loss in start.losses:
            self._emit(
                RowsLost(at=utc_now(), year=loss.year, table=loss.table, expected=loss.expected, found=loss.found)
            )
        if start.changed:
            self._emit(ChangesFound(at=utc_now(), changes=start.changed, from_year=start.year))
        if start.gone:
            self._emit(TablesLost(at=utc_now(), tables=start.gone))
        if start.resumed:
            previous = ledger.previous_run_id
            self._emit(RunResumed(at=utc_now(), year=start.year, stage=start.stage, previous_run_id=previous))
        purge = ledger.begin(self.runner, start)
        if purge.rows:
            self._emit(
                YearsPurged(
                    at=utc_now(),
                    from_year=start.purge_from,
                    rows=purge.rows,
                    tables=tuple(table.name for table in purge.tables),
                    seconds=elapsed(),
                    years=start.removed,
                    forgone=start.forgone,
                )
            )

    def _require_ready(self, facts: ProjectFacts) -> None:
        findings = self.initializer.checker(facts).findings()
        if findings:
            shown = "; ".join(f"{f.table.name} {f.detail}" for f in findings[:5])
            raise InitializationError(
                f"{len(findings)} required tables are not ready, and self-healing is off: {shown}"
                + (" …" if len(findings) > 5 else "."),
                step="check_tables",
                tables=[finding.table.name for finding in findings],
                to_fix="run `orchestrator init`, or leave out --no-auto-initialize",
            )

    def _initialization(self) -> InitializationResult | None:
        return self.initializer.last_result if self._auto_initialize else None

    def _year_column(self) -> str:
        assert self.config.simulation is not None
        return self.config.simulation.year_column

    def _finished(
        self,
        run: CurrentRun,
        status: str,
        *,
        error: str | None = None,
        traceback: str | None = None,
        outputs: dict[str, object] | None = None,
    ) -> None:
        self._emit(
            RunFinished(
                at=utc_now(),
                run_id=run.run_id,
                status=status,
                seconds=run.elapsed(),
                error=error,
                traceback=traceback,
                outputs=outputs,
            )
        )
