"""What expressions of Jinja print, as far as it is known before a template is rendered: variables and texts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from math import prod

from jinja2 import Environment, TemplateError, nodes
from jinja2.visitor import NodeTransformer

from orchestrator.dbt_runner.analysis.named_files import MOST_NAMES
from orchestrator.dbt_runner.analysis.template_names import TemplateNames, arguments
from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.var_templates import is_template
from orchestrator.dbt_runner.project.var_values import VarValues

PART = "*"
"""Stands for what is not always the same, and surely only a part of a file's name."""
PARTS_OF_TARGET = frozenset({"name", "schema", "database", "type", "profile_name"})
SEPARATORS = frozenset("/\\")
_SOME_YEAR = 2001
_COUNTED = re.compile(r"loop\.(?:index0?|revindex0?|length)")
_ENVIRONMENT = Environment(autoescape=False)  # noqa: S701 - no HTML
_UNTOLD = (TemplateError, nodes.Impossible, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
_NO_NAMES = TemplateNames(frozenset(), frozenset(), {}, {}, {})
_CHANGES = re.compile(r"\.\s*(?:append|extend|insert|pop|popitem|remove|clear|update|setdefault|sort|reverse)\b")
"""What makes other lists of those that names were given; a macro that is handed one may do so elsewhere."""
_DEFAULT = {"var": "var_name", "env_var": "var"}


class PrintedValues:
    """Values of the expressions of one project; ``target`` is that of its profile, ``environment`` parses templates."""

    def __init__(self, environment: Environment, values: VarValues, target: Mapping[str, object]) -> None:
        self._environment = environment
        self._values = values
        self._target = {name: str(value) for name, value in target.items() if name in PARTS_OF_TARGET}
        self._found: dict[tuple[str, str, str], tuple[str, ...] | None] = {}
        self._names: dict[str, TemplateNames] = {}

    def of(self, package: str, expression: str, template: str = "") -> tuple[str, ...] | None:
        """Return all that an expression may print in a template of a package, None where that cannot be told.

        What the year decides is ``*`` where it can only be a part of a file's name. A name that the template itself
        gives one value, or the items of one list, stands for these.
        """
        key = package, expression, template
        if key not in self._found:
            self._found[key] = (PART,) if _COUNTED.fullmatch(expression) else self._worked_out(*key)
        return self._found[key]

    def _worked_out(self, package: str, expression: str, template: str) -> tuple[str, ...] | None:
        try:
            whole = _parsed(expression)
            names = self._names_in(template) if any(True for _ in _names(whole)) else _NO_NAMES
            loops = {name: self._items(package, names, name) for name in sorted({*_names(whole)} & names.looped.keys())}
            if prod(map(len, loops.values())) > MOST_NAMES:
                return None
            found = []
            for items in product(*loops.values()):
                constants = {name: nodes.Const(item) for name, item in zip(loops, items, strict=True)}
                found.append(self._printed(package, expression, {**names.assigned, **constants}))
        except _UNTOLD:
            return None
        return tuple(dict.fromkeys(found))

    def _printed(self, package: str, expression: str, assigned: Mapping[str, nodes.Expr]) -> str:
        reader = self._reader(package, assigned)
        found = reader.visit(_parsed(expression)).as_const(nodes.EvalContext(_ENVIRONMENT))
        if not isinstance(found, (str, int, float)):
            raise LookupError(expression)
        if not reader.read_year:
            return str(found)
        if not SEPARATORS.isdisjoint(f"{expression}{' '.join(map(str, reader.read))}"):
            raise LookupError(expression)
        return PART

    def _items(self, package: str, names: TemplateNames, name: str) -> list[object]:
        """Return what a loop gives a name, one after the other."""
        reader = self._reader(package, names.assigned)
        found = reader.visit(_copied(names.looped[name])).as_const(nodes.EvalContext(_ENVIRONMENT))
        if reader.read_year or not found or not isinstance(found, (list, tuple)):
            raise LookupError(name)
        return list(found)

    def _reader(self, package: str, assigned: Mapping[str, nodes.Expr]) -> _Reader:
        return _Reader(lambda name: self._variable(package, name), self._values.is_year, self._target, assigned)

    def _names_in(self, template: str) -> TemplateNames:
        if template not in self._names:
            tree = self._environment.parse(template)
            found = _NO_NAMES if _CHANGES.search(template) else TemplateNames.of(tree)
            given = {name for call in tree.find_all(nodes.Call) for part in arguments(call) for name in _names(part)}
            fixed = {name: value for name, value in found.assigned.items() if name not in given or _is_fixed(value)}
            self._names[template] = replace(found, assigned=fixed)
        return self._names[template]

    def _variable(self, package: str, name: str) -> object:
        value = self._values.known(package)[name]
        if is_template(canonical(value)):
            raise LookupError(name)
        return value


class _Reader(NodeTransformer):
    """Put constants in the place of variables; ``read`` are their values, and ``read_year`` tells of the year.

    Raises:
        LookupError: a variable has no value, or one that cannot be told.
    """

    def __init__(
        self,
        variable: Callable[[str], object],
        is_year: Callable[[str], bool],
        target: Mapping[str, str],
        assigned: Mapping[str, nodes.Expr],
    ) -> None:
        self._variable = variable
        self._is_year = is_year
        self._target = target
        self._assigned = dict(assigned)
        self.read: list[object] = []
        self.read_year = False

    def visit_Call(self, call: nodes.Call) -> nodes.Node:  # noqa: N802 - Jinja's word
        """Work out ``var`` and ``env_var``, and leave any other call, which cannot be told."""
        function = call.node.name if isinstance(call.node, nodes.Name) else ""
        if function not in _DEFAULT or call.dyn_args is not None or call.dyn_kwargs is not None:
            raise LookupError(function)
        given = dict(zip((_DEFAULT[function], "default"), call.args, strict=False))
        given |= {one.key: one.value for one in call.kwargs}
        name = given[_DEFAULT[function]]
        if not isinstance(name, nodes.Const) or len(call.args) > 2 or set(given) > {_DEFAULT[function], "default"}:
            raise LookupError(function)
        try:
            found = self._year_or(name.value) if function == "var" else os.environ[name.value]
        except KeyError:
            default = self.visit(given["default"])
            assert isinstance(default, nodes.Node)
            return default
        self.read.append(found)
        return nodes.Const(found)

    def _year_or(self, name: str) -> object:
        if self._is_year(name):
            self.read_year = True
            return _SOME_YEAR
        return self._variable(name)

    def visit_Name(self, name: nodes.Name) -> nodes.Node:  # noqa: N802 - as above
        """Put its only value in the place of a name."""
        value = self._assigned.pop(name.name, None)  # so that one which is made of itself ends
        if value is None:
            raise LookupError(name.name)
        found = self.visit(_copied(value))
        assert isinstance(found, nodes.Node)
        self._assigned[name.name] = value
        self.read += [part.value for part in _every(value) if isinstance(part, nodes.Const)]
        return found

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802 - as above
        """Take an attribute, as ``target.name``; a text has methods, and they cannot be called."""
        if isinstance(node.node, nodes.Name) and node.node.name == "target":
            return nodes.Const(self._target[node.attr])
        return self.generic_visit(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802 - as above
        """Take an item, as ``target['name']``."""
        if isinstance(node.node, nodes.Name) and node.node.name == "target" and isinstance(node.arg, nodes.Const):
            return nodes.Const(self._target[node.arg.value])
        return self.generic_visit(node)


def _parsed(expression: str) -> nodes.Expr:
    """Return the tree of an expression, a new one each time.

    Raises:
        LookupError: it is none, or more than one.
    """
    body = _ENVIRONMENT.parse(f"{{{{ {expression} }}}}").body
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        raise LookupError(expression)
    return body[0].nodes[0]


def _every(tree: nodes.Node) -> Iterator[nodes.Node]:
    yield tree
    yield from tree.find_all(nodes.Node)


def _names(tree: nodes.Expr) -> Iterator[str]:
    """Yield the names in an expression that dbt has no function or value for."""
    return (
        node.name for node in _every(tree) if isinstance(node, nodes.Name) and node.name not in (*_DEFAULT, "target")
    )


def _is_fixed(tree: nodes.Expr) -> bool:
    """Tell whether the value of an expression is surely a text or a number, which nothing changes."""
    return not any(isinstance(part, (nodes.List, nodes.Dict, nodes.Call, nodes.Name)) for part in _every(tree))


def _copied(node: nodes.Node) -> nodes.Node:
    fields = [_copied_part(getattr(node, name)) for name in node.fields]
    return type(node)(*fields, lineno=node.lineno, environment=_ENVIRONMENT)


def _copied_part(part: object) -> object:
    if isinstance(part, list):
        return [_copied_part(one) for one in part]
    return _copied(part) if isinstance(part, nodes.Node) else part
