"""The values of YAML 1.2, and what is refused before any are made: too much, too deep, and kinds of another world."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

if yaml.__with_libyaml__:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]  # a class of the extension
else:
    CParser = object  # type: ignore[misc, assignment]  # never used

MOST_DEPTH = 50
MOST_VALUES = 50_000
_TOO_DEEP = f"it is nested deeper than {MOST_DEPTH} levels"
_TAGS = "tag:yaml.org,2002:"


class _Limits(Composer, SafeConstructor, Resolver):
    """What every loader here refuses: too much, before anything is made of it, and what Python cannot hold.

    Too much is what is nested deeper than ``MOST_DEPTH``, or holds more than ``MOST_VALUES`` once aliases are written
    out.
    """

    depth = 0
    heights: dict[yaml.Node, int]  # levels of a node that is composed, its own among them

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node, unless it is too deep, also through what its aliases stand for."""
        mark = self.peek_event().start_mark  # type: ignore[attr-defined]  # a parser's
        if self.depth == 0:
            self.heights = {}
        self.depth += 1
        try:
            if self.depth > MOST_DEPTH:
                raise TooMuch(None, None, _TOO_DEEP, mark)
            found: yaml.Node | None = super().compose_node(parent, index)
        finally:
            self.depth -= 1
        if found is not None:
            if found not in self.heights:  # that of an alias is known, unless it is within itself
                self.heights[found] = 1 + max((self.heights.get(part, 0) for part in _parts(found)), default=0)
            if self.depth + self.heights[found] > MOST_DEPTH:
                raise TooMuch(None, None, _TOO_DEEP, mark)
        return found

    def get_single_node(self) -> yaml.Node | None:
        """Compose the whole document, unless it is too large."""
        node: yaml.Node | None = super().get_single_node()
        sizes: dict[int, int] = {}
        if node is not None and _values_in(node, sizes) > MOST_VALUES:
            reason = f"it holds more than {MOST_VALUES:,} values once its aliases are written out"
            raise TooMuch(None, None, reason, _largest(node, sizes).start_mark)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:  # noqa: FBT001, FBT002 - PyYAML's own
        """Make a value; one that Python cannot hold, such as a number of thousands of digits, is no YAML of ours."""
        try:
            found: object = super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            kind = shown_tag(node.tag)
            reason = str(error) if isinstance(error, ValueError) else f"it is no {kind.lstrip('!')}"
            raise yaml.MarkedYAMLError(None, None, f"this value cannot be read: {reason}", node.start_mark) from error
        return found


class _Loader(_Limits, yaml.SafeLoader):
    """PyYAML with the scalars of YAML 1.2: only true and false are booleans, dates stay text."""


class _QuickLoader(_Limits, CParser):
    """The same over the scanner of libyaml, which is ten times as fast and whose messages say less."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, str(text))  # it takes no subclass
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)


def composed(text: str) -> tuple[_Loader | _QuickLoader, yaml.Node | None]:
    """Return the nodes of a text, and the loader that makes values of them; a text with a fault is read twice."""
    if yaml.__with_libyaml__:
        quick = _QuickLoader(text)
        try:
            return quick, quick.get_single_node()
        except (yaml.YAMLError, UnicodeError):
            quick.dispose()
    loader = _Loader(text)
    return loader, loader.get_single_node()


class TooMuch(yaml.MarkedYAMLError):
    """Signals YAML that no configuration needs."""


def _values_in(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many nodes a node is made of, those of an alias each time; a node within itself counts once."""
    if id(node) not in known:
        known[id(node)] = 1
        known[id(node)] = 1 + sum(_values_in(part, known) for part in _parts(node))
    return known[id(node)]


def _largest(node: yaml.Node, sizes: Mapping[int, int]) -> yaml.Node:
    """Return the innermost node that is too large."""
    inner = next((part for part in _parts(node) if sizes[id(part)] > MOST_VALUES and part is not node), None)
    return node if inner is None else _largest(inner, sizes)


def shown_tag(tag: str) -> str:
    """Write a tag as files do.

    >>> shown_tag("tag:yaml.org,2002:set"), shown_tag("!ours")
    ('!!set', '!ours')
    """
    return f"!!{tag.removeprefix(_TAGS)}" if tag.startswith(_TAGS) else tag


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    for part in node.value if isinstance(node, yaml.CollectionNode) else ():
        yield from part if isinstance(part, tuple) else (part,)


_Limits.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("int", r"[-+]?(0|[1-9][0-9_]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
):
    _Limits.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(f"(?:{_pattern})$"),
        list(_first) + ([""] * (_tag == "null")),
    )


def _construct_float(_: SafeConstructor, node: yaml.ScalarNode) -> float:
    return float(str(node.value).replace(".inf", "inf").replace(".nan", "nan").lower().lstrip("+"))


# Of what YAML 1.1 has beside these, such as sets and bytes, JSON and dbt have no values.
KINDS = {f"{_TAGS}{_kind}" for _kind in ("str", "int", "float", "bool", "null", "seq", "map")}
_Limits.yaml_constructors = {
    tag: construct for tag, construct in SafeConstructor.yaml_constructors.items() if tag is None or tag in KINDS
} | {f"{_TAGS}float": _construct_float}
