"""Required tables that a function of the user's builds: part of the project's graph like what dbt builds."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import nearest
from orchestrator.database.names import RelationName
from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.project.canonical import digest
from orchestrator.dbt_runner.project.edges import connected
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.input_kinds import HOOK

BY_HOOK = "hook"
"""The resource type, and the materialization, of a table that a function builds."""


@dataclass(frozen=True)
class HookCall:
    """A function that builds a table: ``call`` names it, ``code`` is the checksum of its module's file.

    ``inputs`` are all variables, as (name, JSON of the value): which of them it reads cannot be told.
    """

    call: str
    code: str
    inputs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, call: str, config: SimulationConfig) -> HookCall:
        """Take what is known of a function without importing it."""
        year = None if config.simulation is None else config.simulation.year_var
        values = {name: value for name, value in config.dbt_vars().items() if name != year}
        code = checksum_of_module(call, config.root)
        return cls(call, code, tuple((name, json.dumps(value)) for name, value in sorted(values.items())))


def checksum_of_module(call: str, root: Path) -> str:
    """Return the checksum of the file of a function that is written package.module:function, without importing it."""
    file = _module_file(call.partition(":")[0], root)
    return "unknown" if file is None else digest(file.read_text(encoding="utf-8", errors="replace"))


def _module_file(module: str, root: Path) -> Path | None:
    """Return the file of a module, of the project root or else of an installed package; None where there is none."""
    top, *below = module.split(".")
    folders = [root]
    if not (root / top).is_dir() and not (root / f"{top}.py").is_file():
        found = importlib.util.find_spec(top)  # of the outermost name alone: it imports nothing
        if found is None:
            return None
        if not below and found.origin is not None and Path(found.origin).is_file():
            return Path(found.origin)
        folders = [Path(place).parent for place in found.submodule_search_locations or ()]
    places = [folder.joinpath(top, *below) for folder in folders]
    files = [file for place in places for file in (place.with_name(f"{place.name}.py"), place / "__init__.py")]
    return next((file for file in files if file.is_file()), None)


def with_hook_tables(facts: ProjectFacts, tables: Iterable[tuple[str, HookCall, int | None]]) -> ProjectFacts:
    """Return the facts with a node for each table that a function builds; what reads it is below it.

    ``tables`` are (name, function, fewest rows).

    Raises:
        ConfigurationError: the project has no source of that name, or builds the table itself.
    """
    made = [_node(*table, facts) for table in tables]
    return replace(facts, nodes=connected((*made, *facts.nodes), facts.sources)) if made else facts


def _node(name: str, call: HookCall, min_rows: int | None, facts: ProjectFacts) -> NodeFacts:
    relation = _relation(name, facts)
    builder = next((node for node in facts.nodes if node.builds and node.relation == relation), None)
    if builder is not None:
        raise ConfigurationError(
            f"Required table {name} is of tier hook, but {builder.resource_type} {builder.name} ({builder.file}) "
            "builds it.",
            to_fix="take it out of `required_tables`, or give it the tier of what builds it",
        )
    return NodeFacts(
        unique_id=f"{BY_HOOK}.{facts.project_name}.{name}",
        name=name,
        resource_type=BY_HOOK,
        fqn=(BY_HOOK, name),
        file=call.call,
        database=relation.database,
        schema=relation.schema,
        identifier=relation.name,
        materialized=BY_HOOK,
        tags=(),
        checksum=call.code,
        columns=(),
        contract=False,
        depends_on=(),
        min_rows=min_rows,
        summary=False,
        labels=(),
        has_rows=None,
        appends=False,
        full_refresh=False,
        writes_other_years=False,
        code=((f"{HOOK} {call.call}", call.code),),
        inputs=call.inputs,
        uses_year=False,
        prints_year=False,
        reuse_blocker=None,
        vars=(ANY_VAR,),
    )


def _relation(name: str, facts: ProjectFacts) -> RelationName:
    """Return what a name of the list stands for: a source of the project, or schema and table."""
    named = [
        source
        for source in facts.sources
        if name.lower() in (source.name.lower(), f"{source.source_name}.{source.name}".lower(), source.unique_id)
    ]
    relations = {source.relation for source in named}
    if len(relations) == 1:
        return relations.pop()
    schema, dot, table = name.rpartition(".")
    if not relations and dot and "." not in schema:
        return RelationName.of(facts.ledger.database, schema, table)
    if relations:
        which = " and ".join(f"{source.source_name}.{source.name}" for source in named)
        raise ConfigurationError(
            f"Required table {name}: {which} are sources of that name.",
            to_fix="write the one with its source before it",
        )
    near = nearest(name, [source.name for source in facts.sources])
    raise ConfigurationError(
        f"Required table {name} is of tier hook, and no source of that name is in {facts.project_dir}"
        + (f"; the nearest is {near}." if near else "."),
        to_fix=f"declare it as a source, so that models can read it, or write it with its schema, such as main.{name}",
    )
