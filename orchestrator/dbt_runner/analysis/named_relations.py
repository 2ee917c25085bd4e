"""Relations that SQL reads by their plain names, so that dbt knows of no edge: tables written out, the catalog."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from orchestrator.dbt_runner.analysis.lexed_template import GAP
from orchestrator.dbt_runner.analysis.sql_parts import END, NAME, SqlParts

CATALOG = "the catalog of the database"
LOOKED_UP = "relations that its Jinja looks up"
NOT_BY_NAME = frozenset([CATALOG, LOOKED_UP])
_IDENTIFIER = rf"(?:{NAME}[^{NAME}\n]++{NAME}|(?:[A-Za-z_]|{GAP}\d+{GAP})(?:\w|{GAP}\d+{GAP})*+)"
_RELATION = re.compile(rf"{_IDENTIFIER}(?:\s*\.\s*{_IDENTIFIER}){{0,2}}+")
_FROM = re.compile(r"(?<!distinct )(?<!delete )\b(?:from|join|pivot|summarize|describe)\b\s*", re.IGNORECASE)
_ALIAS = re.compile(rf"\s+(?:as\s+)?({_IDENTIFIER})(?:\s*\([^()]*\))?", re.IGNORECASE)
_CALL = re.compile(r"\s*\(")
_PARENTHESIS = re.compile(r"[()]")
_COMMA = re.compile(r"\s*,\s*")
_CTE = re.compile(
    rf"({_IDENTIFIER})\s*(?:\([^()]*\)\s*)?(?:using\s+key\s*\([^()]*\)\s*)?\bas\s+(?:(?:not\s+)?materialized\s+)?\(",
    re.IGNORECASE,
)
_MADE = re.compile(rf"\b(?:table|view)\s+(?:if\s+not\s+exists\s+)?({_IDENTIFIER})\s+as\b", re.IGNORECASE)
_SQL = re.compile(r"\b(?:select|with|insert|create|merge|update|delete)\b[^;]*\bfrom\b|^\s*from\b", re.IGNORECASE)
_TAKES_FROM = re.compile(r"\b(?:extract|trim|ltrim|rtrim|substring|overlay|position)\s*\([^()]*$", re.IGNORECASE)
_CATALOG_NAME = re.compile(r"information_schema|pg_catalog|duckdb_\w+|sqlite_\w+|pg_\w+", re.IGNORECASE)
_CATALOG_CALL = re.compile(
    r"\b(?:duckdb_(?:tables|columns|views|indexes|schemas|databases|constraints|settings|functions)|pragma_\w+)\s*\(",
    re.IGNORECASE,
)
_LOOKS_UP = re.compile(r"\b(?:get_relation|Relation\.create|list_relations\w*|get_relations_by_\w+)\((?!this\.)")
_VARIABLE = re.compile(r"""(?:var|env_var)\(["'](\w+)["']""")
_GAP = re.compile(f"{GAP}(\\d+){GAP}")
_NO_RELATION = frozenset(
    ["select", "lateral", "unnest", "values", "with", "where", "the", "a", "an", "this", "each", "only", "dual", "set"]
)
_ENDS = frozenset(
    [
        *(
            "where",
            "group",
            "order",
            "having",
            "limit",
            "union",
            "intersect",
            "except",
            "join",
            "left",
            "right",
            "full",
        ),
        *("inner", "cross", "natural", "on", "using", "qualify", "window", "select", "asof", "positional", "semi"),
        *("anti", "tablesample", "pivot", "unpivot", "offset", "fetch", "for", "returning", "set", "when", "outer"),
    ]
)


def relations_read(parts: Iterable[SqlParts], beside: Iterable[str] = ()) -> frozenset[str]:
    """Return the relations that templates read without ``ref`` or ``source``, in words.

    ``beside`` are names that stand for something else, such as variables of Python.

    >>> from jinja2 import Environment
    >>> sql = "with a as (select 1) select extract(year from b) from a join main.rates r on true, {{ ref('c') }}"
    >>> relations_read([SqlParts.of(Environment(), sql)])
    frozenset({'main.rates'})
    """
    known = {name.lower() for name in beside}
    listed = list(parts)
    for one in listed:
        known.update(name.strip(NAME).lower() for name in (*_CTE.findall(one.marked), *_MADE.findall(one.marked)))
    found: set[str] = set()
    for one in listed:
        if _LOOKS_UP.search(one.jinja):
            found.add(LOOKED_UP)
        if _CATALOG_CALL.search(one.marked):
            found.add(CATALOG)
        for number, statement in enumerate(one.marked.split(END)):
            if number == 0 or _SQL.search(statement):
                found.update(_named(statement, one.expressions, known))
    return frozenset(found)


def _named(sql: str, expressions: tuple[str, ...], known: set[str]) -> Iterator[str]:
    for start in _FROM.finditer(sql):
        if _TAKES_FROM.search(sql, max(0, start.start() - 200), start.start()):
            continue
        for relation in _items(sql, start.end()):
            name = _told(relation, expressions)
            first = name.partition(".")[0].lower()
            if not name or first in _NO_RELATION or (name.lower() in known):
                continue
            yield CATALOG if _CATALOG_NAME.match(name) else name


def _items(sql: str, start: int) -> Iterator[str]:
    """Yield the relations of one FROM: they may stand in parentheses and be several, with commas between them."""
    aliases: set[str] = set()
    while True:
        while sql[start : start + 1] in ("(", " ", "\n"):
            start += 1
        relation = _RELATION.match(sql, start)
        if relation is None:
            return
        first = relation[0].partition(".")[0].strip(NAME).lower()
        start = relation.end()
        call = _CALL.match(sql, start)
        if call is not None:
            start = _end_of_call(sql, call.end())
        elif first not in aliases:
            yield relation[0]
        alias = _ALIAS.match(sql, start)
        if alias is not None and alias[1].lower() not in _ENDS:
            start = alias.end()
            aliases.add(alias[1].strip(NAME).lower())
        comma = _COMMA.match(sql, start)
        if comma is None:
            return
        start = comma.end()


def _end_of_call(sql: str, start: int) -> int:
    depth = 1
    for parenthesis in _PARENTHESIS.finditer(sql, start):
        depth += 1 if parenthesis[0] == "(" else -1
        if depth == 0:
            return parenthesis.end()
    return len(sql)


def _told(relation: str, expressions: tuple[str, ...]) -> str:
    """Return the name with ``*`` for what is printed into it, "" where all of it is: a ``ref``, usually."""
    whole = _GAP.fullmatch(relation)
    if whole is not None:
        variable = _VARIABLE.match(expressions[int(whole[1])])
        return "" if variable is None else f"the relation that {variable[1]} names"
    name = _GAP.sub("*", relation).replace(NAME, "").replace(" ", "")
    return name if name.strip("*._0123456789") else ""
