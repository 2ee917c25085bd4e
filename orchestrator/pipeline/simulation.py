"""Steps of one run: heal, find where to begin, remove what is built again, loop over the years."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import replace

from orchestrator.config.schema import HookType
from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.errors import InitializationError, YearsWouldBeLostError
from orchestrator.core.events import HEALING_HOOK, InputsChanged, YearsPurged
from orchestrator.core.run_scope import RunScope
from orchestrator.core.text import plural, shown_years
from orchestrator.database.duckdb_file import SECONDS_TO_WAIT_FOR_OTHERS
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.ledger.not_compared import not_compared
from orchestrator.pipeline.current_run import CurrentRun
from orchestrator.pipeline.files_in_use import FilesInUse
from orchestrator.pipeline.resume import Start
from orchestrator.pipeline.run_ledger import RunLedger
from orchestrator.pipeline.run_start import find_run_start, run_ledger, tell_other_scenarios, tell_run_start
from orchestrator.pipeline.selectors import require_matches
from orchestrator.pipeline.summary import read_summary
from orchestrator.pipeline.table_digests import TableDigests
from orchestrator.pipeline.unbuilt import without_stage
from orchestrator.pipeline.workflow import SimulationResult, YearResult
from orchestrator.pipeline.year_loop import YearLoop
from orchestrator.pipeline.year_variable import require_year_read
from orchestrator.self_healing.auto_initializer import AutoInitializer
from orchestrator.self_healing.contents_keeper import ContentsKeeper, hooks_before_healing
from orchestrator.self_healing.database_look import import_reader
from orchestrator.self_healing.evidence import RowsChanged, ViewReplaced
from orchestrator.self_healing.initialization_state import InitializationResult, TableFinding

MayForgo = Callable[[Start], bool]


class Simulation:
    """The work of one run, from the look at its database to the summary of its years."""

    def __init__(
        self,
        run: CurrentRun,
        *,
        runner: DbtRunner,
        initializer: AutoInitializer,
        auto_initialize: bool,
        scope: RunScope,
    ) -> None:
        self._run = run
        self._runner = runner
        self._initializer = initializer
        self._auto_initialize = auto_initialize
        self._scope = scope
        self._emit = scope.emit
        self._expendable: frozenset[str] = frozenset()
        self._initialization: InitializationResult | None = None

    def heal(self) -> None:
        """Make the required tables ready; what the run builds again anyway may be rebuilt on the way."""
        self._initialization = self._initializer.ensure_initialized(expendable=self._expendable)

    def execute(self, mutex: DatabaseMutex, *, fresh: bool, may_forgo: MayForgo) -> SimulationResult:
        """Take the mutex and run every stage of every year; dbt has been started, and may still be parsing.

        ``may_forgo`` is asked before years are removed that the run does not build again.

        Raises:
            OrchestratorError: whatever stops the run.
        """
        run, runner = self._run, self._runner
        run.hold(mutex)
        import_reader()
        facts = runner.current_facts()  # kept ones serve until dbt, which is starting meanwhile, has parsed
        require_year_read(run.config, facts)
        ledger, start = self._find_start(facts, fresh=fresh)
        if start.done and self._is_idle(facts):
            if self._auto_initialize:
                self.heal()  # which finds nothing to do
            return self._result(facts, ledger, start, ())
        if not start.done:
            tell_other_scenarios(self._emit, ledger, run.config.scenario, facts)
            require_matches(run.config, runner, facts, run.plan, start.year)
        agreed = _require_agreed(start, may_forgo, ())
        self._expendable = ledger.expendable(start)
        facts = self._prepare()
        # The first look refuses what cannot be run while nothing is touched yet, and says what healing may give up.
        # It is too old to build on: hooks and healing have changed the database, dbt may have parsed a newer project,
        # and as long as dbt has not opened a file another program may write it. A look costs some 10 ms.
        before = {(loss.year, loss.node) for loss in start.losses}
        ledger, start = self._find_start(facts, fresh=fresh)
        by_hooks = [loss for loss in start.losses if loss.whole and (loss.year, loss.node) not in before]
        if by_hooks and self._calls_hooks_first():
            ledger.hooks_left(runner, by_hooks)
            ledger, start = self._find_start(facts, fresh=fresh)
        if start.done:
            return self._result(facts, ledger, start, ())
        _require_agreed(start, may_forgo, agreed)
        digests = TableDigests(facts, run.year_column)
        files = FilesInUse(facts, runner)
        loop = YearLoop(run, runner=runner, ledger=ledger, start=start, digests=digests, files=files, emit=self._emit)
        left = loop.repeat_left_hooks()
        run.begun = True
        self._begin(ledger, start)
        if left is not None:
            ledger.hooks_repeated(runner, left)
        years = tuple(loop.years())
        if run.fire(HookType.POST_SIMULATION):
            ledger.simulation_ended(runner)
        ledger.completed(runner)
        edited = files.changed_but(loop.changed_files)
        if edited:
            self._emit(InputsChanged(at=utc_now(), files=edited))
        result = self._result(facts, ledger, start, years, loop.ran)
        return replace(result, changed_files=tuple(sorted(loop.changed_files)), edited_files=edited)

    def _calls_hooks_first(self) -> bool:
        """Tell whether hooks of the user's are called before the first year."""
        manager = self._run.hooks
        hooks = (*manager.list_hooks(HookType.PRE_INITIALIZATION), *manager.list_hooks(HookType.PRE_SIMULATION))
        return any(hook.name != HEALING_HOOK for hook in hooks)

    def _is_idle(self, facts: ProjectFacts) -> bool:
        """Tell whether nothing is to be called or healed before a run either, as far as kept facts tell."""
        if self._calls_hooks_first() or self._runner.known_facts() is None:
            return False
        return not self._initializer.checker(facts).findings()

    def _result(
        self,
        facts: ProjectFacts,
        ledger: RunLedger,
        start: Start,
        years: tuple[YearResult, ...],
        ran: Set[str] = frozenset(),
    ) -> SimulationResult:
        run = self._run
        left = self._initializer.left_out(facts)
        if start.year == run.plan.years[0] and not start.kept_stages and not start.done:
            names = {node.name for unique_id in ran if (node := facts.node(unique_id)) is not None}
            left = without_stage(left, names, config=run.config, facts=facts, years=run.plan.years)
        return SimulationResult(
            run_id=run.run_id,
            status="completed",
            scenario=run.config.scenario,
            fingerprint=ledger.fingerprint,
            database=str(facts.database_path) if facts.database_path is not None else None,
            seconds=run.elapsed(),
            years=years,
            initialization=self._initialization,
            resumed_from=start.point,
            summary=read_summary(self._runner, facts, run.year_column, run.plan.years),
            left_out=left,
            nothing_to_do=start.done,
            not_compared=not_compared(self._initializer.checker(facts).facts),
        )

    def _find_start(self, facts: ProjectFacts, *, fresh: bool) -> tuple[RunLedger, Start]:
        checker = self._initializer.checker(facts)
        ledger = run_ledger(self._run, checker.facts, checker.required)
        patience = self._scope.deadline(SECONDS_TO_WAIT_FOR_OTHERS)
        return ledger, find_run_start(ledger, self._runner, facts, patience, fresh=fresh)

    def _prepare(self) -> ProjectFacts:
        """Call the hooks before the first year, healing among them; return the facts of the project as it is now."""
        self._call_hooks_before_healing()
        self._run.fire(HookType.PRE_SIMULATION)
        looked_at = self._runner.known_facts()
        facts = self._runner.facts()
        if self._auto_initialize and (looked_at is None or facts.nodes != looked_at.nodes):
            self.heal()  # the hook may have gone by a parse that is older than the project
        checker = self._initializer.checker(facts)
        ContentsKeeper(checker.facts, checker.lasting_ids).read_from_now_on(self._runner)
        if not self._auto_initialize:
            self._require_ready(facts)
        return facts

    def _call_hooks_before_healing(self) -> None:
        """Call them; what they change is part of the simulation, what others changed before them will be healed."""
        if self._auto_initialize and not self._run.hooks.list_hooks(HookType.PRE_INITIALIZATION):
            return
        checker = self._initializer.checker(self._runner.current_facts())
        changed = [one for one in checker.findings() if isinstance(one.seen, (RowsChanged, ViewReplaced))]
        if changed and not self._auto_initialize:
            raise _not_ready(changed)
        with hooks_before_healing(checker, self._runner):
            self._run.fire(HookType.PRE_INITIALIZATION)

    def _require_ready(self, facts: ProjectFacts) -> None:
        findings = self._initializer.checker(facts).findings()
        if findings:
            raise _not_ready(findings)

    def _begin(self, ledger: RunLedger, start: Start) -> None:
        elapsed = stopwatch()
        tell_run_start(self._emit, ledger, start)
        purge = ledger.begin(self._runner, start)
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


def _not_ready(findings: Sequence[TableFinding]) -> InitializationError:
    shown = "; ".join(f"{f.table.name} {f.detail}" for f in findings[:5])
    which = f"{plural(len(findings), 'required table')} {'is' if len(findings) == 1 else 'are'}"
    return InitializationError(
        f"{which} not ready, and self-healing is off: {shown}" + (" …" if len(findings) > 5 else "."),
        step="check_tables",
        tables=[finding.table.name for finding in findings],
        to_fix="run `orchestrator init`, or leave out --no-auto-initialize",
    )


def _require_agreed(start: Start, may_forgo: MayForgo, agreed: tuple[int, ...]) -> tuple[int, ...]:
    """Make sure that years may go which the run does not build again; return all that may.

    Raises:
        YearsWouldBeLostError: they may not.
    """
    new = tuple(year for year in start.forgone if year not in agreed)
    if new and not may_forgo(start):
        beyond = start.forgone[-1]
        longer = f"simulate up to {beyond}, or add" if beyond > start.year else "add"
        raise YearsWouldBeLostError(
            f"This run would remove {shown_years(start.removed)} from the database, and would not simulate "
            f"{shown_years(start.forgone)} again. Nothing was run and nothing was removed.",
            years=start.forgone,
            to_fix=f"{longer} --yes (in Python forgo_years=True) to give them up; "
            "--database runs it in another database",
        )
    return start.forgone
