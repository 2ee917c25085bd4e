"""Sides that are databases: of a scenario as it is now."""

from __future__ import annotations

from contextlib import suppress

from orchestrator.config.simulation import SimulationConfig
from orchestrator.config.years import no_years
from orchestrator.core.errors import ConfigurationError, TableNotFoundError
from orchestrator.core.text import shown_years
from orchestrator.database.reader import DatabaseReader
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.ledger.changes import UNRECORDED, changes
from orchestrator.ledger.contents import changed_contents
from orchestrator.ledger.reading import Ledger, read_ledger
from orchestrator.ledger.watched import with_watched
from orchestrator.pipeline.fingerprint import Components, components, fingerprint
from orchestrator.pipeline.resume import read_while_written
from orchestrator.pipeline.summary import read_summary, summary_model
from orchestrator.pipeline.wording import listed
from orchestrator.pipeline.workflow import SimulationPlan, Summary
from orchestrator.reports.sides.settings import SEED, as_recorded, decisive_settings
from orchestrator.reports.sides.side import Repetition, Side, years_of
from orchestrator.reports.sides.sources import OpenProject, Sources
from orchestrator.reports.table_rows import ALL_YEARS, open_project_database, require_database
from orchestrator.self_healing.initialization_state import TableTier
from orchestrator.self_healing.registry import configured_tables, node_of, with_required


def scenario_side(sources: Sources, name: str) -> Side:
    """Return a scenario as its database is now.

    Raises:
        ConfigurationError: the scenario is wrong, or its project names no closing table.
        TableNotFoundError: it has not been run yet.
        DatabaseLockedError: a run of it is in progress.
        DatabaseError: it cannot be read.
    """
    return _side(name, sources.scenario(name), sources.open_project)


def require_summary(facts: ProjectFacts) -> None:
    """Refuse a project that names no closing table.

    Raises:
        ConfigurationError: it names none.
    """
    if summary_model(facts) is None:
        raise ConfigurationError(
            "The project names no closing table, which is what is compared by year.",
            to_fix="mark the model that has one row a year with `meta: {summary: true}` and its columns with labels",
        )


def _side(name: str, config: SimulationConfig, open_project: OpenProject) -> Side:
    if config.simulation is None:
        raise no_years(config.file, "compare")
    with open_project(config) as (runner, facts):
        require_summary(facts)
        try:
            require_database(config, facts)
        except TableNotFoundError as error:
            raise TableNotFoundError(
                f"{name} has not been simulated yet: there is no database {facts.database_path}.",
                to_fix=f"run `orchestrator simulate --scenario {name}`",
            ) from error
        with open_project_database(config, runner, facts) as database:
            summary = read_summary(database, facts, config.simulation.year_column, ALL_YEARS)
            ledger = read_ledger(database, facts.ledger, facts)
            notes = state_notes(name, config, database, ledger, facts)
    made_of = _made_of(ledger)
    years, odd = years_of(_there(name, summary, facts))
    last = ledger.runs[-1] if ledger.runs else None
    parameters = as_recorded(decisive_settings(config.snapshot(), facts), made_of)
    seed = parameters.get(SEED)
    one = Repetition(
        name,
        seed if isinstance(seed, int) else config.simulation.random_seed,
        years,
        None if last is None else last.run_id,
        facts.database_path,
    )
    return Side(
        name=name,
        kind="scenario",
        columns=() if summary is None else summary.columns[1:],
        repetitions=(one,),
        parameters=parameters,
        notes=(*notes, *(f"{name}: {text}" for text in odd)),
        inputs=made_of,
    )


def _there(name: str, summary: Summary | None, facts: ProjectFacts) -> Summary:
    if summary is not None and summary.rows:
        return summary
    marked = summary_model(facts)
    what = "" if marked is None else f": its closing table {marked.name} is {'missing' if summary is None else 'empty'}"
    raise TableNotFoundError(
        f"{name} has no results to compare{what}.", to_fix=f"run `orchestrator simulate --scenario {name}`"
    )


def _made_of(ledger: Ledger) -> dict[str, str]:
    """Return what the last finished stage was made of."""
    return ledger.components_of(ledger.stages[-1].fingerprint) if ledger.stages else {}


def state_notes(
    name: str, config: SimulationConfig, database: DatabaseReader, ledger: Ledger, facts: ProjectFacts
) -> list[str]:
    """Say that years were made of something else than the project is now, and that the last run did not finish."""
    plan = SimulationPlan.of(config)
    now = _now(config, database, facts, plan)
    others = [stage for stage in ledger.stages if stage.fingerprint != fingerprint(now)]
    notes = []
    if others:
        years = shown_years(tuple(sorted({stage.year for stage in others})))
        why = listed(changes(ledger.components_of(others[-1].fingerprint), now) or (UNRECORDED,))
        notes.append(f"{name} is not what the project is now ({years}): {why}.")
    notes += [f"{name} is to be simulated again: {loss.words()}." for loss in read_while_written(ledger)]
    last = ledger.runs[-1] if ledger.runs else None
    if last is not None and last.status != "completed":
        simulated = sorted({stage.year for stage in ledger.stages})
        done = [year for year in simulated if all(ledger.finished(year, stage.name) for stage in plan.stages_of(year))]
        whole = f"{shown_years(tuple(done))} are finished" if done else "no year is finished"
        notes.append(f"The last run of {name} did not come to its end: {whole}.")
    return notes


def _now(config: SimulationConfig, database: DatabaseReader, facts: ProjectFacts, plan: SimulationPlan) -> Components:
    """Return what decides a run that would begin now."""
    lasting: frozenset[str] = frozenset()
    with suppress(ConfigurationError):  # `check` says what is wrong with the list; what is there can be compared
        facts, required = with_required(facts, configured_tables(config))
        lasting = frozenset(node_of(table, facts).unique_id for table in required if table.tier is not TableTier.STATE)
    changed = changed_contents(database, facts, lasting)
    return {**components(with_watched(facts, database), plan), **changed}
