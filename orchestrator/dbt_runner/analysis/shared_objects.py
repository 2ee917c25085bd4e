"""Names of a template that may refer to one and the same list or dictionary."""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import nodes

from orchestrator.dbt_runner.analysis.jinja_names import (
    FIXED_NAMES,
    LAZY_FILTERS,
    READ_ONLY_METHODS,
    SCALAR_FILTERS,
    SCALARS,
)
from orchestrator.dbt_runner.analysis.template_names import TemplateNames, arguments, constant, dispatched
from orchestrator.dbt_runner.analysis.template_record import Macros

CHANGEABLE = frozenset({"modules", "env"})
"""Dictionaries among the fixed names."""


class SharedObjects:
    """Names that are linked because an object of the one may be, or may lie inside, the object of the other."""

    def __init__(self, macros: Macros, year_vars: frozenset[str], names: TemplateNames) -> None:
        self._macros = macros
        self._year_vars = year_vars
        self._names = names
        self._holders: dict[str, set[str]] = {}
        self._held: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """Return how many links there are."""
        return sum(map(len, self._holders.values()))

    def hold(self, holders: Iterable[str], held: Iterable[str]) -> None:
        """Note that what ``held`` names may lie inside what ``holders`` name."""
        held = list(held)
        for holder in holders:
            for inner in held:
                self._holders.setdefault(inner, set()).add(holder)
                self._held.setdefault(holder, set()).add(inner)

    def join(self, names: Iterable[str], others: Iterable[str]) -> None:
        """Note that names of both sides may be one object."""
        names, others = list(names), list(others)
        self.hold(names, others)
        self.hold(others, names)

    def touched(self, names: Iterable[str], *, inside: bool) -> set[str]:
        """Return the names whose value changes when the object of ``names`` changes.

        ``inside`` tells that what changes may be something that lies in the object, not the object itself.
        """
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._holders.get(name, ())
                if inside:
                    waiting += self._held.get(name, ())
        return found

    def of(self, node: nodes.Node) -> set[str]:
        """Return the names whose objects a value may be, or be part of, or hold."""
        match node:
            case nodes.Filter(name=name) if name in SCALAR_FILTERS:
                return set()
            case nodes.Name(name=name):
                return set() if name in FIXED_NAMES - CHANGEABLE - self._names.own else {name}
            case nodes.Getattr(node=nodes.Name(name=name)) if name in FIXED_NAMES - self._names.own:
                return set()
            case nodes.Getattr(node=owner) | nodes.Getitem(node=owner):
                return self.of(owner)
            case nodes.Call():
                return self.of_all(arguments(node)) | self._of_called(node)
            case _ if isinstance(node, SCALARS):
                return set()
            case _:
                return self.of_all(node.iter_child_nodes())

    def of_all(self, values: Iterable[nodes.Node]) -> set[str]:
        """Return the same for several values."""
        return {name for value in values for name in self.of(value)}

    def is_used_up(self, node: nodes.Node) -> bool:
        """Tell whether a value may be an iterator: who goes through it leaves less for the next one."""
        match node:
            case nodes.Filter(name=name) if name in LAZY_FILTERS:
                return True
            case nodes.Filter(name=name) if name in SCALAR_FILTERS or name in ("list", "sort"):
                return False
            case nodes.Call(node=nodes.Name(name="var" | "range" | "ref" | "source")):
                return False
            case nodes.Call(node=nodes.Name()) | nodes.Call(node=nodes.Call()):
                return True
            case nodes.Call(node=nodes.Getattr(attr=method)):
                return method not in READ_ONLY_METHODS or self._macros.known(method)
            case _:
                return any(self.is_used_up(child) for child in node.iter_child_nodes())

    def _of_called(self, node: nodes.Call) -> set[str]:
        """Return what a call may return that it was not handed."""
        match node.node:
            case nodes.Name(name="var" | "load_result" as name):
                return set() if constant(node) in self._year_vars else {name}
            case nodes.Name(name=name):
                return self._of_macro(self._names.dispatched.get(name, name))
            case nodes.Getattr(node=nodes.Name(name=package), attr=method) if package not in self._names.own:
                return self._of_macro(method) if self._macros.known(method) else self.of(node.node)
            case nodes.Call() as inner:
                return self._of_macro(dispatched(inner) or "")
            case called:
                return self.of(called)

    def _of_macro(self, name: str) -> set[str]:
        return {"model"} if self._macros.known(name) and self._macros.macro(name).shares else set()
