"""Relations whose rows statements of a template change: those of its hooks, of macros, and of queries that it sends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set

from jinja2 import Environment

from orchestrator.dbt_runner.analysis.change_kinds import ADDS, CHANGES, REMOVES, THIS, UNKNOWN_NAME, ChangedRelation
from orchestrator.dbt_runner.analysis.lexed_template import GAP, LexedTemplate
from orchestrator.dbt_runner.analysis.python_code import python_parts
from orchestrator.dbt_runner.analysis.sql_parts import NAME, SqlParts

_BLOCK = "\3"
"""Stands where a statement of Jinja stood: what follows may not be sent."""
_MAY_CHANGE = re.compile(r"\b(?:insert|update|delete|merge|truncate|drop|alter|copy|replace)\b", re.IGNORECASE)
_QUOTED_PRINT = re.compile(r"'(\{\{(?:(?!\}\}).)*\}\})'", re.DOTALL)
_PART = rf"(?:{NAME}[^{NAME}\n]+{NAME}|(?:\w|{GAP}\d+{GAP})+)"
_CHANGE = re.compile(
    r"\b(?:(?P<adds>insert\s+(?:into|overwrite)(?:\s+table)?|copy(?=[^;]*?\bfrom\b))"
    r"|(?P<removes>delete\s+from|truncate(?:\s+table)?)"
    r"|(?P<changes>insert\s+or\s+\w+\s+into|(?<!for )(?<!do )(?<!then )update(?=\s)|merge\s+into"
    r"|create\s+or\s+replace\s+(?:table|view)|(?:drop|alter)\s+(?:table|view|schema)(?:\s+if\s+exists)?))"
    rf"(?:\s+only)?(?:[ \t]+(?P<cut>\n;\n)|\s+(?P<target>{_PART}(?:\s*\.\s*{_PART})*))",
    re.IGNORECASE,
)
_GAP = re.compile(f"{GAP}(\\d+){GAP}")
_REF = re.compile(r"(?:builtins\.)?ref\s*\(\s*(['\"])(?P<name>\w+)\1\s*\)(?:\.(?:render|include)\([^()]*\))?")
_SOURCE = re.compile(r"(?:builtins\.)?source\s*\(\s*(['\"])(?P<group>\w+)\1\s*,\s*(['\"])(?P<name>\w+)\3\s*\)")
_OF_THIS = re.compile(r"this(?:\.(?:identifier|table|name|render\(\)))?")
_NESTED = re.compile(r"\([^()]*\)")
_BEYOND = re.compile(r"\b(?:or|where|select|union|returning|not)\b", re.IGNORECASE)
_ALIAS = re.compile(r"\s+(?:as\s+)?(?!(?:set|using|where|as)\b)(\w+)\s+(?:set|using|where)\b", re.IGNORECASE)
_READS_OTHERS = re.compile(r"\b(?:from|using)\b", re.IGNORECASE)
_OR_UPDATE = re.compile(r"\bon\s+conflict\b.*\bupdate\b", re.IGNORECASE | re.DOTALL)


def changed_relations(environment: Environment, text: str, year_vars: Set[str]) -> frozenset[ChangedRelation]:
    """Return what the statements in a template change.

    Texts of its Jinja that are templates themselves are passed over: dbt renders these by themselves, as hooks.

    >>> sql = "update {{ ref('a') }} set b = 1 where y = {{ var('year') }}; delete from {{ target.schema }}.log"
    >>> sorted(changed_relations(Environment(), sql, {"year"}))
    [ChangedRelation(how='changes', target='a', year_column='y'), ChangedRelation(how='removes', target='log', \
year_column='')]
    >>> changed_relations(Environment(), "select 1 {{ log('update it') }} for update", {"year"})
    frozenset()
    """
    if _MAY_CHANGE.search(text) is None:
        return frozenset()
    marked = _QUOTED_PRINT.sub(r"\1", text).replace("%}", f"%}}{_BLOCK}")
    lexed = LexedTemplate.of(environment, marked)
    texts = [one for one in lexed.texts if "{{" not in one and "{%" not in one]
    sql = SqlParts.of_texts([lexed.sql], texts).marked
    return frozenset(_changed(sql, [one.strip() for one in lexed.expressions], year_vars))


def changed_by_python(source: str) -> frozenset[ChangedRelation]:
    """Return what the statements change that stand in the texts of a Python model."""
    if _MAY_CHANGE.search(source) is None:
        return frozenset()
    return frozenset(_changed(python_parts(source).marked, [], frozenset()))


def _changed(sql: str, expressions: list[str], year_vars: Set[str]) -> Iterator[ChangedRelation]:
    for found in _CHANGE.finditer(sql):
        how = next(name for name in (ADDS, REMOVES, CHANGES) if found[name])
        rest = sql[found.end() :].partition(";")[0] if found["cut"] is None else ""
        target = UNKNOWN_NAME if found["target"] is None else _told(found["target"], expressions)
        updates = found[how].lower() == "update" and found["target"] is not None
        if updates and re.search(r"\bset\b", rest, re.IGNORECASE) is None:
            continue
        if "schema" in found[how].lower().split():
            target = UNKNOWN_NAME
        if how == ADDS and _OR_UPDATE.search(rest):
            how = CHANGES
        limit = _year_column(rest, target, expressions, year_vars) if updates or how == REMOVES else ""
        yield ChangedRelation(how, target, limit)


def _told(target: str, expressions: list[str]) -> str:
    last = re.split(r"\s*\.\s*", target)[-1]
    whole = _GAP.fullmatch(last)
    if whole is not None and int(whole[1]) < len(expressions):
        expression = expressions[int(whole[1])]
        if _OF_THIS.fullmatch(expression):
            return THIS
        ref, source = _REF.fullmatch(expression), _SOURCE.fullmatch(expression)
        if ref is not None:
            return ref["name"].lower()
        if source is not None:
            return f"source {source['group']}.{source['name']}".lower()
        return UNKNOWN_NAME
    return _GAP.sub(UNKNOWN_NAME, last).replace(NAME, "").lower()


def _year_column(rest: str, target: str, expressions: Iterable[str], year_vars: Set[str]) -> str:
    """Return the column whose value a statement demands to be the year, "" where it may reach further."""
    sent, *later = rest.split(_BLOCK)
    if any(one.strip() for one in later):
        return ""
    while _NESTED.search(sent):
        sent = _NESTED.sub(" ", sent)
    before, where, condition = _partition(sent)
    if not where or _BEYOND.search(condition) or "(" in condition or ")" in condition:
        return ""
    years = [str(number) for number, one in enumerate(expressions) if _is_year(one, year_vars)]
    if not years:
        return ""
    alias = _ALIAS.match(before)
    own = "|".join(re.escape(one) for one in (target, *(alias.groups() if alias is not None else ())))
    of = rf"(?:(?:{own})\.)" if _READS_OTHERS.search(before) else rf"(?:[\w{NAME}]+\.)?"
    limit = re.compile(rf"{of}{NAME}?(\w+){NAME}?\s*=\s*{GAP}(?:{'|'.join(years)}){GAP}", re.IGNORECASE)
    for part in re.split(r"\band\b", condition, flags=re.IGNORECASE):
        found = limit.fullmatch(part.strip())
        if found is not None:
            return found[1].lower()
    return ""


def _partition(sql: str) -> tuple[str, str, str]:
    found = re.search(r"\bwhere\b", sql, re.IGNORECASE)
    return (sql, "", "") if found is None else (sql[: found.start()], found[0], sql[found.end() :])


def _is_year(expression: str, year_vars: Set[str]) -> bool:
    found = re.fullmatch(r"var\(\s*(['\"])(\w+)\1\s*(?:,[^()]*)?\)(?:\s*\|\s*(?:int|string|as_number))*", expression)
    return found is not None and found[2] in year_vars
