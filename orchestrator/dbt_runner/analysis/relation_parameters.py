r"""Parameters of macros that are handed relations alone: what ``ref`` and ``source`` return, which dbt knows of.

>>> macro = "macro pick(relation, columns)\nrelation\nendmacro"
>>> relation_parameters(["pick(ref('a'), 'b')", macro])
[frozenset(), frozenset({'relation'})]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_DEFINED = re.compile(r"\bmacro\s+(\w+)\s*\(")
_DISPATCHED = re.compile(r"\bdispatch\(\s*['\"](\w+)['\"][^()]*\)\s*\(")
_CALLED = re.compile(r"(?<!macro )(?<![\w])(\w+)\s*\(")
_MENTIONED = re.compile(r"\b(?:(?<=dispatch\(['\"])\w+|(\w+)\b(?!\s*\())")
_SET = re.compile(r"\bset\s+(\w+)\s*=\s*([^\n]+)")
_LOOP = re.compile(r"\bfor\s+(\w+)\s+in\s+([^\n]+)")
_NAMED = re.compile(r"\s*(\w+)\s*=(?!=)(.*)", re.DOTALL)
_OF_DBT = re.compile(r"(?:builtins\.)?(?:ref|source)\s*\(")
_OPENS, _CLOSES = "([{", ")]}"
_ADAPTER_AND_NAME = re.compile(r"\w+?__(\w+)")


@dataclass(frozen=True)
class _Macro:
    place: int
    parameters: tuple[str, ...]


def relation_parameters(templates: Sequence[str]) -> list[frozenset[str]]:
    """Return for each template the names in it that stand for such relations, or for lists of them.

    ``templates`` are the Jinja code of all that a node is made of. A parameter counts where each call hands over one.
    """
    macros = _macros(templates)
    calls = [call for place, code in enumerate(templates) for call in _calls(place, code, macros)]
    assumed = {(macro.place, name) for named in macros.values() for macro in named for name in macro.parameters}
    assumed &= {(macro.place, name) for macro, _, given in calls for name in given}
    mentioned = {name for code in templates for name in _MENTIONED.findall(code)}  # which may be called otherwise
    assumed -= {(macro.place, name) for one in mentioned for macro in macros.get(one, ()) for name in macro.parameters}
    while True:
        known = [_known(code, {name for at, name in assumed if at == place}) for place, code in enumerate(templates)]
        left = {
            (macro.place, name)
            for macro, place, given in calls
            for name in macro.parameters
            if not _is_relation(given.get(name, ""), known[place])
        }
        if not assumed & left:
            return [frozenset(names) for names in known]
        assumed -= left


def _macros(templates: Sequence[str]) -> dict[str, list[_Macro]]:
    """Return the macros by name; one that is dispatched to also by the name that it is dispatched by."""
    found: dict[str, list[_Macro]] = {}
    for place, code in enumerate(templates):
        for defined in _DEFINED.finditer(code):
            names = tuple(one.partition("=")[0].strip() for one in _arguments(code, defined.end()))
            found.setdefault(defined[1], []).append(_Macro(place, names))
            short = _ADAPTER_AND_NAME.fullmatch(defined[1])
            if short is not None:
                found.setdefault(f"dispatched {short[1]}", []).append(_Macro(place, names))
    return found


def _calls(place: int, code: str, macros: dict[str, list[_Macro]]) -> Iterator[tuple[_Macro, int, dict[str, str]]]:
    """Yield which macros a template calls, and the expression that it hands over for each parameter."""
    for pattern, kind in ((_CALLED, ""), (_DISPATCHED, "dispatched ")):
        for call in pattern.finditer(code):
            for macro in macros.get(f"{kind}{call[1]}", ()):
                yield macro, place, _handed(macro, _arguments(code, call.end()))


def _handed(macro: _Macro, arguments: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for number, argument in enumerate(arguments):
        named = _NAMED.fullmatch(argument)
        if named is not None:
            given[named[1]] = named[2]
        elif number < len(macro.parameters):
            given[macro.parameters[number]] = argument
    return given


def _known(code: str, given: set[str]) -> set[str]:
    """Return the names of a template that stand for relations, where those ``given`` do."""
    values: dict[str, list[str]] = {}
    for name, value in (*_SET.findall(code), *_LOOP.findall(code)):
        values.setdefault(name, []).append(value)
    known = {name for name in given if name not in values}
    while True:
        more = {name for name, texts in values.items() if all(_is_relation(text, known) for text in texts)}
        if more <= known:
            return known
        known |= more


def _is_relation(expression: str, known: set[str]) -> bool:
    text = expression.strip()
    if text in known or text == "this":
        return True
    if text.startswith("[") and _end(text, 1) == len(text):
        return all(_is_relation(one, known) for one in _arguments(text, 1))
    call = _OF_DBT.match(text)
    return call is not None and _end(text, call.end()) == len(text)


def _arguments(code: str, start: int) -> list[str]:
    """Return what stands between commas, up to the bracket that closes the one before ``start``."""
    found: list[str] = []
    depth, quote, last = 0, "", start
    for place in range(start, len(code)):
        letter = code[place]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in _OPENS:
            depth += 1
        elif letter in _CLOSES and depth == 0:
            return [*found, code[last:place]] if code[last:place].strip() or found else []
        elif letter in _CLOSES:
            depth -= 1
        elif letter == "," and depth == 0:
            found.append(code[last:place])
            last = place + 1
    return found


def _end(code: str, start: int) -> int:
    """Return the place behind the bracket that closes the one before ``start``."""
    arguments = _arguments(code, start)
    return start + (sum(len(one) + 1 for one in arguments) or 1)
