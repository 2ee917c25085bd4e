"""What expressions of Jinja print, as far as it is known before a template is rendered: variables and texts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from jinja2 import Environment, TemplateError, nodes
from jinja2.visitor import NodeTransformer

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
_DEFAULT = {"var": "var_name", "env_var": "var"}


class PrintedValues:
    """Values of the expressions of one project; ``target`` is that of its profile."""

    def __init__(self, values: VarValues, target: Mapping[str, object]) -> None:
        self._values = values
        self._target = {name: str(value) for name, value in target.items() if name in PARTS_OF_TARGET}
        self._found: dict[tuple[str, str], str | None] = {}

    def of(self, package: str, expression: str) -> str | None:
        """Return what an expression prints in a package's templates, None where that cannot be told.

        What the year decides is ``*`` where it can only be a part of a file's name.
        """
        key = package, expression
        if key not in self._found:
            self._found[key] = PART if _COUNTED.fullmatch(expression) else self._worked_out(*key)
        return self._found[key]

    def _worked_out(self, package: str, expression: str) -> str | None:
        reader = _Reader(lambda name: self._variable(package, name), self._values.is_year, self._target)
        try:
            output = _ENVIRONMENT.parse(f"{{{{ {expression} }}}}").body
            if len(output) != 1 or not isinstance(output[0], nodes.Output) or len(output[0].nodes) != 1:
                return None
            found = reader.visit(output[0].nodes[0]).as_const(nodes.EvalContext(_ENVIRONMENT))
        except (TemplateError, nodes.Impossible, LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
            return None
        if not isinstance(found, (str, int, float)):
            return None
        if not reader.read_year:
            return str(found)
        return PART if SEPARATORS.isdisjoint(f"{expression}{' '.join(map(str, reader.read))}") else None

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
        self, variable: Callable[[str], object], is_year: Callable[[str], bool], target: Mapping[str, str]
    ) -> None:
        self._variable = variable
        self._is_year = is_year
        self._target = target
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
