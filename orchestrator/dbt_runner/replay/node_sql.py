"""The SQL of a node, and that of its hooks, as one text.

What decides the SQL of a node decides that of its hooks, and they are compiled, known and filled in together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

BORDER = "\0"  # stands in no SQL
HOOK_VERBS = frozenset(
    {
        "alter",
        "analyze",
        "comment",
        "create",
        "delete",
        "drop",
        "insert",
        "merge",
        "select",
        "truncate",
        "update",
        "with",
    }
)
"""What a hook may do, to be sent again: nothing that ends its transaction, or that its connection keeps."""
_COMMENTS = re.compile(r"(?:\s|/\*.*?\*/|--[^\n]*(?:\n|$))*", re.DOTALL)
_TEMPORARY = re.compile(r"create\s+(?:or\s+replace\s+)?(?:local\s+|global\s+)?temp(?:orary)?\b", re.IGNORECASE)


def joined(query: str, hooks: Iterable[str]) -> str:
    """Return a node's query and the texts of its hooks, in their order, as one text.

    >>> parts_of(joined("select 1", ["delete from a", ""]))
    ('select 1', ('delete from a', ''))
    """
    return BORDER.join((query, *(hook.strip() for hook in hooks)))


def parts_of(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return the query and the hooks of what :func:`joined` gave."""
    query, *hooks = sql.split(BORDER)
    return query, tuple(hooks)


def query_of(sql: str) -> str:
    """Return the query alone."""
    return sql.partition(BORDER)[0]


def doubt_of_hook(text: str) -> str | None:
    """Return why the statements of a hook cannot be sent again, None where they can.

    >>> doubt_of_hook("/* x */ delete from a; insert into a select 1;"), doubt_of_hook("create temp table b (c int)")
    (None, 'it makes something temporary')
    >>> doubt_of_hook("delete from a; commit")
    'it sends COMMIT'
    """
    for statement in text.split(";"):  # one within quotes is taken apart too, which makes no verb of its own
        body = statement[_COMMENTS.match(statement).end() :]  # type: ignore[union-attr]  # it may match nothing
        verb = re.split(r"[^\w]", body, maxsplit=1)[0].lower()
        if body and verb not in HOOK_VERBS:
            return f"it sends {verb.upper() or body[:20]}"
        if _TEMPORARY.match(body):
            return "it makes something temporary"
    return None
