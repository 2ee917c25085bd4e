"""Record of what one template can read and do, and what its analysis asks of the macros around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.dbt_runner.analysis.template_uses import NO_USES, TemplateUses

PARSED_YEAR = 1
"""A value may depend on the year while dbt parses."""
YEAR = 2
"""A text may hold the year when it is rendered."""
GIVEN = 4
"""A text of a macro may hold what the macro was called with."""
RENDERED = YEAR | GIVEN


@dataclass(frozen=True)
class TemplateRecord:
    """Record of one template, or of all macros of one name with their implementations for dispatch.

    The fingerprint asks for what it reads: ``vars`` are the variables that it or a macro it reaches reads, ``*`` among
    them where a name is computed; ``macros`` are the names of all macros that it reaches, all there are where a name is
    computed; ``reads`` are the names of dbt's that it or a macro of the project reads beside these, with the attribute
    where it is written down (``graph``, ``target.name``), ``unknown`` among them where something cannot be followed;
    ``uses_year`` tells that it reads the year.

    Reuse of a parse asks for ``blocker``: why a parse made for one year cannot serve another. ``decided`` are texts of
    expressions of the year (:mod:`orchestrator.dbt_runner.analysis.decided`): it can where each has the value that it
    had; there are none where nothing has to be looked at. ``decides``: it calls
    ref(), source() or config(), or changes something that outlives it; ``changes``: it may change the objects it is
    handed; ``shares``: it may return an object that is not its own.

    Replay asks for ``uses``, which are of its own text alone, and for the year in its text: ``result`` is what the
    text, or what a macro returns, may hold; ``beyond_print`` what something else is done with than to print it. Both
    are sums of ``YEAR`` and ``GIVEN``.
    """

    uses_year: bool = False
    decides: bool = False
    changes: bool = False
    shares: bool = False
    blocker: str | None = None
    vars: frozenset[str] = frozenset()
    macros: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    decided: frozenset[str] = frozenset()
    result: int = 0
    beyond_print: int = 0
    uses: TemplateUses = NO_USES

    @property
    def prints_year(self) -> bool:
        """Tell whether it reads the year, and provably does nothing with it but print it."""
        return self.uses_year and not self.beyond_print & YEAR


@dataclass
class GrowingRecord:
    """Fields of a :class:`TemplateRecord` while they are found; they only grow."""

    uses_year: bool = False
    decides: bool = False
    changes: bool = False
    shares: bool = False
    blocker: str | None = None
    vars: set[str] = field(default_factory=set)
    macros: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)
    result: int = 0
    beyond_print: int = 0

    def add(self, other: TemplateRecord | GrowingRecord) -> None:
        """Take over what another template, or another implementation of the same macro, does."""
        self.uses_year |= other.uses_year
        self.decides |= other.decides
        self.changes |= other.changes
        self.shares |= other.shares
        self.blocker = self.blocker or other.blocker
        self.vars |= other.vars
        self.macros |= other.macros
        self.reads |= other.reads
        self.decided |= other.decided
        self.result |= other.result
        self.beyond_print |= other.beyond_print

    def size(self) -> tuple[int, ...]:
        """Return numbers that change whenever :meth:`add` or a walk adds something."""
        flags = (self.uses_year, self.decides, self.changes, self.shares, self.blocker is not None)
        sets = (self.vars, self.macros, self.reads, self.decided)
        return (*map(int, flags), *map(len, sets), self.result, self.beyond_print)

    def frozen(self, uses: TemplateUses = NO_USES) -> TemplateRecord:
        """Return the record as far as it has grown, with the ``uses`` of the template's own text."""
        return TemplateRecord(
            uses_year=self.uses_year,
            decides=self.decides,
            changes=self.changes,
            shares=self.shares,
            blocker=self.blocker,
            vars=frozenset(self.vars),
            macros=frozenset(self.macros),
            reads=frozenset(self.reads),
            decided=frozenset(self.decided),
            result=self.result,
            beyond_print=self.beyond_print,
            uses=uses,
        )


class Macros(Protocol):
    """The macros of a project, as the analysis of a template asks for them."""

    def macro(self, name: str) -> TemplateRecord | GrowingRecord:
        """Return what a macro, with all its implementations for dispatch, does."""

    @property
    def works_out(self) -> bool:
        """Tell whether expressions of the year that decide are noted, in place of a blocker."""

    def returned(self, name: str) -> str | None:
        """Return the text of the expression that is all that a macro is; None where it is anything else."""

    def known(self, name: str) -> bool:
        """Tell whether a macro of that name exists in any package."""

    def dispatches(self, name: str) -> bool:
        """Tell whether there is a macro that dispatch may find by that name."""

    def is_open(self, name: str) -> bool:
        """Tell whether a macro is being looked at: it calls itself."""

    def names(self) -> set[str]:
        """Return the names of all macros."""

    def strings(self, text: str) -> TemplateRecord:
        """Look at a constant that holds Jinja itself."""
