"""Follow the year through the statements of one template: a model, a test or a macro.

Statements are tainted when whether, or how often, they run may depend on the year. Taint only grows, so the tree
is walked until nothing is added: order, loops and jumps then need no care of their own. What stands under
``{% if execute %}`` never runs while dbt parses; there only variables and macros are noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from jinja2 import nodes

from orchestrator.dbt_runner.analysis.jinja_values import JinjaValues
from orchestrator.dbt_runner.analysis.template_code import Code, Macros


def examine(
    macros: Macros, year_vars: frozenset[str], tree: nodes.Template, *, is_macro: bool, of_dbt: bool = False
) -> Code:
    """Return what a template does; only the source of a macro may define one.

    What macros ``of_dbt`` read by themselves is not noted: it is known (see
    :mod:`orchestrator.dbt_runner.project.node_inputs`), and they go by their version.
    """
    walk = _Walk(JinjaValues(macros, year_vars, tree, notes_reads=not of_dbt), is_macro=is_macro)
    before: tuple[int, ...] = ()
    while before != (before := walk.size()):
        walk.through(tree)
    return walk.values.code


class _Walk:
    def __init__(self, values: JinjaValues, *, is_macro: bool) -> None:
        self.values = values
        self._is_macro = is_macro
        self._bodies_of_year: set[int] = set()
        self._output = False

    def size(self) -> tuple[int, ...]:
        """Return numbers that grow whenever a walk found something new."""
        return (len(self._bodies_of_year), *self.values.size())

    def through(self, tree: nodes.Template) -> None:
        """Visit every statement; after a jump that depends on the year, all of them do."""
        self._body(tree.body, tainted=self.values.jumps)

    def _body(self, body: Iterable[nodes.Node], *, tainted: bool) -> None:
        for node in body:
            self._statement(node, tainted=tainted)

    def _statement(self, node: nodes.Node, *, tainted: bool) -> None:
        values = self.values
        match node:
            case nodes.Output():
                for part in node.nodes:
                    self._output |= values.of(part, tainted=tainted) or tainted
            case nodes.ExprStmt():
                values.of(node.node, tainted=tainted)
            case nodes.If():
                self._if(node, tainted=tainted)
            case nodes.For():
                self._for(node, tainted=tainted)
            case nodes.Assign():
                values.assign(node.target, node.node, tainted=values.of(node.node, tainted=tainted) or tainted)
            case nodes.With():
                for target, given in zip(node.targets, node.values, strict=True):
                    values.assign(target, given, tainted=values.of(given, tainted=tainted) or tainted)
                self._body(node.body, tainted=tainted)
            case nodes.AssignBlock() | nodes.FilterBlock() | nodes.CallBlock():
                self._capture(node, tainted=tainted)
            case _:
                self._rare_statement(node, tainted=tainted)

    def _rare_statement(self, node: nodes.Node, *, tainted: bool) -> None:
        match node:
            case nodes.Macro() if self._is_macro:
                self._defaults(node, tainted=tainted)
                self._body(node.body, tainted=tainted)
            case nodes.Break() | nodes.Continue():
                self.values.jump(depends=tainted)
            case _:
                self.values.doubt(f"{{% {type(node).__name__.lower()} %}} cannot be followed")

    def _if(self, node: nodes.If, *, tainted: bool) -> None:
        inner = self.values.of(node.test, tainted=tainted) or tainted
        if self._asks_execute(node.test):
            with self._executing():
                self._body(node.body, tainted=inner)
        else:
            self._body(node.body, tainted=inner)
        for branch in node.elif_:
            inner = self.values.of(branch.test, tainted=inner) or inner
            self._body(branch.body, tainted=inner)
        self._body(node.else_, tainted=inner)

    def _for(self, node: nodes.For, *, tainted: bool) -> None:
        inner = self.values.of(node.iter, tainted=tainted) or tainted
        self.values.assign(node.target, node.iter, tainted=inner, part=True)
        self.values.assign(nodes.Name("loop", "store"), None, tainted=inner)
        if node.recursive:
            self.values.doubt("a recursive loop cannot be followed")
        if node.test is not None:
            inner = self.values.of(node.test, tainted=inner) or inner
        self._body(node.body, tainted=inner)
        self._body(node.else_, tainted=inner)

    def _capture(self, node: nodes.AssignBlock | nodes.FilterBlock | nodes.CallBlock, *, tainted: bool) -> None:
        if isinstance(node, nodes.CallBlock):
            self._call_block(node, tainted=tainted)
            return
        depends_on_year = self._captured(node.body, tainted=tainted) or tainted
        if node.filter is not None:
            depends_on_year |= self.values.of(node.filter, tainted=tainted)
        if isinstance(node, nodes.AssignBlock):
            self.values.assign(node.target, None, tainted=depends_on_year)
        else:
            self._output |= depends_on_year

    def _call_block(self, node: nodes.CallBlock, *, tainted: bool) -> None:
        depends_on_year = id(node) in self._bodies_of_year
        inner = self.values.call(node.call, tainted=tainted, body=depends_on_year) or tainted
        for param in node.args:
            self.values.assign(param, node.call, tainted=inner, part=True)
        self._defaults(node, tainted=inner)
        if self._captured(node.body, tainted=inner):
            self._bodies_of_year.add(id(node))
        self._output |= inner or depends_on_year

    def _defaults(self, node: nodes.Macro | nodes.CallBlock, *, tainted: bool) -> None:
        for param, default in zip(reversed(node.args), reversed(node.defaults), strict=False):
            self.values.assign(param, default, tainted=self.values.of(default, tainted=tainted))

    def _captured(self, body: Iterable[nodes.Node], *, tainted: bool) -> bool:
        """Visit statements and tell whether the text they make depends on the year."""
        before, self._output = self._output, False
        self._body(body, tainted=tainted)
        depends_on_year, self._output = self._output, before
        return depends_on_year

    @contextmanager
    def _executing(self) -> Iterator[None]:
        before, self.values.executing = self.values.executing, True
        yield
        self.values.executing = before

    def _asks_execute(self, test: nodes.Node) -> bool:
        if isinstance(test, nodes.And):
            return self._asks_execute(test.left) or self._asks_execute(test.right)
        return isinstance(test, nodes.Name) and self.values.is_execute(test.name)
