"""Names that one template uses, wherever they stand in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from jinja2 import nodes

from orchestrator.dbt_runner.analysis.own_objects import changes_shared
from orchestrator.dbt_runner.analysis.template_names import TemplateNames, dispatched


class Use(NamedTuple):
    """A name that is read; ``attribute`` is what follows its dot, ``called`` tells that it, or this, is called."""

    name: str
    attribute: str | None
    called: bool


@dataclass(frozen=True)
class TemplateUses:
    """Names that a template takes from its surroundings, and what it does to them.

    ``dispatched`` are the macros that it has ``adapter.dispatch()`` look up, ``filters`` the filters that it uses.
    ``given`` are the names that it gives a value of its own, so that they may not mean what they mean elsewhere; those
    of parameters are not among them where nothing else can be meant. ``changes_shared`` tells that it may change a list
    or dictionary that it did not make, ``unreadable`` that it cannot be parsed at all.
    """

    names: tuple[Use, ...] = ()
    dispatched: tuple[str, ...] = ()
    filters: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    changes_shared: bool = False
    unreadable: bool = False

    @classmethod
    def of(
        cls, tree: nodes.Template, own: TemplateNames, macros: Collection[str], foreign: Collection[str]
    ) -> TemplateUses:
        """Find them; ``macros`` are the names of all macros, ``foreign`` of those that are not dbt's.

        A name that the template gives a value counts as one of its own, unless it may be that of a macro elsewhere.
        """
        about: dict[int, Use] = {}
        lookups: dict[str, None] = {}
        filters: set[str] = set()
        skipped: set[int] = set()
        read: list[nodes.Name] = []
        for node in tree.find_all(nodes.Node):
            match node:
                case nodes.Call(node=nodes.Name(name=name) as called):
                    about[id(called)] = Use(name, None, called=True)
                case nodes.Call(node=nodes.Getattr(node=nodes.Name(name=name) as owner, attr=attribute)):
                    about[id(owner)] = Use(name, attribute, called=True)
                    macro = dispatched(node)
                    if macro is not None:
                        lookups[macro] = None
                        skipped.add(id(owner))
                case nodes.Getattr(node=nodes.Name(name=name) as owner, attr=attribute):
                    about.setdefault(id(owner), Use(name, attribute, called=False))
                case nodes.Filter(name=name):
                    filters.add(name)
                case nodes.Name(ctx="load") if id(node) not in skipped:
                    read.append(node)
        uses = [about.get(id(name), Use(name.name, None, called=False)) for name in read]
        may_be_macros = {use.name for use in uses if use.called and use.attribute is None} & set(macros)
        hidden = own.own - may_be_macros.union(foreign)
        return cls(
            names=tuple(dict.fromkeys(use for use in uses if use.name not in hidden)),
            dispatched=tuple(lookups),
            filters=frozenset(filters),
            given=frozenset(own.own - own.params | _params_elsewhere(tree)),
            changes_shared=changes_shared(tree),
        )

    def joined(self, other: TemplateUses) -> TemplateUses:
        """Return the uses of two templates."""
        return TemplateUses(
            names=tuple(dict.fromkeys((*self.names, *other.names))),
            dispatched=tuple(dict.fromkeys((*self.dispatched, *other.dispatched))),
            filters=self.filters | other.filters,
            given=self.given | other.given,
            changes_shared=self.changes_shared or other.changes_shared,
            unreadable=self.unreadable or other.unreadable,
        )


NO_USES = TemplateUses()


def _params_elsewhere(tree: nodes.Template) -> set[str]:
    """Return the names that stand for a parameter in one part of a template, and may stand for dbt's own in another.

    Whoever reads a macro's text finds nothing but the macro: its parameters are that everywhere, save in defaults.
    """
    outer = [node for node in tree.body if isinstance(node, nodes.Macro)]
    found = {param.name for node in tree.find_all(nodes.Macro) if node not in outer for param in node.args}
    found |= {param.name for node in tree.find_all(nodes.CallBlock) for param in node.args}
    for macro in outer:
        params = {param.name for param in macro.args}
        found |= {name.name for default in macro.defaults for name in default.find_all(nodes.Name)} & params
        found |= {default.name for default in macro.defaults if isinstance(default, nodes.Name)} & params
    return found if len(outer) < 2 else found | {param.name for macro in outer for param in macro.args}
