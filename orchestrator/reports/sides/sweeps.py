"""Sides that are groups of a sweep: members that differ in nothing but the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.config.years import no_years
from orchestrator.core.errors import ConfigurationError, TableNotFoundError
from orchestrator.core.masking import MASK
from orchestrator.core.text import plural
from orchestrator.dbt_runner.project.facts import NodeFacts
from orchestrator.pipeline.summary import summary_model
from orchestrator.pipeline.workflow import Summary, SummaryColumn
from orchestrator.reports.sides.databases import require_summary
from orchestrator.reports.sides.groups import DONE, SCENARIO, OpenSweep, chosen_members, group_name, grouped, unfinished
from orchestrator.reports.sides.members import MemberTables, inputs_of, summaries_of
from orchestrator.reports.sides.names import Condition
from orchestrator.reports.sides.settings import SEED, as_recorded, decisive_settings
from orchestrator.reports.sides.side import Repetition, Side, years_of
from orchestrator.reports.sides.sources import Sources
from orchestrator.scenarios.freshness import outdated_members
from orchestrator.scenarios.plan import Member
from orchestrator.scenarios.project import SweptProject


def outdated_note(sweep: str, side: str, old: int, done: int) -> str:
    """Say that so many members of a side may be made of something else than the project is now."""
    return (
        f"{side}: {plural(old, 'member')} of {done} may not be what the project is now; "
        f"`orchestrator sweep resume {sweep}` finds out and runs those again."
    )


def sweep_sides(
    sources: Sources, sweep: OpenSweep, conditions: Sequence[Condition], named: str | None = None
) -> list[Side]:
    """Return a side for each group of a sweep that fits all conditions, in the order of its plan.

    ``named`` is what a person wrote for them.

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
    read = _read(sources, sweep, done)
    missing = unfinished(sweep, chosen)
    notes = [f"Sweep {sweep.name}: {missing}; the others are left out."] if missing else []
    old = [member for member in done if member.key in read.outdated]
    if old:
        notes.append(outdated_note(sweep.name, named or f"Sweep {sweep.name}", len(old), len(done)))
    gone = len(done) - len(read.summaries)
    if gone:
        notes.append(f"Sweep {sweep.name}: {plural(gone, 'member')} left neither kept tables nor a database.")
    years = {key: years_of(summary) for key, summary in read.summaries.items()}
    notes += [f"{key}: {text}" for key, (_, odd) in years.items() for text in odd]
    sides = []
    for group in grouped([member for member in done if member.key in read.summaries]):
        repetitions = tuple(
            Repetition(
                *(one.key, read.seeds.get(one.key, one.seed), years[one.key][0], sweep.states[one.key].run_id),
                read.tables.database(one),
            )
            for one in group
        )
        sides.append(_side(sweep, group[0], repetitions, read))
    if not sides:
        raise TableNotFoundError(
            f"Sweep {sweep.name} has kept no results.",
            to_fix=f"run it with {read.tables.node.name} among the tables that are kept, or with databases: all",
        )
    return [replace(sides[0], notes=tuple(notes)), *sides[1:]]


@dataclass(frozen=True)
class _Read:
    """What is read of the members that are done: by key, ``settings`` and ``inputs`` by scenario."""

    tables: MemberTables
    columns: tuple[SummaryColumn, ...]
    summaries: Mapping[str, Summary]
    seeds: Mapping[str, int]
    outdated: frozenset[str]
    settings: Mapping[str, Mapping[str, object]]
    inputs: Mapping[str, Mapping[str, str]]


def _read(sources: Sources, sweep: OpenSweep, done: Sequence[Member]) -> _Read:
    project = _project(sources, sweep)
    load = sources.load if project is None else project.scenario
    scenarios = dict.fromkeys(member.scenario for member in done)
    with sources.open_project(sources.config if project is None else project.base()) as (_, facts):
        require_summary(facts)
        node = summary_model(facts)
        assert node is not None
        tables = MemberTables(sweep.folder, node)
        columns = _columns(node, sources)
        inputs = {
            name: inputs_of(tables, [member for member in done if member.scenario == name], facts) for name in scenarios
        }
        settings = {
            name: as_recorded(decisive_settings(load(name).snapshot(), facts), inputs[name]) for name in scenarios
        }
        outdated = outdated_members(sources.config, sweep.folder, sweep.plan, sweep.states, facts)
        return _Read(tables, columns, summaries_of(tables, done, columns), tables.seeds(), outdated, settings, inputs)


def _side(sweep: OpenSweep, first: Member, repetitions: tuple[Repetition, ...], read: _Read) -> Side:
    """Return the side of a group, by its ``first`` member."""
    own = {**read.settings[first.scenario], **first.values}
    if len(repetitions) == 1 and repetitions[0].seed is not None:
        own[SEED] = repetitions[0].seed
    return Side(
        name=group_name(sweep, first),
        kind="sweep",
        columns=read.columns[1:],
        repetitions=repetitions,
        parameters=own,
        sweep=sweep.name,
        group={SCENARIO: first.scenario, **first.values},
        inputs=read.inputs[first.scenario],
    )


def _columns(node: NodeFacts, sources: Sources) -> tuple[SummaryColumn, ...]:
    simulation = sources.config.simulation
    if simulation is None:
        raise no_years(sources.config.file, "compare")
    year = simulation.year_column
    labelled = tuple(SummaryColumn(*label) for label in node.labels if label[0].lower() != year.lower())
    return SummaryColumn(year, "Year", "text"), *labelled


def _project(sources: Sources, sweep: OpenSweep) -> SweptProject | None:
    """Return the configuration as it is now with what was set for all members of a sweep; None where that fits no more.

    Secrets, which are kept nowhere, are left out.
    """
    if sources.config.file is None:
        return None
    project = SweptProject(sources.config.file, tuple(one for one in sweep.plan.overrides if MASK not in one))
    try:
        project.base()
    except ConfigurationError:
        return None
    return project
