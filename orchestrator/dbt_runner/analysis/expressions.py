"""Expressions of one template: what their values may hold, and what calls do with them.

The value of an expression is told by three bits, see :mod:`orchestrator.dbt_runner.analysis.template_record`.
``PARSED_YEAR`` spreads to whatever is made of a value or chosen by it. ``YEAR`` and ``GIVEN`` are allowed to do nothing
but to be printed, joined to other text with ``~``, given a name, handed to a macro, and returned by it. Whatever else
is done with them, a comparison, a filter, a sum, a place in a list, or anything that is not known here, goes beyond
printing.
"""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import nodes

from orchestrator.dbt_runner.analysis.jinja_names import (
    CONFIG_READS,
    DECIDING_CALLS,
    FIXED_NAMES,
    HARMLESS_CALLS,
    MUTATORS,
    OF_COMMANDS,
    PARSE_TIME_CALLS,
    PLAIN_EXPRESSIONS,
    READ_BY_PART,
    READ_ONLY_METHODS,
    SHARED_NAMES,
)
from orchestrator.dbt_runner.analysis.marks import UNKNOWN
from orchestrator.dbt_runner.analysis.template_names import arguments, constant, dispatched, names_in, root
from orchestrator.dbt_runner.analysis.template_record import GIVEN, PARSED_YEAR, RENDERED, YEAR, TemplateRecord
from orchestrator.dbt_runner.analysis.template_values import TemplateValues

HOOKS = ("pre_hook", "post_hook")


class Expressions:
    """Expressions of one template, over the values of its names.

    In all methods ``tainted`` tells whether the expression is visited depends on the year while dbt parses, and
    ``handed`` are the bits of a call's arguments; they return the bits of the value.
    """

    def __init__(self, values: TemplateValues) -> None:
        self.values = values

    def is_execute(self, name: str) -> bool:
        """Tell whether a name is dbt's ``execute``, which is false while dbt parses."""
        return name == "execute" and self._is_dbts(name)

    def of(self, node: nodes.Node, *, tainted: bool) -> int:
        """Visit an expression."""
        found = self._visit(node, tainted=tainted)
        if (found & PARSED_YEAR or tainted) and self.values.used_up:
            names = names_in(node) & self.values.names.own
            if not self.values.objects.touched(names, inside=True).isdisjoint(self.values.used_up):
                self.values.change(names, inside=True, depends=True)
        return found

    def of_all(self, expressions: Iterable[nodes.Node], *, tainted: bool) -> int:
        """Visit several expressions; the bits are those of all."""
        found = 0
        for expression in expressions:
            found |= self.of(expression, tainted=tainted)
        return found

    def _visit(self, node: nodes.Node, *, tainted: bool) -> int:
        match node:
            case nodes.Name():
                return self._name(node.name)
            case nodes.Call():
                return self.call(node, tainted=tainted)
            case nodes.Const(value=str(text)) | nodes.TemplateData(data=text) if "{{" in text or "{%" in text:
                return self._jinja_in_text(text)
            case (
                nodes.Getattr(node=nodes.Name(name=name), attr=part)
                | nodes.Getitem(node=nodes.Name(name=name), arg=nodes.Const(value=str(part)))
            ) if name in READ_BY_PART and name not in self.values.names.own:
                return self.values.read(f"{name}.{part}")
            case nodes.Getattr(node=nodes.Name(name="flags"), attr=flag) if flag.isupper() and flag != "VARS":
                self.values.read("flags")
                return self.values.beyond_print(self.values.bits.get("flags", 0))
            case nodes.CondExpr() | nodes.And() | nodes.Or() | nodes.Compare():
                return self._choice(node, tainted=tainted)
            case nodes.Concat():
                return self.of_all(node.nodes, tainted=tainted)
            case _ if isinstance(node, PLAIN_EXPRESSIONS):
                return self.values.beyond_print(self.of_all(node.iter_child_nodes(), tainted=tainted))
            case _:
                return self.values.doubt(f"{type(node).__name__} cannot be followed")

    def _choice(self, node: nodes.CondExpr | nodes.BinExpr | nodes.Compare, *, tainted: bool) -> int:
        """Visit parts of which the first decides whether the others are looked at."""
        chosen: list[nodes.Expr] = []
        match node:
            case nodes.CondExpr():
                looked_at, chosen = [node.test], [node.expr1, *([] if node.expr2 is None else [node.expr2])]
            case nodes.Compare():
                looked_at = [node.expr, *(operand.expr for operand in node.ops)]
            case _:
                looked_at = [node.left, node.right]
        found = 0
        for part in looked_at:
            found |= self.values.beyond_print(self.of(part, tainted=tainted or bool(found)))
        depends = bool(found & PARSED_YEAR) and not (chosen and self.values.works_out(looked_at))
        for part in chosen:
            found |= self.of(part, tainted=tainted or depends)
        return found

    def call(self, node: nodes.Call, *, tainted: bool, body: int = 0) -> int:
        """Visit a call; ``body`` are the bits of the text of its ``{% call %}`` block."""
        late = self._rendered_later(node)
        handed = self.of_all((one for one in arguments(node) if one not in late), tainted=tainted) | body
        match node.node:
            case nodes.Name(name=name):
                return self._function(node, name, own=name in self.values.names.own, handed=handed, tainted=tainted)
            case nodes.Getattr(node=owner, attr=method) | nodes.Getitem(node=owner, arg=nodes.Const(value=str(method))):
                return self._method(node, owner, method, handed=handed, tainted=tainted)
            case nodes.Call() as inner if (macro := dispatched(inner)) is not None:
                return self._dispatched(macro, node, handed=handed, tainted=tainted)
            case _:
                return self.values.doubt("a macro is called by a name that is computed")

    def _rendered_later(self, node: nodes.Call) -> list[nodes.Expr]:
        """Note what the hooks in a call of ``config`` read, and return them.

        dbt keeps their text as it is, and renders it when it runs them; it is examined with the node, too
        (:mod:`orchestrator.dbt_runner.analysis.rendered_with`).
        """
        if not (isinstance(node.node, nodes.Name) and node.node.name == "config" and self._is_dbts("config")):
            return []
        found: list[nodes.Expr] = []
        for keyword in node.kwargs:
            hooks = keyword.value.items if isinstance(keyword.value, nodes.List) else [keyword.value]
            texts = [hook.value for hook in hooks if isinstance(hook, nodes.Const) and isinstance(hook.value, str)]
            if keyword.key in HOOKS and len(texts) == len(hooks):
                found.append(keyword.value)
                for text in texts:
                    self._note(self.values.macros.strings(text))
        return found

    def _is_dbts(self, name: str) -> bool:
        return name not in self.values.names.own and not self.values.macros.known(name)

    def _name(self, name: str) -> int:
        if name in self.values.names.own:
            return self.values.bits.get(name, 0)
        if self.values.macros.known(name) or (name in PARSE_TIME_CALLS and name != "config"):
            return self.values.doubt(f"{name} is handed on and cannot be followed")
        if name in FIXED_NAMES or name in SHARED_NAMES:
            self.values.read(name)
            return self.values.bits.get(name, 0)
        if name in OF_COMMANDS:
            self.values.read(name)
            return self.values.any_year()
        self.values.read("flags" if name == "flags" else UNKNOWN)
        return self.values.any_var()

    def _function(self, node: nodes.Call, name: str, *, own: bool, handed: int, tainted: bool) -> int:
        if own:
            return self._own_function(node, name, handed=handed, tainted=tainted)
        if name == "var":
            return self._var(node, handed=handed)
        if name == "return":
            self.values.jump(depends=tainted)
            self.values.record.result |= handed & RENDERED
            self.values.record.shares |= any(self.values.is_shared(held) for held in self.values.objects.of(node))
            return handed & PARSED_YEAR
        if name == "try_or_compiler_error" and root(node.args[1] if node.args[1:] else node) not in self.values.fixed:
            return self.values.doubt(f"{name}() calls something that cannot be followed")
        if name in DECIDING_CALLS:
            handed = self.values.beyond_print(handed)
            depends = bool(handed) and not self.values.works_out(arguments(node))
            self.values.decision(f"{name}()", depends=depends or tainted)
        if self.values.macros.known(name):
            return self._called(name, node, handed=handed, tainted=tainted)
        if name in DECIDING_CALLS or name in HARMLESS_CALLS:
            return self.values.beyond_print(handed)
        return self.values.doubt(f"{name}() is not known")

    def _own_function(self, node: nodes.Call, name: str, *, handed: int, tainted: bool) -> int:
        """Follow a call of a name that the template sets: a dispatched macro, or a macro before its name is reused."""
        handed |= self.values.beyond_print(self.values.bits.get(name, 0))
        if name in self.values.names.dispatched:
            return self._dispatched(self.values.names.dispatched[name], node, handed=handed, tainted=tainted)
        may_be_config = "config" in self.values.objects.touched({name}, inside=True)
        if name in self.values.names.params or may_be_config or not self.values.macros.known(name):
            return self.values.doubt(f"{name}() is computed and cannot be followed")
        return self._called(name, node, handed=handed, tainted=tainted)

    def _var(self, node: nodes.Call, *, handed: int) -> int:
        handed = self.values.beyond_print(handed)
        name = constant(node)
        if name is None:
            return self.values.any_var()
        self.values.record.vars.add(name)
        if name not in self.values.year_vars:
            return handed
        self.values.record.uses_year = True
        return PARSED_YEAR | YEAR

    def _method(self, node: nodes.Call, owner: nodes.Expr, method: str, *, handed: int, tainted: bool) -> int:
        first = root(owner)
        if first is None or first in self.values.names.own:
            return self._object_method(node, owner, method, handed=handed, tainted=tainted)
        if first in ("builtins", "context"):
            self.values.unfollowed()
            if isinstance(owner, nodes.Name):
                return self._function(node, method, own=False, handed=handed, tainted=tainted)
            return self._of_dbts_own(node, owner, method, handed=handed, tainted=tainted)
        if not isinstance(owner, nodes.Name):
            return self._object_method(node, owner, method, handed=handed, tainted=tainted)
        if first == "var":
            self.values.unfollowed()
            return self._var(node, handed=handed)
        if first == "config" and method not in CONFIG_READS:
            handed = self.values.beyond_print(handed)
            depends = bool(handed) and not self.values.works_out(arguments(node))
            self.values.decision(f"config.{method}()", depends=depends or tainted)
            return handed
        if first in READ_BY_PART and method == "get" and constant(node) is not None:
            return self.values.read(f"{first}.{constant(node)}") | self.values.beyond_print(handed)
        if first == "adapter" and method == "dispatch":
            return self._dispatch_alone(node) | self.values.beyond_print(handed)
        if self.values.macros.known(method):
            return self._called(method, node, handed=handed, tainted=tainted, run=first not in FIXED_NAMES)
        return self._object_method(node, owner, method, handed=handed, tainted=tainted)

    def _of_dbts_own(self, node: nodes.Call, owner: nodes.Expr, method: str, *, handed: int, tainted: bool) -> int:
        """Follow a method of what a function of dbt gives, as in ``builtins.ref(name).include(database=false)``."""
        if isinstance(owner, nodes.Call):
            return self._object_method(node, owner, method, handed=handed, tainted=tainted)
        return self.values.doubt("a macro is taken out of the context by a name that is computed")

    def _object_method(self, node: nodes.Call, owner: nodes.Expr, method: str, *, handed: int, tainted: bool) -> int:
        held = self.values.beyond_print(handed | self.of(owner, tainted=tainted))
        fixed = {root(owner) or ""} & self.values.fixed
        names = self.values.objects.of(owner) | fixed
        if method in MUTATORS or (names != fixed and method not in READ_ONLY_METHODS):
            self.values.objects.hold(names, self.values.objects.of_all(arguments(node)))
            self.values.change(names, inside=not isinstance(owner, nodes.Name), depends=bool(held) or tainted)
        return held

    def _dispatch_alone(self, node: nodes.Call) -> int:
        name = dispatched(node)
        if name is None:
            return self.values.doubt("a macro is dispatched by a name that is computed")
        self.values.note(name)
        return 0

    def _dispatched(self, name: str, node: nodes.Call, *, handed: int, tainted: bool) -> int:
        """Follow a call of what ``adapter.dispatch()`` finds by a name."""
        if not self.values.macros.dispatches(name):
            self.values.unfollowed()
        return self._reached(name, node, handed=handed, tainted=tainted)

    def _called(self, name: str, node: nodes.Call, *, handed: int, tainted: bool, run: bool = True) -> int:
        """Follow a call by a macro's own name: one that calls itself is not followed to tell what it prints.

        ``run`` tells that the macro runs, and that it is no method of the adapter with the same name.
        """
        if self.values.macros.is_open(name):
            self.values.unfollowed()
        if not run:
            handed = self.values.beyond_print(handed)
        return self._reached(name, node, handed=handed, tainted=tainted, run=run)

    def _reached(self, name: str, node: nodes.Call, *, handed: int, tainted: bool, run: bool = True) -> int:
        """Follow a call into a macro and return the bits of what it returns."""
        macro = self.values.note(name)
        depends = bool(handed & PARSED_YEAR) or tainted
        if run and not self.values.executing:
            self.values.record.decides |= macro.decides
            self.values.record.decided |= macro.decided
            if macro.blocker is not None:
                self.values.block(f"macro {name}: {macro.blocker}")
            if macro.decides and depends:
                self.values.block(f"macro {name} calls ref(), source() or config() and depends on the year")
            if macro.changes:
                names = self.values.objects.of_all(arguments(node))
                self.values.objects.join(names, names)
                self.values.change(names, inside=True, depends=depends or macro.uses_year)
        found = handed & PARSED_YEAR
        if macro.uses_year:
            found |= PARSED_YEAR | (macro.result & YEAR)
            self.values.record.beyond_print |= macro.beyond_print & YEAR
        if macro.beyond_print & GIVEN:
            return self.values.beyond_print(handed) | found
        return found | (handed & RENDERED if macro.result & GIVEN else 0)

    def _note(self, found: TemplateRecord) -> None:
        """Take over what a text that holds Jinja reads."""
        self.values.unfollowed()
        self.values.record.vars |= found.vars
        self.values.record.macros |= found.macros
        self.values.record.reads |= found.reads
        self.values.record.uses_year |= found.uses_year

    def _jinja_in_text(self, text: str) -> int:
        found = self.values.macros.strings(text)
        self._note(found)
        if found.uses_year or found.blocker is not None:
            self.values.block("a text that holds Jinja reads the year" if found.blocker is None else found.blocker)
        return PARSED_YEAR if found.uses_year else 0
