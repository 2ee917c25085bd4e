"""Relations that SQL reads by their plain names, so that dbt knows of no edge: tables written out, the catalog."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from orchestrator.dbt_runner.analysis.lexed_template import GAP
from orchestrator.dbt_runner.analysis.named_files import DATA_FILE
from orchestrator.dbt_runner.analysis.relation_parameters import relation_parameters
from orchestrator.dbt_runner.analysis.sql_parts import END, NAME, SqlParts

CATALOG = "the catalog of the database"
LOOKED_UP = "relations that its Jinja looks up"
COMPUTED = "relations whose names are computed"
NOT_BY_NAME = frozenset([CATALOG, LOOKED_UP, COMPUTED])
_IDENTIFIER = rf"(?:{NAME}[^{NAME}\n]++{NAME}|(?:[A-Za-z_]|{GAP}\d+{GAP})(?:\w|{GAP}\d+{GAP})*+)"
_RELATION = re.compile(rf"{_IDENTIFIER}(?:\s*\.\s*{_IDENTIFIER}){{0,2}}+")
_BEFORE_ITEM = re.compile(
    rf"(?:\s|\((?!\s*(?:select|with|values|from|table|pivot|unpivot|describe|summarize|show)\b)|"
    rf"{_IDENTIFIER}\s*:(?!:)|lateral\b)*",
    re.IGNORECASE,
)
_SUBQUERY = re.compile(r"\(")
_ALIAS = re.compile(rf"\s+(?:as\s+)?({_IDENTIFIER})", re.IGNORECASE)
_NOT_FROM = re.compile(r"\b(?:distinct|delete)\s+from\b", re.IGNORECASE)
_FROM = re.compile(
    rf"(?<![{NAME}.\w])(?:from|join|pivot(?:_wider|_longer)?|unpivot|summarize|describe|(?:(?<=[(;])|\A)\s*table|"
    r"(?<=union|e all)\s+table|merge\s+into\s[^;]*?\busing)\b\s*",
    re.IGNORECASE,
)
_CALL = re.compile(r"\s*\(")
_TOKEN = re.compile(
    r"[(),;]|\b(?:where|group|order|having|limit|union|intersect|except|qualify|window|select|returning|offset|from)\b",
    re.IGNORECASE,
)
_CTE = re.compile(
    rf"({_IDENTIFIER})\s*(?:\([^()]*\)\s*)?(?:using\s+key\s*\([^()]*\)\s*)?\bas\s+(?:(?:not\s+)?materialized\s+)?\(",
    re.IGNORECASE,
)
_MADE = re.compile(rf"\b(?:table|view)\s+(?:if\s+not\s+exists\s+)?({_IDENTIFIER})\s+as\b", re.IGNORECASE)
_SQL = re.compile(
    r"\b(?:select|with|insert|create|merge|update|delete)\b[^;]*\bfrom\b|^\s*(?:from|table|summarize|describe|unpivot|pivot)\b",
    re.IGNORECASE,
)
_TAKES_FROM = re.compile(r"\b(?:extract|trim|ltrim|rtrim|substring|overlay|position)\s*\([^()]*$", re.IGNORECASE)
_CATALOG_NAME = re.compile(r"information_schema|pg_catalog|duckdb_\w+|sqlite_\w+|pg_\w+", re.IGNORECASE)
_CATALOG_CALL = re.compile(
    r"\b(?:duckdb_\w+|pragma_\w+)\s*\(",
    re.IGNORECASE,
)
_LOOKS_UP = re.compile(r"\b(?:get_relation|Relation\.create|list_relations\w*|get_relations_by_\w+)\((?!this\.)")
_VARIABLE = re.compile(r"""(?:var|env_var)\(["'](\w+)["']""")
_SET = re.compile(
    r"\bset\s+(\w+)\s*=\s*\[?\s*(?:(?:builtins\.)?(?:ref|source)|load_relation|load_cached_relation|api\.Relation)\b"
    r"|\bset\s+(\w+)\s*=\s*this\b(?!\s*[.|~])|\bfor\s+(\w+)\s+in\s*\[?\s*(?:ref|source)\s*\("
)
_MACRO = re.compile(r"(?!config\b|var\b|env_var\b)[\w.]+\((?!.*~)[^|]*\)$", re.DOTALL)
_DOT = re.compile(r"\s*\.\s*")
_GAP = re.compile(f"{GAP}(\\d+){GAP}")
_QUERIED = re.compile(r"\bquery_table\s*\(\s*\[?\s*$", re.IGNORECASE)
_GIVES_RELATION = re.compile(
    r"(?:builtins\.)?(?:ref|source)\s*\(|this\b(?!\s*(?:\||~|\.(?:incorporate|replace_path)))|model\b"
)
_CHANGES_RELATION = re.compile(r"\.(?:incorporate|replace_path)\s*\(|load_(?:cached_)?relation\(\s*(?!this\s*\))")
_NO_RELATION = frozenset(
    ["select", "lateral", "unnest", "values", "with", "where", "the", "a", "an", "this", "each", "only", "dual", "set"]
) | frozenset(["from", "pivot", "unpivot", "describe", "summarize", "show", "table", "all", "on"])


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
        known.update(_plain(name).lower() for name in (*_CTE.findall(one.marked), *_MADE.findall(one.marked)))
    found = _read(listed, known, [frozenset()] * len(listed))
    if COMPUTED in found:  # what macros are handed is looked at where that may matter
        found = _read(listed, known, relation_parameters([one.jinja for one in listed]))
    return found


def _read(parts: Sequence[SqlParts], known: set[str], handed: Sequence[frozenset[str]]) -> frozenset[str]:
    """Return the same; ``handed`` are names of each part that stand for what ``ref`` and ``source`` return."""
    found: set[str] = set()
    for one, names in zip(parts, handed, strict=True):
        if _LOOKS_UP.search(one.jinja):
            found.add(LOOKED_UP)
        if _CHANGES_RELATION.search(one.jinja):
            found.add(COMPUTED)
        if _CATALOG_CALL.search(one.marked):
            found.add(CATALOG)
        found.update(literal.text for literal in one.literals if _QUERIED.search(literal.before))
        given = _relations_set(one.jinja) | names
        for number, statement in enumerate(one.marked.split(END)):
            if number == 0 or _SQL.search(statement):
                found.update(_named(statement, one.expressions, known, given))
    return frozenset(found)


def _relations_set(jinja: str) -> frozenset[str]:
    """Return the names that Jinja gives to what ``ref`` and ``source`` return, and to what a loop goes over."""
    return frozenset(name for names in _SET.findall(jinja) for name in names if name)


def _named(sql: str, expressions: tuple[str, ...], known: set[str], given: frozenset[str]) -> Iterator[str]:
    sql = _NOT_FROM.sub("distinct_from", sql)
    any_cte = any("*" in name for name in known)
    for start in _FROM.finditer(sql):
        if _TAKES_FROM.search(sql, max(0, start.start() - 200), start.start()):
            continue
        for relation in _items(sql, start.end()):
            name = _told(relation, expressions, given)
            first = name.partition(".")[0].lower()
            if not name or first in _NO_RELATION or name.lower() in known or (any_cte and "." not in name):
                continue
            if DATA_FILE.search(name) is None:
                yield CATALOG if _CATALOG_NAME.match(name) else name


def _items(sql: str, start: int) -> Iterator[str]:
    """Yield the relations of one FROM: they may stand in parentheses and be several, with commas between them."""
    aliases: set[str] = set()
    opened = 0
    while True:
        begin = _BEFORE_ITEM.match(sql, start)
        if begin is not None:
            opened += begin[0].count("(")
            start = begin.end()
        relation = None if _SUBQUERY.match(sql, start) else _RELATION.match(sql, start)
        if relation is not None:
            first = relation[0].partition(".")[0].strip(NAME).lower()
            start = relation.end()
            if _CALL.match(sql, start) is None and first not in aliases:
                yield relation[0]
            alias = _ALIAS.match(sql, start)
            if alias is not None:
                aliases.add(alias[1].strip(NAME).lower())
        following = _next_item(sql, start, opened)
        if following is None:
            return
        start = following


def _next_item(sql: str, start: int, opened: int) -> int | None:
    """Return where the next item of the same FROM begins, None where its list ends."""
    depth = opened
    for token in _TOKEN.finditer(sql, start):
        if token[0] == "(":
            depth += 1
        elif token[0] == ")":
            depth -= 1
            if depth < 0:
                return None
        elif depth <= opened:
            return token.end() if token[0] == "," else None
    return None


def _told(relation: str, expressions: tuple[str, ...], given: frozenset[str]) -> str:
    """Return the name with ``*`` for what is printed into it, "" where all of it is a ``ref`` or given by a macro."""
    whole = _GAP.fullmatch(relation)
    if whole is not None:
        expression = expressions[int(whole[1])]
        variable = _VARIABLE.match(expression)
        if variable is not None:
            return f"the relation that {variable[1]} names"
        if _GIVES_RELATION.match(expression) or expression in given or _MACRO.match(expression):
            return ""
        return COMPUTED
    name = _plain(_GAP.sub("*", relation))
    return name if name.strip("*._0123456789") else ""


def _plain(name: str) -> str:
    return _GAP.sub("*", _DOT.sub(".", name)).replace(NAME, "")
