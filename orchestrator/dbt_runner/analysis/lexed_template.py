"""A template cut into its SQL and its Jinja by Jinja's own lexer."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from jinja2 import Environment, TemplateSyntaxError

GAP = "\0"
"""Stands on both sides of the number of an expression, whose value is not known before the template is rendered."""
JOINS = frozenset("~+")
_PLACEHOLDER = re.compile(r"%\w|\{\w*\}|^.[/.].$")


@dataclass
class LexedTemplate:
    """The SQL of a template with gaps, and its Jinja.

    ``texts`` are the literals of the Jinja, ``lines`` what stands on one line between two of its statements, of which
    ``{% set %}`` may make a name. ``jinja`` is the code between the braces, ``expressions`` are those in the gaps.
    ``joined`` are the texts that are put together with others.
    """

    sql: str = ""
    texts: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    jinja: str = ""
    expressions: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, environment: Environment, template: str) -> LexedTemplate:
        """Cut a template; what is no template counts as SQL."""
        found = cls()
        block, opened, prints, last = "", False, False, ""
        try:
            for _, kind, value in environment.lex(template):
                if kind in ("data", "raw_data"):
                    found.sql += value
                    block += value
                elif kind.endswith(("_begin", "_end")):
                    found.jinja += "\n"
                    prints = kind == "variable_begin"
                    if prints:
                        block += found._gap()
                    elif kind == "block_begin":
                        found._between(block if opened else "")
                        block, opened = "", True
                elif not kind.startswith(("comment", "raw")):
                    found._token(kind, value, last, prints=prints)
                    last = last if kind == "whitespace" else value if kind == "operator" else kind
        except TemplateSyntaxError:
            return cls(sql=template)
        return found

    def _gap(self) -> str:
        gap = f"{GAP}{len(self.expressions)}{GAP}"
        self.sql += gap
        self.expressions.append("")
        return gap

    def _token(self, kind: str, value: str, last: str, *, prints: bool) -> None:
        self.jinja += value
        if prints:
            self.expressions[-1] += value
        if kind == "string":
            self.texts.append(_unquoted(value))
            if last in JOINS or _PLACEHOLDER.search(value):
                self.joined.append(self.texts[-1])
        elif value in JOINS and last == "string":
            self.joined.append(self.texts[-1])

    def _between(self, block: str) -> None:
        text = block.strip()
        if text and "\n" not in text:
            self.lines.append(text)


def _unquoted(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (SyntaxError, ValueError):
        return value[1:-1]
