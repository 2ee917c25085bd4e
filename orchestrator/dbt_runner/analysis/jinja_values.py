"""Tell which values of a template may depend on the year, and what calls do with them.

A name is tainted when its value may depend on the year anywhere in the template.
"""

from __future__ import annotations

from jinja2 import nodes

from orchestrator.dbt_runner.analysis.jinja_names import (
    CONFIG_READS,
    DECIDING_CALLS,
    FIXED_NAMES,
    HARMLESS_CALLS,
    MUTATORS,
    PARSE_TIME_CALLS,
    PLAIN_EXPRESSIONS,
    READ_BY_PART,
    READ_ONLY_METHODS,
    SHARED_NAMES,
)
from orchestrator.dbt_runner.analysis.shared_objects import SharedObjects
from orchestrator.dbt_runner.analysis.template_code import ANY_VAR, UNKNOWN, Code, Macros
from orchestrator.dbt_runner.analysis.template_names import (
    TemplateNames,
    arguments,
    constant,
    dispatched,
    names_in,
    root,
)


class JinjaValues:
    """Values that the names of one template may have; ``code`` collects the answer.

    ``executing`` is set while statements are visited that never run while dbt parses; ``jumps`` tells that a
    return, break or continue was met that depends on the year.
    """

    def __init__(self, macros: Macros, year_vars: frozenset[str], tree: nodes.Template, *, notes_reads: bool) -> None:
        self.code = Code()
        self._notes_reads = notes_reads
        self.executing = False
        self.jumps = False
        self._macros = macros
        self._year_vars = year_vars
        self._names = TemplateNames.of(tree)
        self._fixed = FIXED_NAMES - self._names.own
        self._tainted: set[str] = set()
        self._used_up: set[str] = set()
        self._objects = SharedObjects(macros, year_vars, self._names)

    def size(self) -> tuple[int, ...]:
        """Return numbers that grow whenever something new was found."""
        return (len(self._tainted), len(self._objects), len(self._used_up), self.jumps, *self.code.size())

    def is_execute(self, name: str) -> bool:
        """Tell whether a name is dbt's ``execute``, which is false while dbt parses."""
        return name == "execute" and name not in self._names.own and not self._macros.known(name)

    def assign(self, target: nodes.Node, value: nodes.Node | None, *, tainted: bool, part: bool = False) -> None:
        """Give a value, or a ``part`` of it, to the names of a target."""
        if self.executing:
            return
        names = {target.name} if isinstance(target, (nodes.Name, nodes.NSRef)) else names_in(target)
        held = set() if value is None else self._objects.of(value)
        if isinstance(target, nodes.NSRef):
            self._objects.hold(names, held)
            self._change(names, inside=False, depends=tainted)
        elif isinstance(target, nodes.Name) and isinstance(value, (nodes.List, nodes.Tuple, nodes.Dict)) and not part:
            self._objects.hold(names, held)
        else:
            self._objects.join(names, held)
        if tainted:
            self._tainted |= names
        if value is not None and self._objects.is_used_up(value):
            self._used_up |= names

    def jump(self, *, depends: bool) -> None:
        """Note that statements may be left early."""
        self.jumps |= depends and not self.executing

    def doubt(self, reason: str) -> bool:
        """Block, because something cannot be followed: it may read any variable and reach any macro."""
        self.code.macros |= self._macros.names()
        self._block(reason)
        self._read(UNKNOWN)
        return self._any_var()

    def of(self, node: nodes.Node, *, tainted: bool) -> bool:
        """Visit an expression and tell whether its value depends on the year; ``tainted``: whether it is visited."""
        found = self._visit(node, tainted=tainted)
        if (found or tainted) and self._used_up:
            names = names_in(node) & self._names.own
            if not self._objects.touched(names, inside=True).isdisjoint(self._used_up):
                self._change(names, inside=True, depends=True)
        return found

    def _visit(self, node: nodes.Node, *, tainted: bool) -> bool:
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
            ) if name in READ_BY_PART and name not in self._names.own:
                self._read(f"{name}.{part}")
                return False
            case nodes.Getattr(node=nodes.Name(name="flags"), attr=flag) if flag.isupper() and flag != "VARS":
                self._read("flags")
                return "flags" in self._tainted
            case nodes.CondExpr() | nodes.And() | nodes.Or() | nodes.Compare():
                return self._choice(node, tainted=tainted)
            case _ if isinstance(node, PLAIN_EXPRESSIONS):
                return any([self.of(child, tainted=tainted) for child in node.iter_child_nodes()])
            case _:
                return self.doubt(f"{type(node).__name__} cannot be followed")

    def _choice(self, node: nodes.CondExpr | nodes.BinExpr | nodes.Compare, *, tainted: bool) -> bool:
        """Visit parts of which the first decides whether the others are looked at."""
        match node:
            case nodes.CondExpr():
                parts = [node.test, node.expr1, *([] if node.expr2 is None else [node.expr2])]
            case nodes.Compare():
                parts = [node.expr, *(operand.expr for operand in node.ops)]
            case _:
                parts = [node.left, node.right]
        found = False
        for part in parts:
            found |= self.of(part, tainted=tainted or found)
        return found

    def call(self, node: nodes.Call, *, tainted: bool, body: bool = False) -> bool:
        """Visit a call; ``body`` tells that the text of its ``{% call %}`` block depends on the year."""
        handed = any([self.of(argument, tainted=tainted) for argument in arguments(node)]) or body
        match node.node:
            case nodes.Name(name=name):
                return self._function(node, name, own=name in self._names.own, handed=handed, tainted=tainted)
            case nodes.Getattr(node=owner, attr=method) | nodes.Getitem(node=owner, arg=nodes.Const(value=str(method))):
                return self._method(node, owner, method, handed=handed, tainted=tainted)
            case nodes.Call() as inner if (macro := dispatched(inner)) is not None:
                return self._reached(macro, node, handed=handed, tainted=tainted)
            case _:
                return self.doubt("a macro is called by a name that is computed")

    def _name(self, name: str) -> bool:
        if name in self._names.own:
            return name in self._tainted
        if self._macros.known(name) or (name in PARSE_TIME_CALLS and name != "config"):
            return self.doubt(f"{name} is handed on and cannot be followed")
        if name in FIXED_NAMES or name in SHARED_NAMES:
            self._read(name)
            return False
        self._read("flags" if name == "flags" else UNKNOWN)
        return self._any_var()

    def _any_var(self) -> bool:
        self.code.vars.add(ANY_VAR)
        self.code.uses_year = True
        return True

    def _function(self, node: nodes.Call, name: str, *, own: bool, handed: bool, tainted: bool) -> bool:
        if own:
            return self._own_function(node, name, handed=handed or name in self._tainted, tainted=tainted)
        if name == "var":
            return self._var(node, handed=handed)
        if name == "return":
            self.jump(depends=tainted)
            self.code.shares |= any(self._is_shared(held) for held in self._objects.of(node))
        if name == "try_or_compiler_error" and root(node.args[1] if node.args[1:] else node) not in self._fixed:
            return self.doubt(f"{name}() calls something that cannot be followed")
        if name in DECIDING_CALLS:
            self._decision(f"{name}()", depends=handed or tainted)
        if self._macros.known(name):
            return self._reached(name, node, handed=handed, tainted=tainted)
        if name in DECIDING_CALLS or name in HARMLESS_CALLS:
            return handed
        return self.doubt(f"{name}() is not known")

    def _own_function(self, node: nodes.Call, name: str, *, handed: bool, tainted: bool) -> bool:
        """Follow a call of a name that the template sets: a dispatched macro, or a macro before its name is reused."""
        if name in self._names.dispatched:
            return self._reached(self._names.dispatched[name], node, handed=handed, tainted=tainted)
        may_be_config = "config" in self._objects.touched({name}, inside=True)
        if name in self._names.params or may_be_config or not self._macros.known(name):
            return self.doubt(f"{name}() is computed and cannot be followed")
        return self._reached(name, node, handed=handed, tainted=tainted)

    def _var(self, node: nodes.Call, *, handed: bool) -> bool:
        name = constant(node)
        if name is None:
            return self._any_var()
        self.code.vars.add(name)
        self.code.uses_year |= name in self._year_vars
        return handed or name in self._year_vars

    def _method(self, node: nodes.Call, owner: nodes.Expr, method: str, *, handed: bool, tainted: bool) -> bool:
        first = root(owner)
        if first is None or first in self._names.own:
            return self._object_method(node, owner, method, handed=handed, tainted=tainted)
        if first in ("builtins", "context"):
            if isinstance(owner, nodes.Name):
                return self._function(node, method, own=False, handed=handed, tainted=tainted)
            return self.doubt("a macro is taken out of the context by a name that is computed")
        if not isinstance(owner, nodes.Name):
            return self._object_method(node, owner, method, handed=handed, tainted=tainted)
        if first == "var":
            return self._var(node, handed=handed)
        if first == "config" and method not in CONFIG_READS:
            self._decision(f"config.{method}()", depends=handed or tainted)
            return handed
        if first in READ_BY_PART and method == "get" and constant(node) is not None:
            return self._read(f"{first}.{constant(node)}") or handed
        if first == "adapter" and method == "dispatch":
            return self._dispatch_alone(node) or handed
        if self._macros.known(method):
            return self._reached(method, node, handed=handed, tainted=tainted, run=first not in FIXED_NAMES)
        return self._object_method(node, owner, method, handed=handed, tainted=tainted)

    def _object_method(self, node: nodes.Call, owner: nodes.Expr, method: str, *, handed: bool, tainted: bool) -> bool:
        holds = self.of(owner, tainted=tainted)
        fixed = {root(owner) or ""} & self._fixed
        names = self._objects.of(owner) | fixed
        if method in MUTATORS or (names != fixed and method not in READ_ONLY_METHODS):
            self._objects.hold(names, self._objects.of_all(arguments(node)))
            self._change(names, inside=not isinstance(owner, nodes.Name), depends=holds or handed or tainted)
        return holds or handed

    def _dispatch_alone(self, node: nodes.Call) -> bool:
        name = dispatched(node)
        if name is None:
            return self.doubt("a macro is dispatched by a name that is computed")
        self._note(name)
        return False

    def _note(self, name: str) -> Code:
        macro = self._macros.macro(name)
        self.code.macros |= {name} | macro.macros
        self.code.vars |= macro.vars
        self.code.reads |= macro.reads
        self.code.uses_year |= macro.uses_year
        return macro

    def _reached(self, name: str, node: nodes.Call, *, handed: bool, tainted: bool, run: bool = True) -> bool:
        """Follow a call into a macro, which runs unless it is the adapter's own affair; tell as for :meth:`of`."""
        macro = self._note(name)
        depends = handed or tainted or macro.uses_year
        if run and not self.executing:
            self.code.decides |= macro.decides
            if macro.blocker is not None:
                self._block(f"macro {name}: {macro.blocker}")
            if macro.decides and (handed or tainted):
                self._block(f"macro {name} calls ref(), source() or config() and depends on the year")
            if macro.changes:
                names = self._objects.of_all(arguments(node))
                self._objects.join(names, names)
                self._change(names, inside=True, depends=depends)
        return handed or macro.uses_year

    def _change(self, names: set[str], *, inside: bool, depends: bool) -> None:
        """Note that the objects of these names may change, and whether that depends on the year."""
        if self.executing:
            return
        touched = self._objects.touched(names, inside=inside)
        self.code.changes |= not touched.isdisjoint(self._names.params)
        for name in sorted(touched - self._names.own):
            self.code.changes |= name in ("varargs", "kwargs")
            self._decision(f"a change of {name}", depends=depends)
        if depends:
            self._tainted |= touched & self._names.own

    def _is_shared(self, name: str) -> bool:
        touched = self._objects.touched({name}, inside=True)
        return not (touched - self._names.params) <= self._names.own

    def _jinja_in_text(self, text: str) -> bool:
        code = self._macros.strings(text)
        self.code.vars |= code.vars
        self.code.macros |= code.macros
        self.code.reads |= code.reads
        self.code.uses_year |= code.uses_year
        if code.uses_year or code.blocker is not None:
            self._block("a text that holds Jinja reads the year" if code.blocker is None else code.blocker)
        return code.uses_year

    def _decision(self, what: str, *, depends: bool) -> None:
        if self.executing:
            return
        self.code.decides = True
        if depends:
            self._block(f"{what} depends on the year")

    def _read(self, name: str) -> bool:
        """Note that something of dbt's is read that is the same in all years."""
        if self._notes_reads:
            self.code.reads.add(name)
        return False

    def _block(self, reason: str) -> None:
        if not self.executing:
            self.code.blocker = self.code.blocker or reason
