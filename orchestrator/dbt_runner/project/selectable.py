"""What selectors of dbt can name although dbt does not build it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import Exposure, Metric, SavedQuery, SemanticModel

from orchestrator.dbt_runner.project.selectable_facts import Selectable

_Reader: TypeAlias = Exposure | Metric | SemanticModel | SavedQuery


def selectable(manifest: Manifest) -> tuple[Selectable, ...]:
    """Return the sources, exposures, metrics, semantic models and saved queries of a manifest, by kind and name."""
    readers: dict[str, _Reader] = {
        **manifest.exposures,
        **manifest.metrics,
        **manifest.semantic_models,
        **manifest.saved_queries,
    }
    found = [
        Selectable(one.resource_type.value, one.name, _tags(one), tuple(sorted(_nodes_read(unique_id, readers))))
        for unique_id, one in readers.items()
    ]
    found += [
        Selectable("source", f"{one.source_name}.{one.name}", _tags(one), ()) for one in manifest.sources.values()
    ]
    return tuple(sorted(found))


def _nodes_read(unique_id: str, readers: Mapping[str, _Reader]) -> set[str]:
    """Return the nodes that a reader reads, itself or by way of others: a metric goes by a semantic model."""
    found: set[str] = set()
    pending, seen = [unique_id], {unique_id}
    while pending:
        for read in readers[pending.pop()].depends_on_nodes:
            if read in readers and read not in seen:
                pending.append(read)
            elif read not in readers:
                found.add(read)
            seen.add(read)
    return found


def _tags(one: object) -> tuple[str, ...]:
    own, configured = getattr(one, "tags", None), getattr(getattr(one, "config", None), "tags", None)
    listed = [tag for tags in (own, configured) for tag in ([tags] if isinstance(tags, str) else tags or ())]
    return tuple(sorted({str(tag) for tag in listed}))
