"""Proof that a node does nothing with the year but print it, so that its SQL differs from year to year in that alone.

The proof is by permission. A value that holds the year may be printed, joined to other text with ``~``, given a name,
handed to a macro, and returned by it. Whatever else is done with it, a comparison, a filter, a sum, a place in a list,
or anything that is not known here, and the node is compiled by dbt in every year. Names that could give the year in
another way (``context``, ``flags`` and the like) are for :mod:`orchestrator.dbt_runner.replay.proof` to rule out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from jinja2 import Environment, TemplateSyntaxError, nodes

from orchestrator.dbt_runner.analysis.template_names import TemplateNames, arguments, constant, dispatched


class MoreThanPrintedError(Exception):
    """Something else is done with the year, or may be."""


class PrintProof:
    """Answers for one project.

    ``macros`` maps a macro's name to the texts of all macros of that name; ``reads_year`` tells whether a macro, or one
    that it reaches, reads the year by itself.
    """

    def __init__(
        self,
        environment: Environment,
        macros: Mapping[str, Sequence[str]],
        reads_year: Callable[[str], bool],
        year_vars: frozenset[str],
    ) -> None:
        self._environment = environment
        self._macros = macros
        self._reads_year = reads_year
        self._year_vars = year_vars
        self._results: dict[tuple[str, bool], bool | None] = {}

    def holds(self, text: str) -> bool:
        """Tell whether the code of a node only prints the year, in itself and in the macros that it calls."""
        try:
            _Walk(self, self._parse(text), is_macro=False, params_depend_on_year=False).through()
        except MoreThanPrintedError:
            return False
        return True

    def call(self, name: str, *, depends_on_year: bool) -> bool:
        """Tell whether the result of a macro, called with the year among its arguments or not, holds the year.

        Raises:
            MoreThanPrintedError: the macro does more with it.
        """
        if not depends_on_year and not self._reads_year(name):
            return False
        key = (name, depends_on_year)
        if key not in self._results:
            self._results[key] = None  # what calls itself is not followed
            trees = [self._parse(text) for text in self._macros[name]]
            self._results[key] = any(
                [_Walk(self, tree, is_macro=True, params_depend_on_year=depends_on_year).through() for tree in trees]
            )
        result = self._results[key]
        if result is None:
            raise MoreThanPrintedError
        return result

    def implementations(self, name: str) -> list[str]:
        """Return the macros that a dispatch of a name may call."""
        return [macro for macro in self._macros if macro.endswith(f"__{name}")]

    def is_macro(self, name: str) -> bool:
        """Tell whether there is a macro of that name."""
        return name in self._macros

    def is_year(self, name: str) -> bool:
        """Tell whether a variable holds the year."""
        return name in self._year_vars

    def _parse(self, text: str) -> nodes.Template:
        try:
            return self._environment.parse(text)
        except TemplateSyntaxError:
            raise MoreThanPrintedError from None


class _Walk:
    """One template: which of its names hold the year, and whether its output or what it returns does."""

    def __init__(self, proof: PrintProof, tree: nodes.Template, *, is_macro: bool, params_depend_on_year: bool) -> None:
        self._proof = proof
        self._tree = tree
        self._is_macro = is_macro
        self._names = TemplateNames.of(tree)
        given = self._names.own - self._names.params  # before that, the name may stand for something else
        if self._names.own & {"var", "return", "adapter"} or any(map(proof.is_macro, given)):
            raise MoreThanPrintedError
        self._names_of_year = {*self._names.params, "varargs", "kwargs"} if params_depend_on_year else set()
        self._result = False

    def through(self) -> bool:
        """Visit all statements until nothing is added; tell whether the result holds the year."""
        before = -1
        while before != (before := len(self._names_of_year) + self._result):
            self._result |= self._body(self._tree.body)
        return self._result

    def _body(self, body: Iterable[nodes.Node]) -> bool:
        """Visit statements and tell whether the text they make holds the year."""
        return any([self._statement(node) for node in body])

    def _statement(self, node: nodes.Node) -> bool:
        match node:
            case nodes.Output():
                return any([self._value(part) for part in node.nodes])
            case nodes.ExprStmt():
                self._value(node.node)
                return False
            case nodes.Macro() if self._is_macro and node in self._tree.body:
                self._require_constant(*node.defaults)
                return self._body(node.body)
            case nodes.If():
                self._require_constant(node.test)
                return any([self._body(node.body), *map(self._statement, node.elif_), self._body(node.else_)])
            case nodes.For(recursive=False):
                self._require_constant(node.iter, *([node.test] if node.test is not None else []))
                return any([self._body(node.body), self._body(node.else_)])
            case nodes.Assign():
                self._assign(node.target, depends_on_year=self._value(node.node))
                return False
            case nodes.AssignBlock(filter=None):
                self._assign(node.target, depends_on_year=self._body(node.body))
                return False
            case _:
                raise MoreThanPrintedError

    def _assign(self, target: nodes.Node, *, depends_on_year: bool) -> None:
        if not depends_on_year:
            return
        if not isinstance(target, nodes.Name):
            raise MoreThanPrintedError
        self._names_of_year.add(target.name)

    def _value(self, node: nodes.Node) -> bool:
        """Tell whether the value of an expression holds the year."""
        match node:
            case nodes.Const(value=str(text)) | nodes.TemplateData(data=text) if "{{" in text or "{%" in text:
                raise MoreThanPrintedError
            case nodes.Const() | nodes.TemplateData():
                return False
            case nodes.Name(name=name):
                if name not in self._names.own and (name == "var" or self._proof.is_macro(name)):
                    raise MoreThanPrintedError  # it may be called by another name
                return name in self._names_of_year
            case nodes.Concat():
                return any([self._value(part) for part in node.nodes])
            case nodes.CondExpr():
                self._require_constant(node.test)
                return any([self._value(part) for part in (node.expr1, node.expr2) if part is not None])
            case nodes.Call():
                return self._call(node)
            case _:
                self._require_constant(*node.iter_child_nodes())
                return False

    def _require_constant(self, *expressions: nodes.Node) -> None:
        """Visit expressions in whose values the year must not be."""
        if any([self._value(expression) for expression in expressions]):
            raise MoreThanPrintedError

    def _call(self, node: nodes.Call) -> bool:
        depends_on_year = any([self._value(argument) for argument in arguments(node)])
        match node.node:
            case nodes.Name(name="var"):
                return self._var(node, depends_on_year=depends_on_year)
            case nodes.Name(name="return"):
                self._result |= depends_on_year
                return False
            case nodes.Name(name=name) if name in self._names.dispatched:
                return self._macros(
                    self._proof.implementations(self._names.dispatched[name]), depends_on_year=depends_on_year
                )
            case nodes.Name(name=name) if name not in self._names.own and self._proof.is_macro(name):
                return self._macros([name], depends_on_year=depends_on_year)
            case nodes.Call() as inner if (macro := dispatched(inner)) is not None:
                return self._macros(self._proof.implementations(macro), depends_on_year=depends_on_year)
            case nodes.Getattr(node=nodes.Name() as owner, attr=name) if self._proof.is_macro(name):
                self._require_constant(owner)
                return self._macros([name], depends_on_year=depends_on_year)
            case _ if depends_on_year:
                raise MoreThanPrintedError
            case _:
                self._require_constant(node.node)
                return False

    def _macros(self, names: Sequence[str], *, depends_on_year: bool) -> bool:
        if not names:
            raise MoreThanPrintedError
        return any([self._proof.call(name, depends_on_year=depends_on_year) for name in names])

    def _var(self, node: nodes.Call, *, depends_on_year: bool) -> bool:
        name = constant(node)
        if name is None or depends_on_year:
            raise MoreThanPrintedError
        return self._proof.is_year(name)
