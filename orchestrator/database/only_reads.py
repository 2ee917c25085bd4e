"""Statements of DuckDB that do nothing but read, told by DuckDB's own parser: by permission, node by node.

A common table expression of DuckDB 2 may be a COPY, INSERT, UPDATE or DELETE, and DuckDB lets it write the files of the
databases that it has open, whatever else it is forbidden.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

READING_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
RUNS_SQL = frozenset({"query"})
WRITING_WORDS = frozenset(
    [
        *("alter", "analyze", "attach", "call", "checkpoint", "copy", "create", "delete", "detach", "drop", "execute"),
        *("export", "import", "insert", "install", "load", "merge", "pragma", "prepare", "query", "reset", "set"),
        *("truncate", "update", "use", "vacuum"),
    ]
)
"""Words that a statement whose tree DuckDB does not give may not hold, but as names in quotes."""
_EXPLAIN = re.compile(r"\s*explain\b\s*(?:analyze\b\s*)?(?:\([^()]*\)\s*)?", re.IGNORECASE)
_WORD = re.compile(r"[a-z_]+", re.IGNORECASE)


def writes(statement: duckdb.Statement) -> str | None:
    """Return what a statement holds that does more than to read, or may do so; None where it provably only reads."""
    import duckdb  # slow to import

    text = str(statement.query)
    kind = statement.type.name
    if kind == "EXPLAIN":
        explain = _EXPLAIN.match(_without_comments(text))
        inner = [] if explain is None else duckdb.extract_statements(_without_comments(text)[explain.end() :])
        return writes(inner[0]) if len(inner) == 1 and inner[0].type.name != "EXPLAIN" else "explain"
    if kind == "MULTI":
        return next((word for word in _words(text) if word in WRITING_WORDS), None)
    if kind != "SELECT":
        return kind
    with duckdb.connect() as connection:
        row = connection.execute("select json_serialize_sql(?)", [text]).fetchone()
    tree = json.loads(row[0]) if row is not None else {"error": True}
    if tree["error"]:
        return next((word for word in _words(text) if word in WRITING_WORDS), "what cannot be told")
    return next(_writing(tree), None)


def _writing(tree: object) -> Iterator[str]:
    if isinstance(tree, dict):
        node = tree.get("type")
        if isinstance(node, str) and node.endswith("_NODE") and node not in READING_NODES:
            yield node.partition("_")[0].lower()
        function = tree.get("function_name")
        if isinstance(function, str) and function.lower() in RUNS_SQL:
            yield f"{function}()"
        for part in tree.values():
            yield from _writing(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from _writing(part)


def _words(text: str) -> Iterator[str]:
    """Yield the words of a statement that are no names in quotes, texts or comments, in small letters."""
    import duckdb

    for start, kind in duckdb.tokenize(text):
        if kind.name in ("keyword", "identifier") and (word := _WORD.match(text, start)) is not None:
            yield word[0].lower()


def _without_comments(text: str) -> str:
    return re.sub(r"^(?:\s+|--[^\n]*\n|/\*.*?\*/)+", "", text, flags=re.DOTALL)
