"""SQL of a template, taken apart without rendering it: its literals, and what stands outside of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from jinja2 import Environment

from orchestrator.dbt_runner.analysis.lexed_template import LexedTemplate

TEXT, NAME = "\1", "\2"
"""Stand in the place of a literal, and on both sides of a name in quotes."""
END = "\n;\n"
"""Stands at the end of the SQL and of each text, in what is marked."""
DEEPEST = 3
_PART = re.compile(
    r"(?<!\w)[eE]'(?P<escaped>(?:[^'\\]|\\.|'')*)'|'(?P<text>(?:[^']|'')*)'|\"(?P<name>(?:[^\"]|\"\")*)\"|"
    r"(?<![\w$])\$(?P<tag>(?:[A-Za-z_]\w*)?)\$(?P<dollars>.*?)\$(?P=tag)\$|--[^\n]*|/\*.*?\*/",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|.)", re.DOTALL)
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_MARKED = re.compile(f"{TEXT}|{NAME}[^{NAME}]*{NAME}")
_RUN = re.compile(r"\bquery\s*\(\s*$", re.IGNORECASE)
_QUOTES = frozenset("'\"$")


@dataclass(frozen=True)
class Literal:
    """A text in quotes: ``before`` is the SQL in front of it, ``quote`` its quotation mark."""

    text: str
    before: str
    quote: str


@dataclass(frozen=True)
class SqlParts:
    """Parts of one template: ``literals`` of the SQL, then of the Jinja; ``marked`` is SQL with marks in their place.

    ``jinja`` is the code between the braces, ``expressions`` are those that print something, by their numbers.
    ``joined`` are the texts that Jinja puts together with others, ``template`` is all of it, empty of what is none.
    """

    literals: tuple[Literal, ...]
    marked: str
    jinja: str
    expressions: tuple[str, ...]
    joined: tuple[str, ...] = ()
    template: str = ""

    @classmethod
    def of(cls, environment: Environment, template: str) -> SqlParts:
        r"""Take a template apart; what is no template counts as SQL.

        >>> [one.text for one in SqlParts.of(Environment(), "select {{ f('b') }} from 'c/{{ d }}.csv' -- 'e'").literals]
        ['c/\x001\x00.csv', 'b']
        """
        lexed = LexedTemplate.of(environment, template)
        parts = cls.of_texts([lexed.sql], lexed.texts)
        return replace(
            parts,
            literals=(*parts.literals, *(Literal(one, "", "'") for one in lexed.lines)),
            jinja=lexed.jinja,
            expressions=tuple(one.strip() for one in lexed.expressions),
            joined=tuple(lexed.joined),
            template=template,
        )

    @classmethod
    def of_texts(cls, sql: Iterable[str], texts: Iterable[str]) -> SqlParts:
        """Take ``sql`` apart, and ``texts``, each of which is a literal already and may be SQL as well."""
        literals: list[Literal] = []
        marked: list[str] = []
        for text in sql:
            literals += _literals(text, marked)
        for text in texts:
            literals.append(Literal(text, "", "'"))
            literals += _literals(text, marked)
        return cls(tuple(literals), "".join(marked), "", ())

    @cached_property
    def bare(self) -> str:
        """SQL without literals and names in quotes."""
        return _MARKED.sub(" ", self.marked)


def _literals(sql: str, marked: list[str], depth: int = 0) -> Iterator[Literal]:
    """Yield the literals of SQL, and those of SQL that stands in them, as ``query`` takes it."""
    start = 0
    inside: list[str] = []
    for part in _PART.finditer(sql):
        before = sql[start : part.start()]
        start = part.end()
        marked.append(before)
        if part["name"] is not None:
            name = part["name"].replace('""', '"')
            marked.append(f"{NAME}{name}{NAME}")
            yield Literal(name, before, '"')
            continue
        text = _text(part)
        marked.append(" " if text is None else TEXT)
        if text is not None:
            yield Literal(text, before, "'")
            if depth < DEEPEST and (not _QUOTES.isdisjoint(text) or _RUN.search(before)):
                inside.append(text)
    marked.append(f"{sql[start:]}{END}")
    for text in inside:
        yield from _literals(text, marked, depth + 1)


def _text(part: re.Match[str]) -> str | None:
    """Return what a literal says, None for a comment."""
    if part["escaped"] is not None:
        return _ESCAPE.sub(_character, part["escaped"].replace("''", "'"))
    return part["dollars"] if part["text"] is None else part["text"].replace("''", "'")


def _character(escape: re.Match[str]) -> str:
    code = escape[1]
    if code[0] in "xuU" and len(code) > 1:
        return chr(min(int(code[1:], 16), sys.maxunicode))
    return chr(int(code, 8)) if code[0] in "01234567" else _LETTERS.get(code, code)
