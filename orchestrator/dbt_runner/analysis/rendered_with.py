"""Jinja that dbt renders along with a node: its hooks, and the arguments of a generic test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbt.contracts.graph.nodes import ManifestNode

TEST_ARGUMENTS = "_dbt_generic_test_kwargs"
_LOOKS_LIKE_CALL = re.compile(r"^\s*(env_var|ref|var|source|doc)\s*\(.+\)\s*$")  # as dbt itself tells them


def rendered_with(node: ManifestNode) -> str:
    """Return the Jinja, from YAML or config(), rendered along with a node: hooks, header, arguments of a test."""
    config = node.config  # of a test, it knows no hooks
    hooks = [hook.sql for kind in ("pre_hook", "post_hook") for hook in getattr(config, kind, ())]
    header = config.get("sql_header") if hasattr(config, "get") else None
    hooks += [header] if isinstance(header, str) else []
    metadata = getattr(node, "test_metadata", None)  # generic tests have it
    arguments = [] if metadata is None else list(_texts(metadata.kwargs))
    arguments = [f"{{{{ {text} }}}}" if _LOOKS_LIKE_CALL.match(text) else text for text in arguments]
    return "".join(f"{hook}\n;\n" for hook in hooks) + "".join(
        f"{{% set {TEST_ARGUMENTS} %}}{text}{{% endset %}}" for text in arguments
    )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
