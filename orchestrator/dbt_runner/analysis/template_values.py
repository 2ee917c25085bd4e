"""Values of the names of one template, and what is noted of the template on the way."""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import nodes

from orchestrator.dbt_runner.analysis.decided import is_constant, variables_in, written
from orchestrator.dbt_runner.analysis.jinja_names import FIXED_NAMES
from orchestrator.dbt_runner.analysis.marks import ANY_VAR, UNKNOWN
from orchestrator.dbt_runner.analysis.shared_objects import SharedObjects
from orchestrator.dbt_runner.analysis.template_names import TemplateNames, names_in
from orchestrator.dbt_runner.analysis.template_record import (
    GIVEN,
    PARSED_YEAR,
    RENDERED,
    GrowingRecord,
    Macros,
    TemplateRecord,
)

NEVER_GIVEN = frozenset({"var", "return", "adapter"})
"""Names by which the year is read and returned: where they mean something else, nothing is sure."""


class TemplateValues:
    """Values that the names of one template may have, as ``bits``; ``record`` collects the answer.

    A name has a bit when its value may have it anywhere in the template. ``used_up`` are names that may stand for an
    iterator. ``executing`` is set while statements are visited that never run while dbt parses; ``jumps`` tells that a
    return, break or continue was met that depends on the year.
    """

    def __init__(
        self, macros: Macros, year_vars: frozenset[str], names: TemplateNames, *, is_macro: bool, notes_reads: bool
    ) -> None:
        self.record = GrowingRecord()
        self._notes_reads = notes_reads
        self.executing = False
        self.jumps = False
        self.macros = macros
        self.year_vars = year_vars
        self.names = names
        self.fixed = FIXED_NAMES - names.own
        self.bits = dict.fromkeys((*names.params, "varargs", "kwargs"), GIVEN) if is_macro else {}
        self.used_up: set[str] = set()
        self.objects = SharedObjects(macros, year_vars, names)
        given = names.own - names.params  # before that, the name may stand for something else
        if names.own & NEVER_GIVEN or any(map(macros.known, given)):
            self.unfollowed()

    def size(self) -> tuple[int, ...]:
        """Return numbers that grow whenever something new was found."""
        return (sum(self.bits.values()), len(self.objects), len(self.used_up), self.jumps, *self.record.size())

    def assign(self, target: nodes.Node, value: nodes.Node | None, bits: int, *, part: bool = False) -> None:
        """Give a value, or a ``part`` of it, to the names of a target."""
        names = {target.name} if isinstance(target, (nodes.Name, nodes.NSRef)) else names_in(target)
        if not isinstance(target, nodes.Name):
            bits = self.beyond_print(bits)
        if self.executing:
            self.give(names, bits & RENDERED)
            return
        held = set() if value is None else self.objects.of(value)
        if isinstance(target, nodes.NSRef):
            self.objects.hold(names, held)
            self.change(names, inside=False, depends=bool(bits))
        elif isinstance(target, nodes.Name) and isinstance(value, (nodes.List, nodes.Tuple, nodes.Dict)) and not part:
            self.objects.hold(names, held)
        else:
            self.objects.join(names, held)
        self.give(names, bits)
        if value is not None and self.objects.is_used_up(value):
            self.used_up |= names

    def jump(self, *, depends: bool) -> None:
        """Note that statements may be left early."""
        self.jumps |= depends and not self.executing

    def beyond_print(self, bits: int) -> int:
        """Note that something else is done with a value than to print it; return what is left to follow."""
        self.record.beyond_print |= bits & RENDERED
        return bits & PARSED_YEAR

    def unfollowed(self) -> None:
        """Note that anything may be done with the year that is rendered."""
        self.record.beyond_print = RENDERED

    def doubt(self, reason: str) -> int:
        """Block, because something cannot be followed: it may read any variable and reach any macro."""
        self.record.macros |= self.macros.names()
        self.block(reason)
        self.read(UNKNOWN)
        return self.any_var()

    def any_var(self) -> int:
        """Note that any variable may be read, the year among them, and return the bits of its value."""
        self.record.vars.add(ANY_VAR)
        return self.any_year()

    def any_year(self) -> int:
        """Note that something may be read that is another thing each year, and return the bits of its value."""
        self.unfollowed()
        self.record.uses_year = True
        return PARSED_YEAR

    def note(self, name: str) -> TemplateRecord | GrowingRecord:
        """Take over what a macro reads and reaches, and return its record."""
        macro = self.macros.macro(name)
        self.record.macros |= {name} | macro.macros
        self.record.vars |= macro.vars
        self.record.reads |= macro.reads
        self.record.uses_year |= macro.uses_year
        return macro

    def change(self, names: set[str], *, inside: bool, depends: bool) -> None:
        """Note that the objects of these names may change, and whether that depends on the year."""
        if self.executing:
            return
        touched = self.objects.touched(names, inside=inside)
        self.record.changes |= not touched.isdisjoint(self.names.params)
        for name in sorted(touched - self.names.own):
            self.record.changes |= name in ("varargs", "kwargs")
            self.decision(f"a change of {name}", depends=depends)
        if depends:
            self.give(touched & self.names.own, PARSED_YEAR)

    def give(self, names: Iterable[str], bits: int) -> None:
        """Note that these names may have values with these bits."""
        if bits:
            for name in names:
                self.bits[name] = self.bits.get(name, 0) | bits

    def is_shared(self, name: str) -> bool:
        """Tell whether what a name holds may belong to others than the template."""
        touched = self.objects.touched({name}, inside=True)
        return not (touched - self.names.params) <= self.names.own

    def decision(self, what: str, *, depends: bool) -> None:
        """Note what dbt keeps of a parse, and block where that ``depends`` on the year."""
        if self.executing:
            return
        self.record.decides = True
        if depends:
            self.block(f"{what} depends on the year")

    def read(self, name: str) -> int:
        """Note that something of dbt's is read that is the same in all years, and return no bits."""
        if self._notes_reads:
            self.record.reads.add(name)
        return 0

    def works_out(self, expressions: Iterable[nodes.Node]) -> bool:
        """Note expressions that decide, where all can be worked out for each year; tell whether they can."""
        if not self.macros.works_out or "var" in self.names.own or self.macros.known("var"):
            return False
        found: set[str] = set()
        for expression in expressions:
            text = written(expression, self.names.assigned, self._returned)
            if text is not None:
                found.add(text)
            elif not is_constant(expression):
                return False
        of_year = {text for text in found if not variables_in(text).isdisjoint(self.year_vars)}
        if of_year and not self.executing:
            self.record.decided |= of_year
        return bool(of_year)

    def _returned(self, name: str) -> str | None:
        return None if name in self.names.own else self.macros.returned(name)

    def block(self, reason: str) -> None:
        """Note why a parse made for one year cannot serve another; the first reason counts."""
        if not self.executing:
            self.record.blocker = self.record.blocker or reason
