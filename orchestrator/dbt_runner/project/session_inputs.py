"""What a session with the database takes from the environment: its time zone, above all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from orchestrator.database.capabilities import capabilities_of
from orchestrator.dbt_runner.project.environment import environment_values
from orchestrator.dbt_runner.project.every_node import every_node
from orchestrator.dbt_runner.project.input_kinds import VAR
from orchestrator.dbt_runner.project.profile_inputs import Pairs

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig
    from dbt.contracts.graph.manifest import Manifest

_ZONES = re.compile(
    r"timestamptz|timetz|time\s*zone|timezone|\bnow\s*\(|\bcurrent_(?:date|time)|\btoday\s*\(|localtime|_timestamp|\bread_|_scan\b|"
    r"\.(?:csv|tsv|parquet|json)|\bsession\b|epoch|strptime|%z",
    re.IGNORECASE,
)


def session_inputs(manifest: Manifest, config: RuntimeConfig, macros: Iterable[str]) -> Pairs:
    """Return the variables of the environment that are set and that the database's own library reads."""
    can = capabilities_of(str(config.credentials.type))
    names = list(can.session_variables)
    if can.zone_variable is not None and _has_zones(manifest, macros):
        names.append(can.zone_variable)
    return tuple((f"{VAR} {name}", value) for name, value in environment_values(n for n in names if os.environ.get(n)))


def _has_zones(manifest: Manifest, macros: Iterable[str]) -> bool:
    """Tell whether times with a zone may stand in the database: from SQL, from files or from sources."""
    nodes = [node for node in every_node(manifest).values() if str(node.resource_type) != "test"]
    texts = (f"{getattr(node, 'raw_code', '')} {node.config.to_dict()}" for node in nodes)
    return bool(manifest.sources) or any(_ZONES.search(text) for text in (*texts, *macros))
