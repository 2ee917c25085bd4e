"""Start of a run: found in its database, and reported as events."""

from __future__ import annotations

from orchestrator.core.clocks import Deadline, utc_now
from orchestrator.core.events import (
    ChangesFound,
    Emit,
    OtherScenariosFound,
    RowsLost,
    RunResumed,
    StartFound,
    TablesLost,
    WholeRangeRun,
    WholeYearRun,
)
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.pipeline.current_run import CurrentRun
from orchestrator.pipeline.resume import Start
from orchestrator.pipeline.run_ledger import RunLedger
from orchestrator.pipeline.year_rows import models_of_other_years
from orchestrator.self_healing.database_look import open_reader
from orchestrator.self_healing.initialization_state import RequiredTable, TableTier
from orchestrator.self_healing.registry import node_of


def run_ledger(run: CurrentRun, facts: ProjectFacts, required: tuple[RequiredTable, ...]) -> RunLedger:
    """Make the ledger of a run over a parsed project with these required tables.

    Where a model changes rows of other years than its own, the run begins at the first year of the simulation.
    """
    if models_of_other_years(facts):
        run.begin_at_first_year()
    carried = tuple(node_of(table, facts) for table in required if table.tier is TableTier.STATE)
    lasting = frozenset(node_of(table, facts).unique_id for table in required if table.tier is not TableTier.STATE)
    return RunLedger(
        run.run_id,
        run.config.scenario,
        run.plan,
        facts,
        carried,
        lasting,
        run.year_column,
        run.begin_at_first_year,
        run.config.root,
    )


def find_run_start(
    ledger: RunLedger, runner: DbtRunner, facts: ProjectFacts, patience: Deadline, *, fresh: bool
) -> Start:
    """Return where the run of a ledger begins now, and why; nothing is written.

    ``patience`` is how long to wait while another process has the database open.

    Raises:
        YearSequenceError: the range cannot follow what is in the database.
        DatabaseLockedError: another process has it open.
    """
    with open_reader(runner, facts, patience=patience) as reader:
        return ledger.find_start(reader, fresh=fresh)


def tell_other_scenarios(emit: Emit, ledger: RunLedger, scenario: str, facts: ProjectFacts) -> None:
    """Tell whose years are in the database of a run, where they are not of its scenario."""
    found = ledger.of_other_scenarios
    if found:
        path = facts.database_path
        emit(
            OtherScenariosFound(
                at=utc_now(),
                scenario=scenario,
                scenarios=tuple(dict.fromkeys(found.values())),
                years=tuple(found),
                database=None if path is None else str(path),
            )
        )


def tell_run_start(emit: Emit, ledger: RunLedger, start: Start) -> None:
    """Tell where a run begins, and what of earlier runs led to it."""
    emit(StartFound(at=utc_now(), year=start.year, stage=start.stage, fingerprint=ledger.fingerprint))
    for loss in start.losses:
        emit(
            RowsLost(
                at=utc_now(),
                year=loss.year,
                table=loss.table,
                expected=loss.expected,
                found=loss.found,
                whole=loss.whole,
                of=loss.of,
            )
        )
    if start.other_years:
        emit(WholeRangeRun(at=utc_now(), models=start.other_years, years=ledger.years))
    if start.other_stages:
        emit(WholeYearRun(at=utc_now(), year=start.year, changed_by=start.other_stages))
    if start.changed:
        emit(ChangesFound(at=utc_now(), changes=start.changed, from_year=start.year))
    if start.gone:
        emit(TablesLost(at=utc_now(), tables=start.gone))
    if start.resumed:
        previous = ledger.previous_run_id
        emit(
            RunResumed(
                at=utc_now(),
                year=start.year,
                stage=start.stage,
                previous_run_id=previous,
                ending=start.ending,
            )
        )
