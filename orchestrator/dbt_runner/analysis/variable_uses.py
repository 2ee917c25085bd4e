"""Places at which one template reads variables, and what the SQL around them does with the value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

from jinja2 import Environment, TemplateSyntaxError, nodes

from orchestrator.dbt_runner.analysis.lexed_template import GAP, LexedTemplate
from orchestrator.dbt_runner.analysis.template_names import constant
from orchestrator.dbt_runner.analysis.variable_record import (
    ASSIGNED,
    COMPARED,
    EQUAL,
    ColumnUse,
    ValueCheck,
    VariableRead,
    VariableUses,
)

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_VALUE = rf"(?P<quote>'?){GAP}(?P<gap>\d+){GAP}'?"
_TYPE = r"\w+(?:\s*\([^()]*\))?"
_COLUMN = r'(?:\w+\s*\.\s*)?"?(?P<column>[A-Za-z_]\w*)"?'
_OPERATOR = r"(?P<operator><=|>=|<>|!=|=|<|>|\bbetween\b|\bin\s*\()"
_ASSIGNED = re.compile(
    rf"(?:\bselect\b|\bdistinct\b|,)\s*(?P<cast>(?:try_)?cast\s*\(\s*)?(?:date\s+)?{_VALUE}(?:\s*::\s*{_TYPE})?"
    rf"(?(cast)\s+as\s+{_TYPE}\s*\))\s+(?:as\s+)?(?!as\b|from\b|union\b|where\b){_COLUMN}",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    rf"{_COLUMN}\s*{_OPERATOR}\s*(?:date\s+)?(?:cast\s*\(\s*)?{_VALUE}(?P<moved>(?:\s*::\s*{_TYPE})?\s*[-+]\s*\d)?",
    re.IGNORECASE,
)
_COMPARED_BACKWARDS = re.compile(
    rf"{_VALUE}\s*(?:::\s*{_TYPE}\s*)?(?P<moved>[-+]\s*\d+\s*)?{_OPERATOR}\s*{_COLUMN}", re.IGNORECASE
)
_BOTH = re.compile(rf"'?{GAP}(?P<one>\d+){GAP}'?\s*(?:<=|>=|<>|!=|=|<|>)\s*'?{GAP}(?P<other>\d+){GAP}")
_WORD = re.compile(r"[A-Za-z_]\w*")
_LOOKUPS = frozenset({"get_relation", "load_relation", "load_cached_relation"})
_CAST_FILTERS = frozenset({"int", "string", "as_number", "as_text", "as_native", "trim"})


def variable_uses(environment: Environment, text: str, macros: Mapping[str, Set[str]]) -> VariableUses:
    """Look at a template; ``macros`` are the variables that each macro of the project reads.

    >>> found = variable_uses(Environment(), "select {{ var('y') }} as year from t where a.y0 < {{ var('y') - 1 }}", {})
    >>> [(one.variable, one.column, one.how) for one in found.columns]
    [('y', 'year', 'assigned'), ('y', 'y0', 'compared')]
    """
    try:
        tree = environment.parse(text)
    except TemplateSyntaxError:
        return VariableUses()
    values = _Values.of(tree, macros)
    lexed = LexedTemplate.of(environment, text)
    sql = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), lexed.sql)
    lines = _lines_of_gaps(environment, text)
    return VariableUses(
        reads=tuple(_reads(tree)),
        columns=tuple(_columns(environment, sql, lexed.expressions, lines, values)),
        checks=(*_checks(tree, values), *_sql_checks(environment, sql, lexed.expressions, lines, values)),
        words=frozenset(word.lower() for word in _WORD.findall(sql)),
        this_at=min((one.lineno for one in tree.find_all(nodes.Name) if _is_this(one)), default=None),
        looked_up=tuple(_looked_up(tree)),
    )


@dataclass
class _Values:
    """The variables whose values the names of a template may hold, and those that are exactly such a value."""

    macros: Mapping[str, Set[str]]
    holding: dict[str, set[str]] = field(default_factory=dict)
    exact: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: nodes.Template, macros: Mapping[str, Set[str]]) -> _Values:
        found = cls(macros)
        for _ in range(2):  # a name may be set to one that is set further down, in a loop
            for assigned in tree.find_all(nodes.Assign):
                if isinstance(assigned.target, nodes.Name):
                    name = assigned.target.name
                    found.holding.setdefault(name, set()).update(found.held_by(assigned.node))
                    exact = found.exactly(assigned.node)
                    if exact is not None:
                        found.exact[name] = exact
        return found

    def held_by(self, expression: nodes.Node) -> set[str]:
        found: set[str] = set()
        for node in (expression, *expression.find_all((nodes.Call, nodes.Name))):
            match node:
                case nodes.Call(node=nodes.Name(name="var")):
                    name = constant(node)
                    found |= set() if name is None else {name}
                case nodes.Call(node=nodes.Name(name=macro)):
                    found |= self.macros.get(macro, set())
                case nodes.Name(name=name):
                    found |= self.holding.get(name, set())
        return found

    def exactly(self, expression: nodes.Node) -> str | None:
        """Return the variable whose value an expression is, changed in its type alone."""
        while isinstance(expression, nodes.Filter) and expression.name in _CAST_FILTERS and expression.node is not None:
            expression = expression.node
        match expression:
            case nodes.Call(node=nodes.Name(name="var")):
                return constant(expression)
            case nodes.Call(node=nodes.Name(name=macro), args=[]) if len(self.macros.get(macro, ())) == 1:
                return next(iter(self.macros[macro]))
            case nodes.Name(name=name):
                return self.exact.get(name)
        return None


def _reads(tree: nodes.Template) -> Iterator[VariableRead]:
    for call in tree.find_all(nodes.Call):
        match call:
            case nodes.Call(node=nodes.Name(name="var")) | nodes.Call(node=nodes.Getattr(attr="var")):
                name = constant(call)
                if name is not None:
                    given = [*call.args[1:2], *(one.value for one in call.kwargs if one.key == "default")]
                    yield VariableRead(name, call.lineno, _json(given[0]) if given else None)


def _json(value: nodes.Node) -> str:
    try:
        return json.dumps(value.as_const() if isinstance(value, nodes.Expr) else None, default=str)
    except nodes.Impossible:
        return "null"


def _columns(
    environment: Environment, sql: str, expressions: list[str], lines: list[int], values: _Values
) -> Iterator[ColumnUse]:
    for pattern, how in ((_ASSIGNED, ASSIGNED), (_COMPARED, COMPARED), (_COMPARED_BACKWARDS, COMPARED)):
        for found in pattern.finditer(sql):
            number = int(found["gap"])
            expression = _expression(environment, expressions[number])
            if expression is None:
                continue
            exact = values.exactly(expression)
            parts = found.groupdict()
            names = values.held_by(expression) if how == COMPARED else ({exact} if exact is not None else set())
            equal = EQUAL if (parts.get("operator") or "") in ("=", "in (", "in(") else how
            moved = exact is None or parts.get("moved") is not None
            for name in names:
                yield ColumnUse(
                    name, found["column"].lower(), equal, lines[number], quoted=found["quote"] == "'", moved=moved
                )


def _expression(environment: Environment, text: str) -> nodes.Expr | None:
    try:
        output = environment.parse(f"{{{{ {text} }}}}").find(nodes.Output)
    except TemplateSyntaxError:
        return None
    printed = [] if output is None else [one for one in output.nodes if not isinstance(one, nodes.TemplateData)]
    return printed[0] if len(printed) == 1 else None


def _lines_of_gaps(environment: Environment, text: str) -> list[int]:
    return [line for line, kind, _ in environment.lex(text) if kind == "variable_begin"]


def _checks(tree: nodes.Template, values: _Values) -> Iterator[ValueCheck]:
    for one in tree.find_all(nodes.Compare):
        sides = [one.expr, *(operand.expr for operand in one.ops)]
        for side in sides:
            held = values.held_by(side)
            for other in sides:
                if other is side:
                    continue
                text = other.value if isinstance(other, nodes.Const) and isinstance(other.value, str) else None
                others: set[str | None] = {*values.held_by(other)} or {None}
                for variable in held:
                    for name in others:
                        if name is not None or text is not None:
                            yield ValueCheck(variable, name, text, one.lineno)


def _sql_checks(
    environment: Environment, sql: str, expressions: list[str], lines: list[int], values: _Values
) -> Iterator[ValueCheck]:
    for found in _BOTH.finditer(sql):
        numbers = (int(found["one"]), int(found["other"]))
        sides = [_expression(environment, expressions[number]) for number in numbers]
        first, second = (set() if side is None else values.held_by(side) for side in sides)
        for one in first:
            for other in second:
                yield ValueCheck(one, other, None, lines[numbers[0]])
                yield ValueCheck(other, one, None, lines[numbers[0]])


def _is_this(name: nodes.Name) -> bool:
    return name.name == "this" and name.ctx == "load"


def _looked_up(tree: nodes.Template) -> Iterator[tuple[str, int]]:
    for call in tree.find_all(nodes.Call):
        match call:
            case nodes.Call(node=nodes.Getattr(attr=method) | nodes.Name(name=method)) if method in _LOOKUPS:
                named = [one.value for one in call.kwargs if one.key == "identifier"] + call.args[-1:]
                for value in named:
                    if isinstance(value, nodes.Const) and isinstance(value.value, str):
                        yield value.value, call.lineno
