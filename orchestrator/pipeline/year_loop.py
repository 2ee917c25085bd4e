"""Loop over the years of a run: every stage of every year, its hooks, its ledger rows and its digests."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress

from orchestrator.config.schema import HookType
from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.errors import (
    DbtTimeoutError,
    NodeFailedError,
    OrchestratorError,
    StageTimeoutError,
    TestFailedError,
)
from orchestrator.core.events import (
    Emit,
    InputsChanged,
    StageCheckpointed,
    StageFinished,
    StageStarted,
    TestWarned,
    YearFinished,
    YearStarted,
)
from orchestrator.core.permissions import write_text
from orchestrator.core.text import plural
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.results import DbtResult, NodeResult
from orchestrator.ledger.reading import FinishedStage
from orchestrator.pipeline.current_run import CurrentRun
from orchestrator.pipeline.files_in_use import FilesInUse
from orchestrator.pipeline.resume import Start
from orchestrator.pipeline.run_ledger import RunLedger
from orchestrator.pipeline.table_digests import TableDigests
from orchestrator.pipeline.workflow import Stage, StageResult, TestWarning, YearResult

logger = logging.getLogger(__name__)
SEEDS = "dbt seed is never replayed"
YEARS_BETWEEN_OPENINGS = 5
"""An open DuckDB file holds more memory year by year; closing it gives that back, and costs 20 ms."""


class YearLoop:
    """The years of one run from ``start`` on; ``ledger`` is told of each stage when it is done.

    ``ran`` are the unique ids of all nodes that ran, ``changed_files`` what was written while they read it.
    """

    def __init__(
        self,
        run: CurrentRun,
        *,
        runner: DbtRunner,
        ledger: RunLedger,
        start: Start,
        digests: TableDigests,
        files: FilesInUse,
        emit: Emit,
    ) -> None:
        self._run = run
        self._config = run.config
        self._hooks = run.hooks
        self._runner = runner
        self._ledger = ledger
        self._start = start
        self._digests = digests
        self._files = files
        self._emit = emit
        self.ran: set[str] = set()
        self.changed_files: set[str] = set()

    def years(self) -> Iterator[YearResult]:
        """Run year after year; each result comes when its year is done."""
        first = self._start.year + self._start.ending
        for number, year in enumerate(year for year in self._run.plan.years if year >= first):
            reopen = number > 0 and number % YEARS_BETWEEN_OPENINGS == 0
            if reopen:
                self._runner.release()
            yield self._year(year, held=not reopen and not self._ledger.shared)

    def repeat_left_hooks(self) -> FinishedStage | None:
        """Call again the hooks after the last finished stage that a kill, or a failure of theirs, cut off.

        Return that stage, None where no hooks are left.
        """
        left = self._ledger.left_hooks(self._start)
        if left is None:
            return None
        self._run.fire(HookType.POST_STAGE, year=left.year, stage=left.stage)
        if left.stage == self._run.plan.stages_of(left.year)[-1].name:
            self._run.fire(HookType.POST_YEAR, year=left.year)
        self._ledger.hooks_done(self._runner, left.year, left.stage)
        return left

    def _year(self, year: int, *, held: bool) -> YearResult:
        """Run a year; ``held`` tells that nobody but this run could write since the year before ended.

        Then what that year left needs no second count, unless hooks were called.
        """
        elapsed = stopwatch()
        self._emit(YearStarted(at=utc_now(), year=year))
        hooked = self._run.fire(HookType.PRE_YEAR, year=year)
        if hooked or (year > self._start.year and not held):
            self._ledger.check_what_others_wrote(self._runner, year)
        kept = self._start.kept_stages if year == self._start.year else ()
        stages = [stage for stage in self._run.plan.stages_of(year) if stage.name not in kept]
        results, hooked = [], False
        for stage in stages:
            results.append(self._stage(year, stage))
            hooked = self._run.fire(HookType.POST_STAGE, year=year, stage=stage.name)
            if hooked and stage is not stages[-1]:
                self._ledger.check_what_others_wrote(self._runner, year)
                self._ledger.hooks_done(self._runner, year, stage.name)
        hooked = self._run.fire(HookType.POST_YEAR, year=year) or hooked
        if hooked or not stages:
            self._ledger.year_ended(self._runner, year)
        if hooked and stages:
            self._ledger.hooks_done(self._runner, year, stages[-1].name)
        result = YearResult(year, elapsed(), tuple(results))
        self._emit(YearFinished(at=utc_now(), year=year, seconds=result.seconds))
        return result

    def _may_replay(self, stage: Stage) -> bool:
        return self._config.execution.replay == "auto" and stage.command != "seed"

    def _hooks_after(self, stage: Stage, *, last: bool) -> bool:
        after = [hook for hook in self._hooks.list_hooks(HookType.POST_STAGE) if hook.stage in (None, stage.name)]
        return bool(after or (last and self._hooks.list_hooks(HookType.POST_YEAR)))

    def _stage(self, year: int, stage: Stage) -> StageResult:
        if self._run.fire(HookType.PRE_STAGE, year=year, stage=stage.name):
            self._ledger.check_what_others_wrote(self._runner, year)
        started_at, elapsed = utc_now(), stopwatch()
        self._emit(StageStarted(at=started_at, year=year, stage=stage.name, command=stage.command))
        nodes, dbt_seconds, replayed, failure = 0, 0.0, False, None
        warnings: tuple[TestWarning, ...] = ()
        try:
            try:
                variables = self._config.dbt_vars(year)
                later = [other for other in self._run.plan.years if other > year]
                outcome = self._runner.invoke(
                    stage.command,
                    stage.select,
                    variables,
                    stage.timeout_seconds,
                    replay=self._may_replay(stage),
                    next_vars=self._config.dbt_vars(later[0]) if later else None,
                    failures_dir=self._run.failures_dir,
                )
            finally:
                dbt_seconds = elapsed()
            nodes, replayed = len(outcome.nodes), outcome.replayed
            self.ran.update(node.unique_id for node in outcome.nodes)
            warnings = self._warnings(year, stage, outcome)
            last = stage is self._run.plan.stages_of(year)[-1]
            hooks_done = not self._hooks_after(stage, last=last)
            self._ledger.stage_finished(
                self._runner,
                year,
                stage.name,
                outcome,
                elapsed(),
                hooks_done=hooks_done,
                changed_files=self._written_meanwhile(year, stage, outcome),
            )
        except DbtTimeoutError as error:
            failure = error.message
            raise StageTimeoutError(
                f"Stage {stage.name} of {year} did not end within {plural(error.timeout, 'second')} and was stopped.",
                to_fix=f"raise timeout_seconds of stage {stage.name}, and run again",
            ) from error
        except BaseException as error:
            failure = str(error) or type(error).__name__
            if isinstance(error, (NodeFailedError, TestFailedError)):
                with suppress(OrchestratorError):
                    self._ledger.stage_failed(self._runner)
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
        why = outcome.not_replayed
        if self._config.execution.replay == "auto" and not self._may_replay(stage):
            why = SEEDS
        result = StageResult(stage.name, elapsed(), nodes, replayed, why, warnings)
        self._checkpoint(year, stage, outcome)
        return result

    def _written_meanwhile(self, year: int, stage: Stage, outcome: DbtResult) -> tuple[str, ...]:
        """Return which files a stage may have read in another state than that in which the run began, and tell it."""
        files = self._files.changed(node.unique_id for node in outcome.nodes)
        if not self.changed_files.issuperset(files):
            self.changed_files.update(files)
            self._emit(InputsChanged(at=utc_now(), files=files, year=year, stage=stage.name))
        return files

    def _warnings(self, year: int, stage: Stage, outcome: DbtResult) -> tuple[TestWarning, ...]:
        """Tell of tests that found rows and stop nothing, and write the queries that show these."""
        found = []
        for test in outcome.warnings:
            query = self._written(test, year)
            rows = test.rows or 0
            found.append(TestWarning(test.name, rows, query))
            told = TestWarned(at=utc_now(), year=year, stage=stage.name, name=test.name, rows=rows, query=query)
            self._emit(told)
        return tuple(found)

    def _written(self, test: NodeResult, year: int) -> str | None:
        """Write the query of a test and return its file; None where that is not possible, which stops no run."""
        if test.sql is None:
            return None
        file = self._run.warnings_dir / f"{test.file_name}_{year}.sql"
        try:
            write_text(file, test.sql.strip() + "\n")
        except OSError as error:
            logger.warning(
                "The query of test %s could not be written to %s: %s", test.name, file, error.strerror or error
            )
            return None
        return str(file)

    def _checkpoint(self, year: int, stage: Stage, outcome: DbtResult) -> None:
        elapsed = stopwatch()
        tables = self._digests.of(self._runner, year, outcome)
        if tables:
            self._emit(StageCheckpointed(at=utc_now(), year=year, stage=stage.name, tables=tables, seconds=elapsed()))
