"""Required tables of a run: as configured, or derived from the dbt project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import nearest
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.layouts import clash_error
from orchestrator.self_healing.foundation import members, selection, yearly_members
from orchestrator.self_healing.hook_tables import BY_HOOK, HookCall, with_hook_tables
from orchestrator.self_healing.initialization_state import RequiredTable, TableTier


def configured_tables(config: SimulationConfig) -> tuple[RequiredTable, ...] | None:
    """Return the list that is written in a configuration, None where it is left to the dbt project."""
    if config.required_tables == "auto":
        return None
    return tuple(
        RequiredTable(
            t.name,
            TableTier(t.tier),
            t.selector or t.name,
            t.min_rows,
            None if t.call is None else HookCall.of(t.call, config),
        )
        for t in config.required_tables
    )


def is_list(configured: Sequence[RequiredTable] | None) -> bool:
    """Tell whether the configuration names what dbt builds; tables of hooks alone are added to what is derived."""
    return configured is not None and any(table.tier is not TableTier.HOOK for table in configured)


def with_required(
    facts: ProjectFacts, configured: Sequence[RequiredTable] | None = None
) -> tuple[ProjectFacts, tuple[RequiredTable, ...]]:
    """Return the facts with a node for each table that a hook builds, and the required tables; else as below."""
    hooked = [(table.name, table.built_by, table.min_rows) for table in configured or () if table.built_by is not None]
    whole = with_hook_tables(facts, hooked)
    return whole, required_tables(whole, configured)


def required_tables(
    facts: ProjectFacts, configured: Sequence[RequiredTable] | None = None
) -> tuple[RequiredTable, ...]:
    """Return the required tables in tier order, parents before children.

    ``configured`` None, or of hook tables alone, derives them: every enabled seed; every model that a source's
    ``meta.prior_year_of`` names; without years, everything else that dbt builds, whatever its materialization is
    called; with years, of that what is foundation (:mod:`orchestrator.self_healing.foundation`), or, where the project
    does not say what that is, what no year writes. ``meta.min_rows`` of a node promises rows.

    Raises:
        ConfigurationError: a name that no node builds, a tier that does not fit it, a prior-year source that
            fits no model, or a node in the schema of the ledger.
    """
    _require_apart(facts)
    tables = [_with_node(table, facts) for table in configured or ()]
    if not is_list(configured):
        tables += _derived(facts)
    order = {tier: number for number, tier in enumerate(TableTier)}
    return tuple(sorted(tables, key=lambda table: order[table.tier]))


def _require_apart(facts: ProjectFacts) -> None:
    """Make sure that dbt builds nothing in the ledger's schema."""
    inside = [node.name for node in facts.nodes if node.resource_type != "test" and _in_ledger(node, facts)]
    if inside:
        raise clash_error(facts.ledger, f"this dbt project builds {', '.join(inside[:3])} in it")


def _in_ledger(node: NodeFacts, facts: ProjectFacts) -> bool:
    place, name = facts.ledger, node.relation
    same = not place.database or name.database == place.database.lower()
    return same and node.materialized != "ephemeral" and name.schema == place.schema.lower()


def node_of(table: RequiredTable, facts: ProjectFacts) -> NodeFacts:
    """Return the node that builds a required table.

    Raises:
        ConfigurationError: there is none.
    """
    if table.tier is TableTier.HOOK:
        node = facts.node(f"{BY_HOOK}.{facts.project_name}.{table.name}")
    else:
        node = facts.buildable(table.selector) or facts.buildable(table.name)
    if node is None:
        names = [n.name for n in facts.nodes if n.resource_type != "test"]
        near = nearest(table.name, names)
        hint = f" The nearest name is {near}." if near else ""
        kind = "seed file" if table.tier is TableTier.SEED else "model"
        by = "" if table.selector == table.name else f", and none called {table.selector!r}, its selector,"
        raise ConfigurationError(
            f"Required table {table.name}: no {kind} of that name{by} is in {facts.project_dir}.{hint}",
            to_fix=f"restore the {kind}, or correct the name in `required_tables`",
        )
    return node


def _derived(facts: ProjectFacts) -> list[RequiredTable]:
    tables = [_table(seed, TableTier.SEED) for seed in facts.seeds() if not seed.later_only]
    built = [node for node in facts.nodes if node.builds and not node.later_only]
    others = [node for node in built if node.resource_type not in ("seed", BY_HOOK)]
    state = state_models(facts)
    if facts.simulates:
        others = _foundation(facts, others, state)
    tables += [_table(node, TableTier.FOUNDATION) for node in others if node not in state]
    return tables + [_table(model, TableTier.STATE) for model in state]


def _foundation(facts: ProjectFacts, nodes: list[NodeFacts], state: list[NodeFacts]) -> list[NodeFacts]:
    """Return those of ``nodes`` that stand before the first year."""
    if selection(facts) is not None:
        yearly_ones = {one.node.unique_id for one in yearly_members(facts, state)}
        return [node for node in members(facts) if node.unique_id not in yearly_ones]
    yearly = {node.unique_id for node in nodes if node.uses_year}
    yearly |= facts.descendants(yearly)
    return [] if state else [node for node in nodes if node.unique_id not in yearly]


def state_models(facts: ProjectFacts) -> list[NodeFacts]:
    """Return the models whose tables a year reads as the year before left them.

    Raises:
        ConfigurationError: a source says so of what is no model, of another table, or of one without contract.
    """
    models: dict[str, NodeFacts] = {}
    for source in facts.sources:
        if source.prior_year_of is None:
            continue
        where = f"Source {source.source_name}.{source.name} ({source.file})"
        model = facts.buildable(source.prior_year_of)
        if model is None or model.resource_type != "model":
            near = nearest(source.prior_year_of, [m.name for m in facts.models()])
            hint = f", such as {near}" if near else ""
            raise ConfigurationError(
                f"{where}: meta.prior_year_of names {source.prior_year_of!r}, and no model of that name exists.",
                to_fix=f"name the model that writes the table{hint}",
            )
        if model.relation != source.relation:
            raise ConfigurationError(
                f"{where} reads {source.relation.quoted()}, but model {model.name}, which "
                f"meta.prior_year_of names, writes {model.relation.quoted()}.",
                to_fix="give the source the same database, schema and identifier as the model",
            )
        if not model.typed_by_contract and facts.capabilities.describe_sql is None:
            raise ConfigurationError(
                f"{where}: model {model.name} has no enforced contract with a data_type for every column, so "
                "its table cannot be created empty before the first year.",
                to_fix=f"set `contract: {{enforced: true}}` and every data_type on {model.name}",
            )
        models[model.unique_id] = model
    return list(models.values())


def _table(node: NodeFacts, tier: TableTier) -> RequiredTable:
    return RequiredTable(node.name, tier, node.unique_id, _promise(node))


def _promise(node: NodeFacts) -> int | None:
    if node.min_rows is not None:
        return node.min_rows
    return 1 if node.has_rows else None


def _with_node(table: RequiredTable, facts: ProjectFacts) -> RequiredTable:
    node = node_of(table, facts)
    if table.tier is TableTier.HOOK:
        return replace(table, selector=node.unique_id)
    if (node.resource_type == "seed") is not (table.tier is TableTier.SEED):
        raise ConfigurationError(
            f"Required table {table.name} is of tier {table.tier.value}, but {node.name} is a {node.resource_type}.",
            to_fix=f"give it tier {'seed' if node.resource_type == 'seed' else 'foundation or state'} in "
            "`required_tables`",
        )
    min_rows = table.min_rows if table.min_rows is not None else _promise(node)
    return RequiredTable(table.name, table.tier, table.selector, min_rows)
