"""What nodes reach beside the profile's own database: files they write, and databases that the profile attaches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.database.attachments import Attachment
from orchestrator.database.file_names import IN_MEMORY, database_in, is_a_file
from orchestrator.dbt_runner.project.every_node import every_node

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ManifestNode, SourceDefinition

EXTERNAL = "external"
LITERAL = re.compile("'([^']+)'")
DUCKDB = "duckdb"
SECRETS = ("key", "secret", "password", "token")
OWN_MACROS = ("materialization_external_duckdb", "external_location")


def external_file(
    node: ManifestNode, config: RuntimeConfig, cwd: Path, macros: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """Return the absolute path, or the URL, of what an external model writes, or else why it cannot be told.

    Both are None for a node that is no external model of dbt-duckdb. ``macros`` are the texts of the project's own.
    """
    if str(config.credentials.type) != DUCKDB or str(node.config.materialized) != EXTERNAL:
        return None, None
    location = node.config.get("location")
    deciding = OWN_MACROS if location is None else OWN_MACROS[:1]
    own = next((name for name in deciding if name in macros), None)
    if own is not None:
        return None, f"where its file lies is up to the project's own macro {own}"
    if location is None:
        root, options = config.credentials.external_root, node.config.get("options") or {}
        ending = "" if options.get("partition_by") is not None else f".{node.config.get('format') or 'parquet'}"
        location = f"{root}/{node.alias}{ending}"
    location = str(location)
    if "{{" in location or "{%" in location:
        return None, "where its file lies is only known while it runs"
    if not is_a_file(location):
        return location, None
    return str(cwd / Path(location).expanduser()), None


def source_files(source: SourceDefinition, config: RuntimeConfig, cwd: Path) -> tuple[str, ...]:
    """Return the paths, absolute and maybe with wildcards, that dbt-duckdb reads in place of a source's relation."""
    settings = {**source.meta, **source.config.extra}
    if str(config.credentials.type) != DUCKDB or "external_location" not in settings or "plugin" in settings:
        return ()
    from dbt.adapters.duckdb.relation import DuckDBRelation  # only where it is installed

    try:
        rendered = DuckDBRelation.create_from_source(config, source).external or ""
    except (KeyError, ValueError, TypeError):
        return ()  # dbt says so when it compiles what reads it
    return tuple(str(cwd / Path(text).expanduser()) for text in LITERAL.findall(rendered) if is_a_file(text))


def attachments(config: RuntimeConfig, cwd: Path) -> tuple[Attachment, ...]:
    """Return the databases that a DuckDB profile attaches, none for any other."""
    listed = getattr(config.credentials, "attach", None) if str(config.credentials.type) == DUCKDB else None
    found = []
    for one in listed or ():
        path = str(one.path)
        why = None
        if path.startswith(IN_MEMORY) or not is_a_file(path):
            why = "it is no file"
        elif one.type not in (None, DUCKDB):
            why = f"it is of type {one.type}"
        elif one.secret or any(word in str(key).lower() for key in one.options or {} for word in SECRETS):
            why = "it is attached with a secret"
        elif one.options and str(one.options.get("type", DUCKDB)).lower() != DUCKDB:
            why = f"it is of type {one.options['type']}"
        file = (cwd / Path(path).expanduser()).resolve()
        name = one.alias or (database_in(file) if why is None or why.startswith("it is of") else path)
        found.append(Attachment(str(name).lower(), None if why else file, why))
    return tuple(found)


def disabled(manifest: Manifest, types: Iterable[str]) -> tuple[str, ...]:
    """Return the unique ids of the disabled nodes of these types, in order."""
    wanted, enabled = set(types) - {"test"}, every_node(manifest)
    return tuple(
        unique_id
        for unique_id, nodes in sorted(manifest.disabled.items())
        if any(str(node.resource_type) in wanted for node in nodes) and unique_id not in enabled
    )
