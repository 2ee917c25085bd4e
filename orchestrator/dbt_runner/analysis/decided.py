"""Expressions of variables and constants, which decide what dbt keeps of a parse and can be worked out beforehand.

A parse that was made for one year serves another where all of them have the values that they had. They are kept as
texts of Jinja: variables, constants, comparisons, arithmetic and a few filters, and nothing that could change a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from jinja2 import Environment, TemplateError, nodes

Assigned = Mapping[str, nodes.Expr]
"""The only value that a name of a template ever gets, for names that get one at the top of it."""
Returned = Callable[[str], str | None]
"""Gives the text of what a macro returns that is called without arguments; None where it does anything else."""
FILTERS = frozenset({"int", "float", "string", "lower", "upper", "trim", "abs"})
TESTS = frozenset({"odd", "even", "divisibleby", "none"})
DEEPEST = 40
DBTS_PREFIX = "dbt_macro__"  # which dbt's own parser puts before the name of a macro
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "in": "in", "notin": "not in"}
_SIGNS: dict[type[nodes.Node], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Mod: "%",
    nodes.FloorDiv: "//",
    nodes.And: "and",
    nodes.Or: "or",
}
_UNARY: dict[type[nodes.Node], str] = {nodes.Not: "not ", nodes.Neg: "-", nodes.Pos: "+"}
_ENVIRONMENT = Environment(autoescape=False)  # noqa: S701 - no HTML


class _UnwritableError(Exception):
    """An expression that holds something else."""


def written(node: nodes.Node, assigned: Assigned, returned: Returned = lambda name: None) -> str | None:
    """Return the text of an expression, names and macros by what they stand for; None where it holds anything else.

    >>> test = Environment().parse("{% if (var('y') | int) - 1 >= var('s', 3) %}{% endif %}").body[0].test
    >>> written(test, {})
    "((var('y') | int) - 1) >= var('s', 3)"
    >>> written(Environment().parse("{{ now() }}").body[0].nodes[0], {}) is None
    True
    """
    try:
        return _Writer(assigned, returned).text(node, DEEPEST)
    except _UnwritableError:
        return None


def is_constant(node: nodes.Node) -> bool:
    """Tell whether an expression reads nothing, and holds no text that dbt renders itself."""
    parts = [node, *node.find_all(nodes.Node)]
    texts = [str(part.value) for part in parts if isinstance(part, nodes.Const)]
    return not any(isinstance(part, nodes.Name) for part in parts) and not any("{" in text for text in texts)


def value_of(text: str, value: Callable[[str], object]) -> object:
    """Return what such a text is, where ``value`` gives that of each variable.

    Raises:
        LookupError: a variable has no value, and no default, or one that is no text, number or truth.
        ValueError: it has no value, such as ``'a' + 1``, or ``value`` cannot tell that of a variable.
    """
    try:
        return _with_values(_parsed(text), value).as_const(nodes.EvalContext(_ENVIRONMENT))
    except (nodes.Impossible, TemplateError, TypeError, ArithmeticError, AttributeError) as error:
        raise ValueError(str(error)) from error


def with_values(text: str, value: Callable[[str], object], keep: frozenset[str]) -> str:
    """Return such a text with the values of its variables in their place, some variables kept.

    Raises:
        LookupError: as :func:`value_of`.
    """
    found = written(_with_values(_parsed(text), value, keep), {})
    if found is None:
        raise LookupError("a variable is no plain text")
    return found


def variables_in(text: str) -> frozenset[str]:
    """Return the variables that such a text reads."""
    whole = _parsed(text)
    calls = [*([whole] if isinstance(whole, nodes.Call) else []), *whole.find_all(nodes.Call)]  # that leaves out itself
    return frozenset(str(call.args[0].value) for call in calls if isinstance(call.args[0], nodes.Const))


def returned_by(tree: nodes.Template, name: str, assigned: Assigned, returned: Returned) -> str | None:
    """Return the text of the expression that is all that a macro without parameters returns; None where it is not."""
    macros = [node for node in tree.body if isinstance(node, nodes.Macro)]
    if len(macros) != 1 or macros[0].name.removeprefix(DBTS_PREFIX) != name or macros[0].args:
        return None
    found: list[nodes.Expr] = []
    for node in macros[0].body:
        match node:
            case nodes.Assign(target=nodes.Name(name=target)) if target in assigned:
                continue
            case nodes.Output(nodes=parts):
                found += [part for part in parts if not isinstance(part, nodes.TemplateData) or part.data.strip()]
            case nodes.ExprStmt(node=nodes.Expr() as value):
                found.append(value)
            case _:
                return None
    match found:
        case [nodes.Call(node=nodes.Name(name="return"), args=[value], kwargs=[])]:
            return written(value, assigned, returned)
    return None


class _Writer:
    """Writer of expressions; ``assigned`` and ``returned`` are as for :func:`written`."""

    def __init__(self, assigned: Assigned, returned: Returned) -> None:
        self._assigned = assigned
        self._returned = returned

    def text(self, node: nodes.Node, depth: int) -> str:
        """Return the text of an expression."""
        if depth == 0:
            raise _UnwritableError

        def inner(part: nodes.Node) -> str:
            found = self.text(part, depth - 1)
            return found if isinstance(part, nodes.Const) or _is_var(part) else f"({found})"

        match node:
            case nodes.Const(value=value):
                return _constant(value)
            case nodes.Name(name=name) if name in self._assigned and _is_plain(self._assigned[name]):
                return self._named(name, depth)
            case nodes.Call(node=nodes.Name(name="var"), kwargs=[], dyn_args=None, dyn_kwargs=None) if _is_named(node):
                return f"var({', '.join(map(inner, node.args))})"
            case nodes.Call(node=nodes.Name(name=name), args=[], kwargs=[], dyn_args=None, dyn_kwargs=None):
                found = self._returned(name)
                if found is not None:
                    return found
            case nodes.Filter(node=nodes.Expr() as value, kwargs=[], dyn_args=None, dyn_kwargs=None):
                return f"{inner(value)} | {_applied(node, FILTERS, inner)}"
            case nodes.Test(node=value, kwargs=[], dyn_args=None, dyn_kwargs=None):
                return f"{inner(value)} is {_applied(node, TESTS, inner)}"
        return _operation(node, inner)

    def _named(self, name: str, depth: int) -> str:
        others = {other: value for other, value in self._assigned.items() if other != name}
        return _Writer(others, self._returned).text(self._assigned[name], depth - 1)


def _is_var(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "var"


def _operation(node: nodes.Node, inner: Callable[[nodes.Node], str]) -> str:
    match node:
        case nodes.Compare(expr=first, ops=operands):
            return inner(first) + "".join(f" {_COMPARISONS[one.op]} {inner(one.expr)}" for one in operands)
        case nodes.CondExpr(test=test, expr1=first, expr2=nodes.Expr() as second):
            return f"{inner(first)} if {inner(test)} else {inner(second)}"
        case nodes.Concat(nodes=parts):
            return " ~ ".join(map(inner, parts))
        case nodes.List(items=items) | nodes.Tuple(items=items):
            return f"[{', '.join(map(inner, items))}]"
        case nodes.BinExpr(left=left, right=right) if type(node) in _SIGNS:
            return f"{inner(left)} {_SIGNS[type(node)]} {inner(right)}"
        case nodes.UnaryExpr(node=value) if type(node) in _UNARY:
            return f"{_UNARY[type(node)]}{inner(value)}"
    raise _UnwritableError


def _applied(node: nodes.Filter | nodes.Test, known: frozenset[str], inner: Callable[[nodes.Node], str]) -> str:
    if node.name not in known:
        raise _UnwritableError
    return node.name + (f"({', '.join(map(inner, node.args))})" if node.args else "")


def _is_named(call: nodes.Call) -> bool:
    """Tell whether a call of ``var`` has a name written down, and at most a default beside it."""
    first = call.args[0] if call.args else None
    return len(call.args) <= 2 and isinstance(first, nodes.Const) and isinstance(first.value, str)


def _is_plain(value: nodes.Expr) -> bool:
    """Tell whether what a name stands for cannot be changed: it is no list."""
    return not any(isinstance(part, (nodes.List, nodes.Tuple)) for part in (value, *value.find_all(nodes.Node)))


def _constant(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case int() | float() if abs(value) < float("inf"):
            return repr(value)
        case str() if value.isascii() and value.isprintable() and not set(value) & set("\\{}%#"):
            return repr(value)
    raise _UnwritableError


@lru_cache(maxsize=1024)
def _template(text: str) -> nodes.Template:
    return _ENVIRONMENT.parse(f"{{{{ ({text}) }}}}")


def _parsed(text: str) -> nodes.Expr:
    output = _template(text).body[0]
    assert isinstance(output, nodes.Output)
    expression = output.nodes[0]
    assert isinstance(expression, nodes.Expr)
    return expression


def _with_values(node: nodes.Expr, value: Callable[[str], object], keep: frozenset[str] = frozenset()) -> nodes.Expr:
    """Return a copy of an expression with constants in the place of its variables."""
    if isinstance(node, nodes.Call):
        name = node.args[0]
        assert isinstance(name, nodes.Const)
        if name.value in keep:
            return node
        try:
            found = value(str(name.value))
        except LookupError:
            if len(node.args) == 1:
                raise
            return _with_values(node.args[1], value, keep)
        if not (found is None or isinstance(found, (str, int, float))):
            raise LookupError(f"variable {name.value} is no text, number or truth")
        return nodes.Const(found)
    copied = type(node)(*[_copied(getattr(node, name), value, keep) for name in node.fields])
    copied.environment = _ENVIRONMENT
    return copied


def _copied(part: object, value: Callable[[str], object], keep: frozenset[str]) -> object:
    if isinstance(part, list):
        return [_copied(one, value, keep) for one in part]
    if isinstance(part, nodes.Operand):
        return nodes.Operand(part.op, _with_values(part.expr, value, keep))
    return _with_values(part, value, keep) if isinstance(part, nodes.Expr) else part
