"""SQL of a template, taken apart without rendering it: its literals, and what stands outside of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError

GAP = "\0"
"""Stands on both sides of the number of an expression, whose value is not known before the template is rendered."""
_PART = re.compile(r"'(?P<text>(?:[^']|'')*)'|\"(?P<name>(?:[^\"]|\"\")*)\"|--[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Literal:
    """A text in quotes: ``before`` is the SQL in front of it, ``quote`` its quotation mark."""

    text: str
    before: str
    quote: str


@dataclass(frozen=True)
class SqlParts:
    """Parts of one template: ``literals`` of the SQL, then of the Jinja; ``bare`` is SQL without literals and comments.

    ``jinja`` is the code between the braces, ``expressions`` are those that print something, by their numbers.
    """

    literals: tuple[Literal, ...]
    bare: str
    jinja: str
    expressions: tuple[str, ...]

    @classmethod
    def of(cls, environment: Environment, template: str) -> SqlParts:
        r"""Take a template apart; what is no template counts as SQL.

        >>> [one.text for one in SqlParts.of(Environment(), "select {{ f('b') }} from 'c/{{ d }}.csv' -- 'e'").literals]
        ['c/\x001\x00.csv', 'b']
        """
        sql, texts, jinja, expressions = _lexed(environment, template)
        literals: list[Literal] = []
        bare: list[str] = []
        for text in (sql, *texts):
            if text is not sql:
                literals.append(Literal(text, "", "'"))
            literals += _literals(text, bare)
        return cls(tuple(literals), " ".join(bare), jinja, expressions)


def _literals(sql: str, bare: list[str]) -> Iterator[Literal]:
    start = 0
    for part in _PART.finditer(sql):
        before = sql[start : part.start()]
        bare.append(before)
        start = part.end()
        if part["text"] is not None:
            yield Literal(part["text"].replace("''", "'"), before, "'")
        elif part["name"] is not None:
            yield Literal(part["name"].replace('""', '"'), before, '"')
    bare.append(sql[start:])


def _lexed(environment: Environment, template: str) -> tuple[str, list[str], str, tuple[str, ...]]:
    """Return the SQL with gaps, the texts in the Jinja, the Jinja, and the expressions in the gaps."""
    sql: list[str] = []
    texts: list[str] = []
    jinja: list[str] = []
    expressions: list[str] = []
    inside = False
    try:
        for _, kind, value in environment.lex(template):
            if kind in ("data", "raw_data"):
                sql.append(value)
            elif kind.endswith(("_begin", "_end")):
                jinja.append("\n")
                inside = kind == "variable_begin"
                if inside:
                    sql.append(f"{GAP}{len(expressions)}{GAP}")
                    expressions.append("")
            elif not kind.startswith(("comment", "raw")):
                jinja.append(value)
                if inside:
                    expressions[-1] += value
                if kind == "string":
                    texts.append(_unquoted(value))
    except TemplateSyntaxError:
        return template, [], "", ()
    return "".join(sql), texts, "".join(jinja), tuple(one.strip() for one in expressions)


def _unquoted(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (SyntaxError, ValueError):
        return value[1:-1]
