"""Sources as inputs of the nodes that read them: their relation, or the files in whose place they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from jinja2 import Environment

from orchestrator.core.file_patterns import files_matching
from orchestrator.dbt_runner.analysis.named_files import NamedFiles
from orchestrator.dbt_runner.analysis.sql_parts import SqlParts
from orchestrator.dbt_runner.project.canonical import canonical, digest
from orchestrator.dbt_runner.project.input_kinds import SETTINGS_OF_SOURCE, SOURCE
from orchestrator.dbt_runner.project.profile_inputs import Pairs

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig
    from dbt.contracts.graph.nodes import SourceDefinition

LOCATION, PLUGIN = "external_location", "plugin"
_ALONE = re.compile(r"[^'(]+")


def source_inputs(source: SourceDefinition, config: RuntimeConfig, *, batched: bool) -> Pairs:
    """Return what a source stands for, the settings by which an adapter loads it, and its ``event_time``.

    By that dbt gives each batch of a microbatch model, which is ``batched``, its rows of the source.
    """
    name = f"{source.source_name}.{source.name}"
    place = f"{source.schema}.{source.identifier}"
    if source.database and source.database != config.credentials.database:
        place = f"{source.database}.{place}"
    location = external_location(source)
    found = [(f"{SOURCE} {name}", f"{place}{_quoted(source, config)}" if location is None else location)]
    settings = _settings(source)
    told: list[object] = [settings] if location is not None or is_loaded(source) else []
    if batched and source.config.event_time:
        column = next((one for one in source.columns.values() if one.name == source.config.event_time), None)
        told += [source.config.event_time, column is not None and column.quote, source.quoting.column]
    if told:
        found.append((f"{SETTINGS_OF_SOURCE} {name}", digest(canonical(told[0] if len(told) == 1 else told))[:16]))
    return tuple(found)


def _quoted(source: SourceDefinition, config: RuntimeConfig) -> str:
    """Tell which parts of a source's name are in quotes, and which not, where the adapter would have it otherwise."""
    from dbt.adapters.factory import get_relation_class_by_name  # dbt's, which is slow to import

    usual = get_relation_class_by_name(str(config.credentials.type)).get_default_quote_policy().to_dict()
    chosen = {**usual, **config.quoting, **source.quoting.to_dict(omit_none=True)}
    others = [f"{'quoted' if chosen[part] else 'unquoted'} {part}" for part in usual if chosen[part] != usual[part]]
    return f", {', '.join(others)}" if others else ""


def is_loaded(source: SourceDefinition) -> bool:
    """Tell whether a plugin of the adapter loads a source."""
    return PLUGIN in _settings(source)


def external_location(source: SourceDefinition) -> str | None:
    """Return the SQL or the path that dbt-duckdb puts in the place of a source, None where it is a relation."""
    settings = _settings(source)
    location = settings.get(LOCATION)
    if not isinstance(location, str):
        return None
    names = {"name": source.name, "identifier": source.identifier, "schema": source.schema, "database": source.database}
    known = {**names, "tags": source.tags, **settings}
    try:
        match settings.get("formatter", "newstyle"):
            case "newstyle":
                return location.format_map(known)
            case "oldstyle":
                return location % known
            case _:
                return Template(location).substitute(known)
    except (KeyError, ValueError, TypeError, IndexError):
        return location  # dbt will say so when it reads it


def source_files(source: SourceDefinition, environment: Environment, cwd: Path) -> frozenset[str]:
    """Return the files that a source stands for, and those that its settings name, as patterns."""
    named = files_in(_settings(source), cwd)
    location = external_location(source)
    if location is None:
        return named
    location = location.removeprefix("'").removesuffix("'")
    if _ALONE.fullmatch(location):
        return frozenset({location, *named}) if "://" not in location else named
    parts = SqlParts.of(environment, location)
    return NamedFiles.of(parts, lambda _: None, cwd).patterns | named


def source_parts(source: SourceDefinition) -> SqlParts | None:
    """Return the SQL in whose place a source stands, None where it stands for a relation or one file."""
    location = external_location(source)
    if location is None or _ALONE.fullmatch(location.removeprefix("'").removesuffix("'")):
        return None
    return SqlParts.of_texts([f"from {location}"], [])


def _settings(source: SourceDefinition) -> dict[str, object]:
    return {**source.source_meta, **source.meta, **source.config.meta, **source.config.extra}


def files_in(values: object, cwd: Path) -> frozenset[str]:
    """Return the texts in nested values, such as a ``meta``, that name files."""
    return frozenset(text for text in _texts(values) if _is_file(text, cwd))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _is_file(text: str, cwd: Path) -> bool:
    try:
        return (
            0 < len(text) < 1000
            and not (cwd / text).is_dir()
            and any(one.is_file() for one in files_matching(text, cwd))
        )
    except (OSError, ValueError):
        return False
