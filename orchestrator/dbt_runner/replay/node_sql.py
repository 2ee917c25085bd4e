"""The SQL of a node, and that of its hooks, as one text; and what a hook may say, to be sent again.

What decides the SQL of a node decides that of its hooks, and they are compiled, known and filled in together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set

BORDER = "\0"  # stands in no SQL
HOOK_VERBS = frozenset(
    ("analyze", "comment", "create", "delete", "insert", "merge", "select", "truncate", "update", "with")
)
"""What a hook may do: nothing that ends its transaction, that its connection keeps, or that changes what is built."""
_APART = re.compile(
    r"""(?P<comment>/\*.*?\*/|--[^\n]*)"""
    r"""|e'(?:\\.|''|[^'\\])*'|'(?:''|[^'])*'|(?P<name>"(?:""|[^"])*")|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$""",
    re.DOTALL | re.IGNORECASE,
)
_TEMPORARY = re.compile(r"create\s+(?:or\s+replace\s+)?(?:local\s+|global\s+)?temp(?:orary)?\b", re.IGNORECASE)
_INDEX = re.compile(r"create\s+(?:unique\s+)?index\b", re.IGNORECASE)
_MADE = re.compile(r"create\s+(?:or\s+replace\s+)?\w+\s+(?:if\s+not\s+exists\s+)?([\w.]+)")
_SEQUENCE = re.compile(r"\b(?:nextval|sequence)\b", re.IGNORECASE)


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


def doubt_of_hook(text: str, built: Set[str] = frozenset()) -> str | None:
    """Return why the statements of a hook cannot be sent again, None where they can.

    ``built`` are the names, in lower case, of what the nodes of its command build: dbt looks at these after hooks ran.

    >>> doubt_of_hook("/* x */ delete from a; insert into a select ';';")
    >>> doubt_of_hook("create /* x */ temp table b (c int)")
    'it makes something temporary'
    >>> doubt_of_hook("delete from a; commit"), doubt_of_hook("create table stock (c int)", {"stock"})
    ('it sends COMMIT', 'it makes stock, which the stage may build')
    """
    if any("/*" in comment[2:] for comment in _comments(text)):
        return "it has a comment within a comment"
    for statement in _bare(text).split(";"):
        body = statement.strip()
        verb = re.split(r"\W", body, maxsplit=1)[0].lower()
        if body and verb not in HOOK_VERBS:
            return f"it sends {verb.upper() or body[:20]}"
        if _TEMPORARY.match(body):
            return "it makes something temporary"
        if _SEQUENCE.search(body):
            return "it uses a sequence, which no transaction takes back"
        made = _MADE.match(body.lower())
        if verb == "create" and not _INDEX.match(body) and (made is None or made[1].split(".")[-1] in built):
            return f"it makes {'something unknown' if made is None else made[1]}, which the stage may build"
    return None


def counts_up(text: str) -> bool:
    """Tell whether a statement asks a sequence for its next number."""
    return _SEQUENCE.search(_bare(text)) is not None


def _comments(text: str) -> Iterator[str]:
    return (found["comment"] for found in _APART.finditer(text) if found["comment"] is not None)


def _bare(text: str) -> str:
    """Return a text without its comments and with nothing in its quotes, but for names."""

    def kept(found: re.Match[str]) -> str:
        if found["comment"] is not None:
            return " "
        return re.sub(r"\W", "_", found["name"][1:-1]) if found["name"] is not None else "''"

    return _APART.sub(kept, text)
