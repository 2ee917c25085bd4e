"""What the hooks of nodes say, seen where dbt renders them: statements alone do not tell which of them are hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dbt.context import providers


@contextmanager
def rendered_hooks(keep: Callable[[str, str], None]) -> Iterator[None]:
    """Call ``keep`` with the unique id of a node and the text of each of its hooks, as dbt renders them meanwhile.

    dbt renders hooks by a function of its context that nothing else of its own uses.
    """
    in_full = providers.get_rendered

    def rendering(string: str, context: dict[str, object], node: object = None) -> object:
        text = in_full(string, context, node)
        keep(str(getattr(node, "unique_id", "")), str(text))
        return text

    providers.get_rendered = rendering
    try:
        yield
    finally:
        providers.get_rendered = in_full
