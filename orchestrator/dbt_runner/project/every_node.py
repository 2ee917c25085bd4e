"""All nodes of a manifest: dbt keeps its functions apart from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ManifestNode


def every_node(manifest: Manifest) -> dict[str, ManifestNode]:
    """Return all that dbt can run by unique id, in the order of the manifest, functions last."""
    return {**manifest.nodes, **manifest.functions}
