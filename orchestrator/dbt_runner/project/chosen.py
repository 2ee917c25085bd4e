"""The nodes that a selection in dbt's own language chooses, worked out from the manifest alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.core.errors import ConfigurationError

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def chosen_nodes(manifest: Manifest, select: tuple[str, ...], key: str) -> tuple[str, ...]:
    """Return the unique ids of what a selection matches, in order; ``key`` names it in the configuration.

    Raises:
        ConfigurationError: dbt refuses the selection.
    """
    from dbt.compilation import Linker  # what reads facts alone needs no dbt
    from dbt.graph import Graph, NodeSelector, parse_difference
    from dbt_common.exceptions import DbtRuntimeError

    words = tuple(word for text in select for word in text.split())
    linker = Linker()
    linker.link_graph(manifest)
    try:
        selection = parse_difference(list(words), [])
        found, _ = NodeSelector(Graph(linker.graph), manifest).select_nodes(selection, warn_on_no_nodes=False)
    except DbtRuntimeError as error:
        raise ConfigurationError(
            f"{key}: {' '.join(words)} is refused by dbt: {' '.join(str(error).split())}",
            to_fix="write it as `dbt ls --select` takes it",
        ) from error
    return tuple(sorted(found))
