"""The configuration that is proposed for a dbt project, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import plural
from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.source_facts import SourceFacts
from orchestrator.dbt_runner.project.study import ProjectStudy
from orchestrator.maintenance.adoption.changes import Change, lines_to_change
from orchestrator.maintenance.adoption.stages import StageChoice, yearly_nodes
from orchestrator.maintenance.adoption.year_range import YearRange, seed_of, variables_to_set
from orchestrator.maintenance.adoption.year_variable import YearCandidate, keeps_rows
from orchestrator.self_healing.initialization_state import TableTier
from orchestrator.self_healing.registry import required_tables

SHOWN = 3


@dataclass(frozen=True)
class Table:
    """A table that must be there before the first year."""

    name: str
    tier: str
    selector: str


@dataclass(frozen=True)
class Proposal:
    """What is proposed for a project that marches through years.

    ``foundation`` are the nodes that stand before the first year, ``required`` the written list of tables, None where
    the orchestrator derives the same. ``carried`` says which tables hand rows from one year to the next.
    ``hook_points`` are (stage, source) where something outside dbt may have to fill a source, ``sources_before`` are
    (source, table, reader) of those that must be filled before the first year. ``unknown`` is what could not be told,
    ``changes`` are lines of the project.
    """

    chosen: YearCandidate
    column: str
    years: YearRange
    random_seed: int | None
    variables: Mapping[str, object]
    stages: StageChoice
    foundation: tuple[str, ...]
    required: tuple[Table, ...] | None
    carried: tuple[str, ...]
    hook_points: tuple[tuple[str, str], ...]
    sources_before: tuple[tuple[str, str, str], ...]
    unknown: tuple[str, ...]
    changes: tuple[Change, ...]


def propose(
    chosen: YearCandidate,
    column: str,
    years: YearRange,
    stages: StageChoice,
    facts: ProjectFacts,
    study: ProjectStudy,
    given: Mapping[str, object],
) -> Proposal:
    """Return the proposal for a project of which ``facts`` know the year variable, after what was asked is answered."""
    yearly = yearly_nodes(facts)
    ids = {node.unique_id for node in yearly}
    before = [
        node for node in facts.nodes if node.builds and node.unique_id not in ids and node.resource_type != "seed"
    ]
    unfilled = _unfilled(facts, yearly, stages)
    sources_before = tuple(_unfilled_before(facts, before))
    return Proposal(
        chosen=chosen,
        column=column,
        years=years,
        random_seed=seed_of(facts, study, given) if _reads(facts, "random_seed") else None,
        variables=variables_to_set(years, chosen, facts, study, given),
        stages=stages,
        foundation=tuple(node.name for node in before),
        required=_required(facts, before),
        carried=tuple(_carried(facts, study, yearly)),
        hook_points=tuple((stage, _full_name(one)) for stage, one in unfilled),
        sources_before=sources_before,
        unknown=(
            *_unknown_values(chosen, years, facts, study, given),
            *_unknown_columns(column, study, yearly),
            *(
                f"who makes {source}, which {reader} reads before the first year: name a function that does under "
                "required_tables"
                for source, _, reader in sources_before
            ),
            *_unknown_reads(yearly, study, unfilled),
        ),
        changes=lines_to_change(facts, study, yearly, chosen, column),
    )


def _reads(facts: ProjectFacts, name: str) -> bool:
    return name in facts.vars_elsewhere or any(name in node.vars for node in facts.nodes)


def _required(facts: ProjectFacts, before: list[NodeFacts]) -> tuple[Table, ...] | None:
    """Return the list of required tables, None where the one that is derived of the project is the same."""
    wanted = {node.unique_id for node in (*facts.seeds(), *before)}
    state: list[NodeFacts] = []
    for source in facts.sources:
        model = None if source.prior_year_of is None else facts.buildable(source.prior_year_of)
        if model is not None and model not in state:
            state.append(model)
    try:
        derived = {table.selector for table in required_tables(facts)}
    except ConfigurationError:  # what it names is among the lines to change
        return None
    if derived == wanted | {node.unique_id for node in state}:
        return None
    tiers = ((TableTier.SEED, facts.seeds()), (TableTier.FOUNDATION, before), (TableTier.STATE, state))
    return tuple(Table(node.name, tier.value, node.unique_id) for tier, nodes in tiers for node in nodes)


def _carried(facts: ProjectFacts, study: ProjectStudy, yearly: tuple[NodeFacts, ...]) -> Iterator[str]:
    for source in facts.sources:
        if source.prior_year_of is not None:
            yield f"{source.prior_year_of}, through the source {source.source_name}.{source.name}"
    for node in yearly:
        text = study.of(node.unique_id)
        if text is None:
            continue
        if text.uses.this_at is not None:
            yield f"{node.name}, through `this` ({text.file}:{text.uses.this_at})"
        for name, line in text.uses.looked_up:
            other = facts.buildable(name)
            if other is not None and other.unique_id not in facts.ancestors([node.unique_id]):
                yield f"{other.name}, which {node.name} looks up ({text.file}:{line})"


def _unfilled(facts: ProjectFacts, yearly: tuple[NodeFacts, ...], stages: StageChoice) -> list[tuple[str, SourceFacts]]:
    """Return (stage, source) of the sources that years read first in that stage, and that nothing of dbt fills."""
    found: dict[str, tuple[str, SourceFacts]] = {}
    names = {node.unique_id: node.name for node in yearly}
    outside = _from_outside(facts)
    for stage in stages.stages:
        for source in outside:
            if source.unique_id in found:
                continue
            readers = {names.get(n.unique_id) for n in facts.nodes if source.unique_id in n.depends_on}
            if stage.command != "test" and readers & set(stage.nodes):
                found[source.unique_id] = (stage.name, source)
    return list(found.values())


def _unfilled_before(facts: ProjectFacts, before: list[NodeFacts]) -> Iterator[tuple[str, str, str]]:
    """Yield (source, table, reader) of what models before the first year read, and nothing of dbt fills."""
    for source in _from_outside(facts):
        reader = next((node.name for node in before if source.unique_id in node.depends_on), None)
        if reader is not None:
            yield _full_name(source), source.name, reader


def _from_outside(facts: ProjectFacts) -> list[SourceFacts]:
    builders = {node.relation for node in facts.nodes if node.builds}
    return [one for one in facts.sources if not (one.of_files or one.files or one.relation in builders)]


def _full_name(source: SourceFacts) -> str:
    return f"{source.source_name}.{source.name}"


def _unknown_values(
    chosen: YearCandidate, years: YearRange, facts: ProjectFacts, study: ProjectStudy, given: Mapping[str, object]
) -> Iterator[str]:
    if years.why_first is None:
        yield f"the first year: nothing gives {chosen.variable} a value, so {years.first} is this year (--years)"
    if years.why_last is None:
        yield f"the last year: {years.last} is assumed (--years)"
    known = {*given, chosen.variable, *years.opening, "start_year", "random_seed"}
    for name, place in valueless(facts, study):
        if name not in known:
            yield f"the value of {name} ({place}): write it under vars"


def _unknown_columns(column: str, study: ProjectStudy, yearly: tuple[NodeFacts, ...]) -> Iterator[str]:
    for node in yearly:
        text = study.of(node.unique_id)
        if node.resource_type != "model" or not keeps_rows(node) or text is None or column.lower() in text.uses.words:
            continue
        if node.appends:
            yield f"whether {node.name} has a column {column} ({node.file}): it appends, so it needs one"
        else:
            yield f"which year the rows of {node.name} are of ({node.file}): a year that is run again overwrites them"
    if not any(keeps_rows(node) for node in yearly):
        yield f"where years are kept: {plural(len(yearly), 'node')} of a year, and each replaces what was there before"


def _unknown_reads(
    yearly: tuple[NodeFacts, ...], study: ProjectStudy, unfilled: list[tuple[str, SourceFacts]]
) -> Iterator[str]:
    for node in yearly:
        if study.of(node.unique_id) is None:
            why = "it is switched off in the first year" if node.later_only else "it is Python"
            yield f"what {node.name} does with the year ({node.file}): {why}"
    for stage, source in unfilled:
        yield f"who fills {_full_name(source)}: if each year needs new rows there, add a hook before {stage}"
    computed = [node.name for node in yearly if ANY_VAR in node.vars and study.of(node.unique_id) is not None]
    if computed:
        yield f"which variables {_some(computed)} read{'s' if len(computed) == 1 else ''}: their names are computed"


def valueless(facts: ProjectFacts, study: ProjectStudy) -> tuple[tuple[str, str], ...]:
    """Return (name, place) of the variables that are read somewhere where nothing gives them a value."""
    declared = dict(facts.var_defaults)
    found: dict[str, str] = {}
    for text in study.texts:
        for read in text.uses.reads:
            if read.default is None and read.name not in declared and not text.from_package:
                found.setdefault(read.name, f"{text.file}:{read.line}")
    return tuple(found.items())


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
