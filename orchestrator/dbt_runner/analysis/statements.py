"""Statements of one template, a model, a test or a macro: the way of the year through them.

Statements are tainted when whether, or how often, they run may depend on the year while dbt parses. Bits of values only
grow, so the tree is walked until nothing is added: order, loops and jumps then need no care of their own. What stands
under ``{% if execute %}`` never runs while dbt parses; there only variables, macros and what is printed are noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from jinja2 import nodes

from orchestrator.dbt_runner.analysis.expressions import Expressions
from orchestrator.dbt_runner.analysis.template_names import TemplateNames
from orchestrator.dbt_runner.analysis.template_record import PARSED_YEAR, RENDERED, GrowingRecord, Macros
from orchestrator.dbt_runner.analysis.template_values import TemplateValues


def examine(
    macros: Macros,
    year_vars: frozenset[str],
    tree: nodes.Template,
    names: TemplateNames,
    *,
    is_macro: bool,
    of_dbt: bool = False,
) -> GrowingRecord:
    """Return what a template does; only the source of a macro may define one.

    What macros ``of_dbt`` read by themselves is not noted: it is known (see
    :mod:`orchestrator.dbt_runner.project.node_inputs`), and they go by their version.
    """
    values = TemplateValues(macros, year_vars, names, is_macro=is_macro, notes_reads=not of_dbt)
    walk = _Walk(values, tree, is_macro=is_macro)
    before: tuple[int, ...] = ()
    while before != (before := walk.size()):
        walk.through()
    return values.record


class _Walk:
    def __init__(self, values: TemplateValues, tree: nodes.Template, *, is_macro: bool) -> None:
        self.values = values
        self.expressions = Expressions(values)
        self._tree = tree
        self._is_macro = is_macro
        self._bodies: dict[int, int] = {}

    def size(self) -> tuple[int, ...]:
        """Return numbers that grow whenever a walk found something new."""
        return (sum(self._bodies.values()), *self.values.size())

    def through(self) -> None:
        """Visit every statement; after a jump that depends on the year, all of them do."""
        self.values.record.result |= self._body(self._tree.body, tainted=self.values.jumps) & RENDERED

    def _body(self, body: Iterable[nodes.Node], *, tainted: bool) -> int:
        """Visit statements and return the bits of the text that they make."""
        found = 0
        for node in body:
            found |= self._statement(node, tainted=tainted)
        return found

    def _statement(self, node: nodes.Node, *, tainted: bool) -> int:
        expressions = self.expressions
        match node:
            case nodes.Output():
                return expressions.of_all(node.nodes, tainted=tainted) | _taint(tainted=tainted)
            case nodes.ExprStmt():
                expressions.of(node.node, tainted=tainted)
            case nodes.If():
                return self._if(node, tainted=tainted)
            case nodes.For():
                return self._for(node, tainted=tainted)
            case nodes.Assign():
                bits = expressions.of(node.node, tainted=tainted) | _taint(tainted=tainted)
                self.values.assign(node.target, node.node, bits)
            case nodes.AssignBlock():
                self.values.assign(node.target, None, self._captured(node, tainted=tainted) | _taint(tainted=tainted))
            case _:
                return self._rare_statement(node, tainted=tainted)
        return 0

    def _rare_statement(self, node: nodes.Node, *, tainted: bool) -> int:
        if not (isinstance(node, nodes.Macro) and node in self._tree.body):
            self.values.unfollowed()
        match node:
            case nodes.Macro() if self._is_macro:
                self._defaults(node, tainted=tainted)
                return self._body(node.body, tainted=tainted)
            case nodes.With():
                for target, given in zip(node.targets, node.values, strict=True):
                    self.values.assign(
                        target, given, self.expressions.of(given, tainted=tainted) | _taint(tainted=tainted)
                    )
                return self._body(node.body, tainted=tainted)
            case nodes.FilterBlock():
                return self._captured(node, tainted=tainted)
            case nodes.CallBlock():
                return self._call_block(node, tainted=tainted)
            case nodes.Break() | nodes.Continue():
                self.values.jump(depends=tainted)
                return 0
            case _:
                return self.values.doubt(f"{{% {type(node).__name__.lower()} %}} cannot be followed")

    def _if(self, node: nodes.If, *, tainted: bool) -> int:
        inner = self._decides(node.test, tainted=tainted)
        if self._asks_execute(node.test):
            with self._executing():
                found = self._body(node.body, tainted=inner)
        else:
            found = self._body(node.body, tainted=inner)
        for branch in node.elif_:
            inner = self._decides(branch.test, tainted=inner)
            found |= self._body(branch.body, tainted=inner)
        return found | self._body(node.else_, tainted=inner)

    def _for(self, node: nodes.For, *, tainted: bool) -> int:
        inner = self._decides(node.iter, tainted=tainted)
        self.values.assign(node.target, node.iter, _taint(tainted=inner), part=True)
        self.values.assign(nodes.Name("loop", "store"), None, _taint(tainted=inner))
        if node.recursive:
            self.values.doubt("a recursive loop cannot be followed")
        if node.test is not None:
            inner = self._decides(node.test, tainted=inner)
        return self._body(node.body, tainted=inner) | self._body(node.else_, tainted=inner)

    def _decides(self, test: nodes.Node, *, tainted: bool) -> bool:
        """Visit what decides whether, or how often, others run; tell whether that depends on the year."""
        depends = bool(self.values.beyond_print(self.expressions.of(test, tainted=tainted)))
        return (depends and not self.values.works_out([test])) or tainted

    def _captured(self, node: nodes.AssignBlock | nodes.FilterBlock, *, tainted: bool) -> int:
        """Return the bits of a text that is kept, or that a filter changes."""
        text = self._body(node.body, tainted=tainted)
        if node.filter is None:
            return text
        self.values.unfollowed()
        return text | self.expressions.of(node.filter, tainted=tainted) | _taint(tainted=tainted)

    def _call_block(self, node: nodes.CallBlock, *, tainted: bool) -> int:
        body = self._bodies.get(id(node), 0)
        inner = bool(self.expressions.call(node.call, tainted=tainted, body=body) & PARSED_YEAR) or tainted
        for param in node.args:
            self.values.assign(param, node.call, _taint(tainted=inner), part=True)
        self._defaults(node, tainted=inner)
        self._bodies[id(node)] = body | (self._body(node.body, tainted=inner) & PARSED_YEAR)
        return _taint(tainted=inner) | body

    def _defaults(self, node: nodes.Macro | nodes.CallBlock, *, tainted: bool) -> None:
        for param, default in zip(reversed(node.args), reversed(node.defaults), strict=False):
            bits = self.values.beyond_print(self.expressions.of(default, tainted=tainted))
            self.values.assign(param, default, bits)

    @contextmanager
    def _executing(self) -> Iterator[None]:
        before, self.values.executing = self.values.executing, True
        yield
        self.values.executing = before

    def _asks_execute(self, test: nodes.Node) -> bool:
        if isinstance(test, nodes.And):
            return self._asks_execute(test.left) or self._asks_execute(test.right)
        return isinstance(test, nodes.Name) and self.expressions.is_execute(test.name)


def _taint(*, tainted: bool) -> int:
    return PARSED_YEAR if tainted else 0
