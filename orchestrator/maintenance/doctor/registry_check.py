"""Checks of what the configuration asks for against what the dbt project has: required tables, tags, selectors."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError, OrchestratorError
from orchestrator.core.text import plural
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.variables import require_variables_fit
from orchestrator.maintenance.doctor.diagnosis import (
    Diagnosis,
    Status,
    check_passed,
    from_error,
    problem_found,
    worth_noting,
)
from orchestrator.pipeline.hook_tables import hook_table_functions
from orchestrator.pipeline.selectors import has_flags, no_match
from orchestrator.pipeline.unbuilt import without_stage
from orchestrator.pipeline.workflow import SimulationPlan
from orchestrator.pipeline.year_variable import require_year_read
from orchestrator.self_healing.foundation import FOUNDATION_TAG, yearly_members
from orchestrator.self_healing.initialization_state import RequiredTable, TableTier
from orchestrator.self_healing.left_out import IN_NO_STAGE, NOT_BY_RUN, left_out
from orchestrator.self_healing.registry import (
    configured_tables,
    is_list,
    node_of,
    required_tables,
    state_models,
    with_required,
)


def check_registry(config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts) -> list[Diagnosis]:
    """Look for required tables that no node builds, forgotten ones, and selectors that match nothing."""
    found: list[Diagnosis] = []
    derived: tuple[RequiredTable, ...] = ()
    try:
        derived = required_tables(facts)
    except ConfigurationError as error:
        found.append(from_error("registry", error))
    configured = configured_tables(config)
    try:
        hook_table_functions(config)
        facts, _ = with_required(facts, [table for table in configured or () if table.built_by is not None])
    except ConfigurationError as error:
        found.append(from_error("registry", error))
    if configured is not None and is_list(configured):
        found += _listed(config, configured, runner, facts)
        found += _forgotten(config, configured, derived, facts)
    elif not found:
        found += _of_the_years(facts)
    selected = _stages(config, runner)
    found += selected
    if all(one.status is not Status.PROBLEM for one in selected):
        found += _unbuilt(config, runner, facts, derived)
    for require in (require_year_read, require_variables_fit):
        try:
            require(config, facts)
        except ConfigurationError as error:
            found.append(from_error("registry", error))
    if any(one.status is Status.PROBLEM for one in found):
        return found
    tables = len(configured or ()) + (0 if is_list(configured) else len(derived))
    stages = f", {plural(len(config.stages), 'stage')} with nodes" if config.stages else ""
    return [
        check_passed(
            "registry",
            f"{plural(tables, 'required table')} with a node to build {'each' if tables != 1 else 'it'}{stages}",
        ),
        *found,
    ]


def _of_the_years(facts: ProjectFacts) -> list[Diagnosis]:
    """Return what is named as foundation and is built by the years all the same."""
    remedy = "take it out of the selection, or let it not read the year"
    return [
        worth_noting("registry", one.why, subject=f"{one.node.resource_type} {one.node.name}", remedy=remedy)
        for one in yearly_members(facts, state_models(facts))
    ]


def _listed(
    config: SimulationConfig, configured: Sequence[RequiredTable], runner: DbtRunner, facts: ProjectFacts
) -> list[Diagnosis]:
    found = []
    for number, table in enumerate(configured):
        subject = f"required table {table.name}"
        where = config.origin_of("required_tables", number)
        if table.tier is TableTier.HOOK:
            continue
        try:
            node_of(table, facts)
        except ConfigurationError as error:
            found.append(from_error("registry", error, subject=subject))
            continue
        if table.selector == table.name:
            continue
        trouble = _matches_nothing(runner, "build", (table.selector,), config)
        if trouble is not None:
            remedy = f"correct its selector ({where}), or take it out: {table.name} is found by its name"
            found.append(problem_found("registry", f"selector {trouble}", remedy, subject=subject))
    return found


def _forgotten(
    config: SimulationConfig,
    configured: Sequence[RequiredTable],
    derived: Sequence[RequiredTable],
    facts: ProjectFacts,
) -> list[Diagnosis]:
    """Return the tables that the project itself says a run needs and the written list, which is right, leaves out."""
    listed = set()
    for table in configured:
        node = facts.buildable(table.selector) or facts.buildable(table.name)
        if node is not None:
            listed.add(node.unique_id)
    found = []
    for table in derived:
        node = node_of(table, facts)
        if node.unique_id in listed:
            continue
        if table.tier is TableTier.STATE:
            why = "is read by the year after it (meta.prior_year_of of a source)"
        elif FOUNDATION_TAG in node.tags:
            why = f"is tagged {FOUNDATION_TAG}"
        else:
            continue
        detail = f"{why} and is not in required_tables, so nothing checks or heals it"
        remedy = (
            f"where that is not meant, add {{name: {table.name}, tier: {table.tier.value}}} to required_tables "
            f"({config.origin_of('required_tables')})"
        )
        found.append(worth_noting("registry", detail, subject=f"model {table.name}", remedy=remedy))
    return found


def _unbuilt(
    config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts, derived: Sequence[RequiredTable]
) -> list[Diagnosis]:
    """Return the models of the years that no stage selects in any year, and what no stage with ``build`` does."""
    if config.simulation is None or not config.stages:
        return []
    years = config.years() if facts.has_branches else config.years()[:2]
    plan = SimulationPlan.of(config, years[0], years[-1])
    try:
        ids = {one for year, stage in plan for one in runner.select(stage.command, stage.select, config.dbt_vars(year))}
    except OrchestratorError:
        return []  # told of the stage
    names = {node.name for one in ids if (node := facts.node(one)) is not None}
    required = {node_of(table, facts).unique_id for table in derived}

    def told(but: set[str], why: str, subject: str, remedy: str) -> list[Diagnosis]:
        left = without_stage(left_out(facts, but, listed=False), names, config=config, facts=facts, years=years)
        nodes = [one for one in left if one.why == why]
        return [worth_noting("registry", why, subject=f"{subject} {one.name}", remedy=remedy) for one in nodes]

    matched = "`orchestrator plan` lists what each stage matches"
    return [
        *told(set(), IN_NO_STAGE, "model", f"add it to the `select` of a stage; {matched}"),
        *told(required, NOT_BY_RUN, "node", f"let a stage with `command: build` select it; {matched}"),
    ]


def _stages(config: SimulationConfig, runner: DbtRunner) -> list[Diagnosis]:
    found = []
    for number, stage in enumerate(config.stages):
        subject = f"stage {stage.name}"
        where = config.origin_of("stages", number, "select")
        trouble = _matches_nothing(runner, stage.command, stage.select, config)
        if trouble is not None:
            remedy = f"correct its `select` ({where}); `orchestrator plan` lists what each stage matches"
            found.append(problem_found("registry", trouble, remedy, subject=subject))
            continue
        for selector in stage.select if len(stage.select) > 1 else ():
            trouble = _matches_nothing(runner, stage.command, (selector,), config)
            if trouble is not None:
                found.append(worth_noting("registry", f"{trouble}; its other selectors do", subject=subject))
    return found


def _matches_nothing(runner: DbtRunner, command: str, select: tuple[str, ...], config: SimulationConfig) -> str | None:
    """Say that dbt finds no node for a selection, or refuses it; None when it finds one."""
    try:
        if runner.select(command, select, dict(config.dbt_vars())):
            return None
    except OrchestratorError as error:
        if has_flags(select):
            return None  # as in :mod:`orchestrator.pipeline.selectors`
        return f"{' '.join(select)} is refused by dbt: {' '.join(error.message.split())}"
    return no_match(command, select)
