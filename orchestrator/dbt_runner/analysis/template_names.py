"""The names in one template, and the parts of a call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import nodes


@dataclass(frozen=True)
class TemplateNames:
    """``own``: all names that a template gives a value to, among them ``params``.

    ``dispatched`` maps a name that is set once, whatever happens, to ``adapter.dispatch('a constant')``, ``assigned``
    one to the expression that is its only value, ``looped`` one to the list of which a loop gives it the items.
    """

    own: frozenset[str]
    params: frozenset[str]
    dispatched: dict[str, str]
    assigned: dict[str, nodes.Expr]
    looped: dict[str, nodes.Expr]

    @classmethod
    def of(cls, tree: nodes.Template) -> TemplateNames:
        """Find the names of a template."""
        stored = [name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"]
        params = frozenset(name.name for name in tree.find_all(nodes.Name) if name.ctx == "param")
        loop = ["loop"] if tree.find(nodes.For) else []
        own = params.union(stored, loop)
        once = {name: value for name, value in _assigned(tree) if stored.count(name) == 1 and name not in params}
        calls = {name: dispatched(value) for name, value in once.items()}
        loops = ((one.target.name, one.iter) for one in tree.find_all(nodes.For) if isinstance(one.target, nodes.Name))
        looped = {
            name: given
            for name, given in loops
            if stored.count(name) == 1 and name not in params and isinstance(given, nodes.Expr)
        }
        return cls(own, params, {name: macro for name, macro in calls.items() if macro is not None}, once, looped)


def _assigned(tree: nodes.Template) -> Iterator[tuple[str, nodes.Expr]]:
    """Yield what is set whenever a template, or a macro in it, runs."""
    for body in (tree.body, *(macro.body for macro in tree.body if isinstance(macro, nodes.Macro))):
        for node in body:
            match node:
                case nodes.Assign(target=nodes.Name(name=name), node=nodes.Expr() as value):
                    yield name, value


def arguments(node: nodes.Call) -> list[nodes.Expr]:
    """Return all arguments of a call."""
    extra = [argument for argument in (node.dyn_args, node.dyn_kwargs) if argument is not None]
    return [*node.args, *(keyword.value for keyword in node.kwargs), *extra]


def constant(node: nodes.Call) -> str | None:
    """Return the text that is a call's first argument, None where it is computed."""
    first = node.args[0] if node.args else None
    return first.value if isinstance(first, nodes.Const) and isinstance(first.value, str) else None


def dispatched(node: nodes.Node) -> str | None:
    """Return the name in ``adapter.dispatch('name')``."""
    match node:
        case nodes.Call(node=nodes.Getattr(node=nodes.Name(name="adapter"), attr="dispatch")):
            named = [keyword.value for keyword in node.kwargs if keyword.key == "macro_name"]
            for argument in [*node.args[:1], *named]:
                if isinstance(argument, nodes.Const) and isinstance(argument.value, str):
                    return argument.value
    return None


def root(node: nodes.Node) -> str | None:
    """Return the name at the beginning of ``name.a['b'].c()``."""
    while isinstance(node, (nodes.Getattr, nodes.Getitem, nodes.Call)):
        node = node.node
    return node.name if isinstance(node, nodes.Name) else None


def names_in(target: nodes.Node) -> set[str]:
    """Return the names in an expression or in what is assigned to."""
    found = {target.name} if isinstance(target, nodes.Name) else set()
    return found.union(name.name for name in target.find_all(nodes.Name))
