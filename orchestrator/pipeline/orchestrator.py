"""Run years × stages of one dbt project over one database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from orchestrator.config.schema import HookType
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.annotations import Annotations, checked_note, checked_tags
from orchestrator.core.errors import ConfigurationError, HookDefinitionError, OrchestratorError
from orchestrator.core.events import (
    HEALING_HOOK,
)
from orchestrator.core.run_scope import RunScope
from orchestrator.database.duckdb_file import SECONDS_TO_WAIT_FOR_OTHERS
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.ledger.reading import read_ledger
from orchestrator.pipeline.before_years import context_before_years
from orchestrator.pipeline.current_run import CurrentRun
from orchestrator.pipeline.hooks import Hook, HookContext, HookManager
from orchestrator.pipeline.resume import Start
from orchestrator.pipeline.run_start import find_run_start, run_ledger
from orchestrator.pipeline.simulation import MayForgo, Simulation
from orchestrator.pipeline.stage_history import StageHistory, StageTime
from orchestrator.pipeline.workflow import SimulationPlan, SimulationResult
from orchestrator.self_healing.auto_initializer import AutoInitializer
from orchestrator.self_healing.contents_keeper import hooks_before_healing
from orchestrator.self_healing.database_look import open_reader
from orchestrator.self_healing.initialization_state import InitializationResult


class PipelineOrchestrator:
    """Everything one configuration needs to run; made by :func:`orchestrator.create_orchestrator`.

    ``hooks`` may be given more hooks before a run; with ``auto_initialize`` healing becomes the first of them, before
    those that are registered later. ``initializer`` heals, ``runner`` talks to dbt. Use it as a context manager, or
    call :meth:`close`, to end the dbt process; it ends with the program in any case. ``keepers`` are called after a
    completed run, with the database closed and its mutex held.
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
        scope: RunScope,
    ) -> None:
        self.config = config
        self.runner = runner
        self.hooks = hooks
        self.initializer = initializer
        self._mutex = mutex
        self._auto_initialize = auto_initialize
        self._runs_dir = runs_dir
        self._keepers = keepers
        self._scope = scope
        self._one_run_at_a_time = threading.Lock()
        self._simulation: Simulation | None = None
        if auto_initialize:
            hooks.register_hook(Hook(HookType.PRE_SIMULATION, self._heal, name=HEALING_HOOK))

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

    def cancel(self) -> None:
        """Stop the run that is in progress, from any thread or a signal handler; return at once.

        dbt is stopped first, as for a time limit, and the run raises :class:`RunCancelledError`. A hook is waited for.
        What is finished stays, and the next run goes on there. Does nothing when there is no run, or when it is over
        but for its end; a run that starts later is not cancelled.
        """
        self._scope.cancel()

    def find_start(
        self,
        start_year: int | None = None,
        end_year: int | None = None,
        *,
        fresh: bool = False,
        from_year: int | None = None,
        from_stage: str | None = None,
    ) -> Start:
        """Return where a run of this range would begin now, and why; nothing is written.

        Raises:
            YearSequenceError: the range cannot follow what is in the database.
            DatabaseLockedError: a run is in progress.
        """
        run = self._new_run(self._plan(start_year, end_year, from_year, from_stage, fresh=fresh))
        facts = self.runner.current_facts()
        checker = self.initializer.checker(facts)
        ledger = run_ledger(run, checker.facts, checker.required)
        patience = self._scope.deadline(SECONDS_TO_WAIT_FOR_OTHERS)
        return find_run_start(ledger, self.runner, facts, patience, fresh=fresh)

    def initialize(self) -> InitializationResult:
        """Heal the database as a run does, without one: PRE_INITIALIZATION hooks first, where there are any.

        Raises:
            HookError: a hook stopped it.
            OrchestratorError: whatever :meth:`AutoInitializer.ensure_initialized` raises.
        """
        if not self.hooks.list_hooks(HookType.PRE_INITIALIZATION):
            return self.initializer.ensure_initialized()
        with self.mutex.held(self.config.self_healing.lock_timeout_seconds):
            try:
                context = context_before_years(self.config, self.runner, self._scope.run_id)
                known = self.runner.known_facts()  # a hook may make what dbt needs to parse
                checker = None if known is None else self.initializer.checker(known)
                with nullcontext() if checker is None else hooks_before_healing(checker, self.runner):
                    self.hooks.execute_hooks(HookType.PRE_INITIALIZATION, context)
                return self.initializer.ensure_initialized()
            finally:
                self.runner.release()

    def stage_history(self) -> StageHistory:
        """Return what the stages that are finished in the database took; nothing is written.

        Raises:
            DatabaseLockedError: a run is in progress.
        """
        assert self.config.simulation is not None
        facts = self.runner.current_facts()
        patience = self._scope.deadline(SECONDS_TO_WAIT_FOR_OTHERS)
        with open_reader(self.runner, facts, patience=patience) as reader:
            ledger = read_ledger(reader, facts.ledger, facts)
        times = tuple(StageTime(stage.year, stage.stage, stage.seconds) for stage in ledger.stages)
        return StageHistory(times, self.config.simulation.start_year)

    def execute_multi_year_simulation(
        self,
        start_year: int | None = None,
        end_year: int | None = None,
        *,
        fresh: bool = False,
        from_year: int | None = None,
        from_stage: str | None = None,
        forgo_years: bool | MayForgo = False,
        note: str | None = None,
        tags: Sequence[str] = (),
    ) -> SimulationResult:
        """Heal the database, then run every stage of every year from ``start_year`` to ``end_year``.

        Both years are included and by default the configured ones. Where a part of the range is finished and made of
        the very same code, seeds and variables, the run goes on behind it (``resumed_from`` of the result says
        where); a range that is wholly finished is not run again (``nothing_to_do`` of the result), unless with
        ``fresh``, or from ``from_stage`` of ``from_year`` on (by default its first stage, of the first year; the whole
        year where later ones were run since). Rows of the first year that is built and of all later years are removed
        first; where that are years that the run does not build again, ``forgo_years`` must allow it: True, or a
        function that is handed the :class:`~orchestrator.pipeline.resume.Start`. ``note`` and ``tags`` are kept with
        the run in the history. Blocks until done; Ctrl-C stops dbt first.

        Raises:
            ConfigurationError: the range, the configuration, the dbt project, the note or a tag is wrong.
            HookDefinitionError: a hook is for a stage that does not exist.
            DatabaseLockedError: another process holds the database longer than ``lock_timeout_seconds``.
            HookError: a hook stopped the run; when it was healing, also an :class:`InitializationError`.
            NodeFailedError: a model failed.
            TestFailedError: a dbt test found rows.
            StageTimeoutError: a stage outlived its ``timeout_seconds``.
            YearSequenceError: the year before the range is not there, not whole, or made of something else.
            YearsWouldBeLostError: years would be removed that the run does not build again.
            ContinuityError: the rows that a year left for the next one were changed while the run went on.
            RunCancelledError: :meth:`cancel` was called.
        """
        plan = self._plan(start_year, end_year, from_year, from_stage, fresh=fresh)
        self._require_stages_of_hooks(plan)
        if self._scope.in_run:
            raise OrchestratorError(
                "A run was started inside another run of this orchestrator, possibly by a hook.",
                to_fix="start it when the other run is done, or make another orchestrator with another database",
            )
        annotations = Annotations(checked_note(note), checked_tags(tags))
        with self._one_run_at_a_time:
            may_forgo = forgo_years if callable(forgo_years) else lambda _: forgo_years
            return self._run(plan, fresh=fresh, may_forgo=may_forgo, annotations=annotations)

    def _plan(
        self, start: int | None, end: int | None, from_year: int | None, from_stage: str | None, *, fresh: bool
    ) -> SimulationPlan:
        if fresh and (from_year is not None or from_stage is not None):
            raise ConfigurationError(
                "To run everything again (fresh) and to run again from a year or stage on exclude each other.",
                to_fix="leave one of them out",
            )
        return SimulationPlan.of(self.config, start, end).run_again(from_year, from_stage)

    def _require_stages_of_hooks(self, plan: SimulationPlan) -> None:
        names = [stage.name for stage in plan.stages]
        for hook in self.hooks.list_hooks():
            if hook.stage is not None and hook.stage not in names:
                raise HookDefinitionError(
                    f"Hook {hook.name!r} is limited to stage {hook.stage!r}, which does not exist, so it would never "
                    "be called.",
                    to_fix=f"name one of the stages: {', '.join(names)}",
                )

    def _new_run(self, plan: SimulationPlan) -> CurrentRun:
        return CurrentRun(self.config, plan, self.hooks, self.runner, runs_dir=self._runs_dir, scope=self._scope)

    def _run(
        self, plan: SimulationPlan, *, fresh: bool, may_forgo: MayForgo, annotations: Annotations
    ) -> SimulationResult:
        run = self._new_run(plan)
        with self._scope.run(run.run_id):
            run.tell_start(fresh=fresh, annotations=annotations)
            try:
                result = self._work(run, fresh=fresh, may_forgo=may_forgo)
            except BaseException as error:
                run.tell_failure(error)
                raise
            run.tell_result(result)
            return result

    def _work(self, run: CurrentRun, *, fresh: bool, may_forgo: MayForgo) -> SimulationResult:
        self._simulation = simulation = Simulation(
            run,
            runner=self.runner,
            initializer=self.initializer,
            auto_initialize=self._auto_initialize,
            scope=self._scope,
        )
        try:
            self.runner.refresh()
            self.runner.start()
            result = simulation.execute(self._mutex(), fresh=fresh, may_forgo=may_forgo)
            if not result.nothing_to_do:
                self._keep()
        except BaseException as error:
            self._scope.end_cancelling()  # hooks that clean up, and the end itself, need dbt once more
            run.fire(HookType.ON_FAILURE, error=error)
            raise
        finally:
            self._scope.end_cancelling()
            self._simulation = None
            run.let_go()
        return result

    def _heal(self, context: HookContext) -> None:
        """Heal as the first hook of a run."""
        assert self._simulation is not None, "this hook is called by runs alone"
        self._simulation.heal()

    def _keep(self) -> None:
        """Let copies be made of the finished database, while it is closed and nobody else can begin."""
        if self._keepers:
            self.runner.release()
        for keeper in self._keepers:
            keeper()
