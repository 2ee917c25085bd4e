"""Run years × stages of one dbt project over one database."""

from __future__ import annotations

import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from traceback import format_exception
from uuid import uuid4

from orchestrator.config import HookType, SimulationConfig
from orchestrator.dbt_runner.catalog import SECONDS_TO_WAIT_FOR_OTHERS
from orchestrator.dbt_runner.project import ProjectFacts
from orchestrator.dbt_runner.results import DbtResult
from orchestrator.dbt_runner.runner import DbtRunner
from orchestrator.events import (
    ChangesFound,
    Emit,
    RowsLost,
    RunFinished,
    RunResumed,
    RunStarted,
    StageCheckpointed,
    StageFinished,
    StageStarted,
    StartFound,
    YearFinished,
    YearsPurged,
    YearStarted,
)
from orchestrator.exceptions import (
    DbtTimeoutError,
    HookDefinitionError,
    InitializationError,
    OrchestratorError,
    StageTimeoutError,
)
from orchestrator.locking import DatabaseMutex
from orchestrator.masking import masked
from orchestrator.pipeline.checkpoints import Checkpoints
from orchestrator.pipeline.hooks import HookContext, HookManager
from orchestrator.pipeline.ledger import read_ledger
from orchestrator.pipeline.resume import Start
from orchestrator.pipeline.run_ledger import RunLedger
from orchestrator.pipeline.stage_history import StageHistory, StageTime
from orchestrator.pipeline.summary import read_summary
from orchestrator.pipeline.versions import installed_versions
from orchestrator.pipeline.workflow import (
    SimulationPlan,
    SimulationResult,
    Stage,
    StageResult,
    YearResult,
    outputs_of,
)
from orchestrator.processes import ProcessIdentity
from orchestrator.self_healing.auto_initializer import AutoInitializer
from orchestrator.self_healing.database_look import open_reader
from orchestrator.self_healing.initialization_state import InitializationResult, TableTier
from orchestrator.self_healing.registry import node_of
from orchestrator.timing import stopwatch, utc_now

YEARS_BETWEEN_OPENINGS = 5
"""An open DuckDB file holds more memory year by year; closing it gives that back, and costs 20 ms."""


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
        run = _Run(str(uuid4()), SimulationPlan.of(self.config, start_year, end_year))
        return self._find_start(run, self.runner.known_facts() or self.runner.facts(), fresh=fresh)[1]

    def stage_history(self) -> StageHistory:
        """Return what the stages that are finished in the database took; nothing is written.

        Raises:
            DatabaseLockedError: a run is going on.
        """
        assert self.config.simulation is not None
        facts = self.runner.known_facts() or self.runner.facts()
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
        run, process = _Run(str(uuid4()), plan), ProcessIdentity.of_this()
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
            self._fire(run, HookType.ON_FAILURE, error=error)
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

    def _keep(self) -> None:
        """Let copies be made of the finished database, while it is closed and nobody else can begin."""
        if self._keepers:
            self.runner.release()
        for keeper in self._keepers:
            keeper()

    def _execute(self, run: _Run, *, fresh: bool) -> SimulationResult:
        self.runner.failures_dir = self._runs_dir / run.run_id / "failed_tests"
        self.runner.refresh()
        self.runner.start()
        mutex = self._mutex()
        mutex.run_id = run.run_id
        mutex.acquire(self.config.self_healing.lock_timeout_seconds)
        run.mutex = mutex
        ledger, start = self._find_start(run, self.runner.known_facts() or self.runner.facts(), fresh=fresh)
        self.initializer.expendable = ledger.expendable(start)
        self._fire(run, HookType.PRE_SIMULATION)
        looked_at = self.runner.known_facts()
        facts = self.runner.facts()
        if not self._auto_initialize:
            self._require_ready(facts)
        elif looked_at is None or facts.nodes != looked_at.nodes:
            self.initializer.ensure_initialized()  # the hook may have gone by a parse that is older than the project
        ledger, start = self._find_start(run, facts, fresh=fresh)
        self._repeat_left_hooks(run, ledger, start)
        self._begin(ledger, start)
        run.checkpoints = Checkpoints(facts, self._year_column())
        years = tuple(self._years(run, ledger, start))
        self._fire(run, HookType.POST_SIMULATION)
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

    def _find_start(self, run: _Run, facts: ProjectFacts, *, fresh: bool) -> tuple[RunLedger, Start]:
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
                )
            )

    def _years(self, run: _Run, ledger: RunLedger, start: Start) -> Iterator[YearResult]:
        for number, year in enumerate(year for year in run.plan.years if year >= start.year):
            if number and number % YEARS_BETWEEN_OPENINGS == 0:
                self.runner.release()
            yield self._year(run, ledger, start, year)

    def _year(self, run: _Run, ledger: RunLedger, start: Start, year: int) -> YearResult:
        elapsed = stopwatch()
        self._emit(YearStarted(at=utc_now(), year=year))
        self._fire(run, HookType.PRE_YEAR, year=year)
        if year > start.year:
            ledger.require_whole(self.runner, year - 1)
        stages = [s for s in run.plan.stages_of(year) if year > start.year or s.name not in start.kept_stages]
        results = tuple(self._stage(run, ledger, year, stage) for stage in stages)
        self._fire(run, HookType.POST_YEAR, year=year)
        ledger.year_ended(self.runner, year)
        if stages and self._hooks_after(stages[-1], last=True):
            ledger.hooks_done(self.runner, year, stages[-1].name)
        result = YearResult(year, elapsed(), results)
        self._emit(YearFinished(at=utc_now(), year=year, seconds=result.seconds))
        return result

    def _repeat_left_hooks(self, run: _Run, ledger: RunLedger, start: Start) -> None:
        """Call again the hooks after the last finished stage that a kill, or a failure of theirs, cut off."""
        left = ledger.left_hooks(start)
        if left is None:
            return
        self._fire(run, HookType.POST_STAGE, year=left.year, stage=left.stage)
        if left.stage == run.plan.stages_of(left.year)[-1].name:
            self._fire(run, HookType.POST_YEAR, year=left.year)
        ledger.hooks_done(self.runner, left.year, left.stage)

    def _may_replay(self, stage: Stage) -> bool:
        return self.config.execution.replay == "auto" and stage.command != "seed"

    def _hooks_after(self, stage: Stage, *, last: bool) -> bool:
        after = [hook for hook in self.hooks.list_hooks(HookType.POST_STAGE) if hook.stage in (None, stage.name)]
        return bool(after or (last and self.hooks.list_hooks(HookType.POST_YEAR)))

    def _stage(self, run: _Run, ledger: RunLedger, year: int, stage: Stage) -> StageResult:
        self._fire(run, HookType.PRE_STAGE, year=year, stage=stage.name)
        started_at, elapsed = utc_now(), stopwatch()
        self._emit(StageStarted(at=started_at, year=year, stage=stage.name, command=stage.command))
        nodes, dbt_seconds, replayed, failure = 0, 0.0, False, None
        try:
            try:
                variables = self.config.dbt_vars(year)
                later = [other for other in run.plan.years if other > year]
                outcome = self.runner.invoke(
                    stage.command,
                    stage.select,
                    variables,
                    stage.timeout_seconds,
                    replay=self._may_replay(stage),
                    next_vars=self.config.dbt_vars(later[0]) if later else None,
                )
            finally:
                dbt_seconds = elapsed()
            nodes, replayed = len(outcome.nodes), outcome.replayed
            last = stage is run.plan.stages_of(year)[-1]
            hooked = self._hooks_after(stage, last=last)
            ledger.stage_finished(self.runner, year, stage.name, outcome, elapsed(), hooks_done=not hooked)
        except DbtTimeoutError as error:
            failure = error.message
            raise StageTimeoutError(
                f"Stage {stage.name} of {year} did not end within {error.timeout:g} seconds and was stopped.",
                to_fix=f"raise timeout_seconds of stage {stage.name}, and run again",
            ) from error
        except BaseException as error:
            failure = str(error) or type(error).__name__
            if isinstance(error, Exception):
                error.add_note(f"in stage {stage.name} of {year}")
            raise
        finally:
            self._emit(
                StageFinished(
                    at=utc_now(),
                    year=year,
                    stage=stage.name,
                    started_at=started_at,
                    seconds=elapsed(),
                    dbt_seconds=dbt_seconds,
                    nodes=nodes,
                    replayed=replayed,
                    success=failure is None,
                    error=failure,
                )
            )
        result = StageResult(stage.name, elapsed(), nodes, replayed)
        self._checkpoint(run, year, stage, outcome)
        self._fire(run, HookType.POST_STAGE, year=year, stage=stage.name)
        if hooked and not last:
            ledger.hooks_done(self.runner, year, stage.name)
        return result

    def _checkpoint(self, run: _Run, year: int, stage: Stage, outcome: DbtResult) -> None:
        assert run.checkpoints is not None
        elapsed = stopwatch()
        tables = run.checkpoints.of(self.runner, year, outcome)
        if tables:
            self._emit(StageCheckpointed(at=utc_now(), year=year, stage=stage.name, tables=tables, seconds=elapsed()))

    def _fire(
        self,
        run: _Run,
        hook_type: HookType,
        *,
        year: int | None = None,
        stage: str | None = None,
        error: BaseException | None = None,
    ) -> None:
        context = HookContext(
            run_id=run.run_id,
            scenario=self.config.scenario,
            years=run.plan.years,
            year=year,
            stage=stage,
            database=self.config.database_path,
            config=self.config,
            query=self.runner.query,
            execute=lambda sql: self._execute_sql(sql),
            error=error,
        )
        self.hooks.execute_hooks(hook_type, context)

    def _execute_sql(self, sql: str) -> None:
        self.runner.execute(sql)

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
        run: _Run,
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


class _Run:
    """One execution: its id, its plan, its clock, and the mutex once it is held."""

    def __init__(self, run_id: str, plan: SimulationPlan) -> None:
        self.run_id = run_id
        self.plan = plan
        self.elapsed = stopwatch()
        self.mutex: DatabaseMutex | None = None
        self.checkpoints: Checkpoints | None = None
