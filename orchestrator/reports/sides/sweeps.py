"""Sides that are groups of a sweep: members that differ in nothing but the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.core.errors import ConfigurationError, TableNotFoundError
from orchestrator.core.text import plural
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.pipeline.summary import summary_model
from orchestrator.pipeline.workflow import SummaryColumn
from orchestrator.reports.sides.databases import require_summary
from orchestrator.reports.sides.groups import DONE, SCENARIO, OpenSweep, chosen_members, group_name, grouped, unfinished
from orchestrator.reports.sides.members import MemberTables, inputs_of, summaries_of
from orchestrator.reports.sides.names import Condition
from orchestrator.reports.sides.settings import decisive_settings
from orchestrator.reports.sides.side import Repetition, Side, years_of
from orchestrator.reports.sides.sources import Sources
from orchestrator.scenarios.freshness import outdated_members

SEED_KEY = "simulation.random_seed"


def sweep_sides(sources: Sources, sweep: OpenSweep, conditions: Sequence[Condition]) -> list[Side]:
    """Return a side for each group of a sweep that fits all conditions, in the order of its plan.

    Raises:
        ConfigurationError: a condition names what the sweep does not vary, or no member fits.
        TableNotFoundError: none of these members is done.
        DatabaseError: their tables cannot be read.
    """
    chosen = chosen_members(sweep, conditions)
    done = [member for member in chosen if sweep.states[member.key].status == DONE]
    if not done:
        raise TableNotFoundError(
            f"Sweep {sweep.name} has no results yet: {unfinished(sweep, chosen)}.",
            to_fix="run the same `orchestrator sweep run` again, which goes on where it stopped",
        )
    with sources.open_project(sources.config) as (_, facts):
        require_summary(facts)
        node = summary_model(facts)
        assert node is not None
        tables = MemberTables(sweep.folder, node)
        columns = _columns(node, sources)
        summaries = summaries_of(tables, done, columns)
        inputs = inputs_of(tables, done, facts)
        outdated = outdated_members(sources.config, sweep.folder, sweep.plan, sweep.states, facts)
        settings = {name: _settings(sources, name, facts) for name in {member.scenario for member in done}}
    missing = unfinished(sweep, chosen)
    notes = [f"Sweep {sweep.name}: {missing}; those are compared."] if missing else []
    old = [member for member in done if member.key in outdated]
    if old:
        notes.append(
            f"Sweep {sweep.name}: {plural(len(old), 'member')} of {len(done)} may not be what the project is now; "
            f"`orchestrator sweep resume {sweep.name}` finds out and runs those again."
        )
    gone = len(done) - len(summaries)
    if gone:
        notes.append(f"Sweep {sweep.name}: {plural(gone, 'member')} left neither kept tables nor a database.")
    years = {key: years_of(summary) for key, summary in summaries.items()}
    notes += [f"{key}: {text}" for key, (_, odd) in years.items() for text in odd]
    sides = []
    for group in grouped([member for member in done if member.key in summaries]):
        first = group[0]
        repetitions = tuple(
            Repetition(one.key, one.seed, years[one.key][0], sweep.states[one.key].run_id, tables.database(one))
            for one in group
        )
        own = {**settings[first.scenario], **first.values}
        if first.seed is not None and len(group) == 1:
            own[SEED_KEY] = first.seed
        varied = {SCENARIO: first.scenario, **first.values}
        sides.append(
            Side(group_name(sweep, first), "sweep", columns[1:], repetitions, own, (), sweep.name, varied, inputs)
        )
    if not sides:
        raise TableNotFoundError(
            f"Sweep {sweep.name} has kept no results.",
            to_fix=f"run it with {node.name} among the tables that are kept, or with databases: all",
        )
    return [replace(sides[0], notes=tuple(notes)), *sides[1:]]


def _columns(node: NodeFacts, sources: Sources) -> tuple[SummaryColumn, ...]:
    simulation = sources.config.simulation
    if simulation is None:
        raise ConfigurationError("This configuration has no section simulation, so there are no years to compare.")
    year = simulation.year_column
    labelled = tuple(SummaryColumn(*label) for label in node.labels if label[0].lower() != year.lower())
    return SummaryColumn(year, "Year", "text"), *labelled


def _settings(sources: Sources, scenario: str, facts: ProjectFacts) -> dict[str, object]:
    return decisive_settings(sources.load(scenario).snapshot(), facts)
