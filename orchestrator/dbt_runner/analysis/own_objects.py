"""Proof that a template changes no list or dictionary that others may read: a variable's value, or dbt's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jinja2 import nodes

from orchestrator.dbt_runner.analysis.jinja_names import MUTATORS, SCALARS
from orchestrator.dbt_runner.analysis.template_names import arguments, names_in, root

MAKERS = frozenset({"dict", "namespace", "set", "zip", "range"})
MADE_BY_DBT = frozenset({"kwargs"})
"""A macro gets them anew at each call."""


def changes_shared(tree: nodes.Template) -> bool:
    """Tell whether a template may change what it did not make itself; whatever cannot be followed counts as if it did.

    Its own are the lists, dictionaries and namespaces that it writes down; ``x.append`` needs ``x`` to be one of them,
    and ``x.y.append`` that nothing but such things was ever put into ``x``.
    """
    own, pure = _own(tree)
    for node, method in _methods(tree):
        if method not in MUTATORS:
            continue
        owner = node.node
        if not (owner.name in own if isinstance(owner, nodes.Name) else root(owner) in pure):
            return True
    return any(one.name == "attr" for one in tree.find_all(nodes.Filter))


def _methods(tree: nodes.Template) -> Iterator[tuple[nodes.Getattr | nodes.Getitem, str]]:
    """Yield what may look a method up, and the method's name."""
    for dotted in tree.find_all(nodes.Getattr):
        yield dotted, dotted.attr
    for item in tree.find_all(nodes.Getitem):
        if isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, str):
            yield item, item.arg.value


def _own(tree: nodes.Template) -> tuple[set[str], set[str]]:
    """Return the names that always stand for an object of the template's own, and those with nothing else inside."""
    given: dict[str, list[nodes.Node]] = {}
    for assigned in tree.find_all(nodes.Assign):
        if isinstance(assigned.target, nodes.Name):
            given.setdefault(assigned.target.name, []).append(assigned.node)
    own = {name for name, values in given.items() if all(map(_is_made, values))} - _given_otherwise(tree)
    put: list[tuple[str | None, nodes.Node]] = []
    put += [(root(call.node), argument) for call in tree.find_all(nodes.Call) for argument in arguments(call)]
    put += [(one.target.name, one.node) for one in tree.find_all(nodes.Assign) if isinstance(one.target, nodes.NSRef)]
    foreign = {name for name, value in put if not _is_pure(value)}
    pure = {name for name in own - foreign if all(map(_is_pure, given[name]))}
    return own | MADE_BY_DBT, pure


def _given_otherwise(tree: nodes.Template) -> set[str]:
    """Return the names that also stand for something else: parameters, items of a loop, parts of what is assigned."""
    found = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "param"}
    found |= _names(one.target for one in tree.find_all(nodes.For))
    found |= _names(one.target for one in tree.find_all(nodes.Assign) if not isinstance(one.target, nodes.Name))
    found |= _names(one.target for one in tree.find_all(nodes.AssignBlock))
    return found | _names(target for one in tree.find_all(nodes.With) for target in one.targets)


def _names(targets: Iterable[nodes.Node]) -> set[str]:
    return {name for target in targets if not isinstance(target, nodes.NSRef) for name in names_in(target)}


def _is_made(value: nodes.Node) -> bool:
    """Tell whether an expression makes a new object."""
    match value:
        case nodes.Call(node=nodes.Name(name=name)):
            return name in MAKERS
        case nodes.List() | nodes.Dict() | nodes.Tuple():
            return True
        case nodes.Filter(name="list" | "sort") | nodes.Call(node=nodes.Getattr(attr="copy" | "split")):
            return True
        case _:
            return isinstance(value, (nodes.BinExpr, *SCALARS))


def _is_pure(value: nodes.Node) -> bool:
    """Tell whether there is nothing in it that somebody else made, and that could be changed."""
    match value:
        case nodes.Call(node=nodes.Name(name=name)):
            return name in MAKERS and all(map(_is_pure, arguments(value)))
        case nodes.List() | nodes.Dict() | nodes.Tuple() | nodes.Pair():
            return all(map(_is_pure, value.iter_child_nodes()))
        case _:
            return isinstance(value, SCALARS)
