"""Code of one template, and what a walk through it asks of the macros around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

ANY_VAR = "*"
UNKNOWN = "unknown"


@dataclass
class Code:
    """Code of one template: what it calls and reads.

    ``uses_year``: it reads the year. ``decides``: it calls ref(), source() or config(), or changes something that
    outlives it. ``changes``: it may change the objects it is handed. ``shares``: it may return an object that is not
    its own. ``vars`` are the variables that it or a macro it reaches reads, ``*`` among them where a name is
    computed; ``macros`` are the names of all macros that it reaches, all there are where a name is computed. ``reads``
    are the names of dbt's that it or a macro of the project reads beside these, with the attribute where it is written
    down: ``graph``, ``target.name``; ``unknown`` among them where something cannot be followed.
    """

    uses_year: bool = False
    decides: bool = False
    changes: bool = False
    shares: bool = False
    blocker: str | None = None
    vars: set[str] = field(default_factory=set)
    macros: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)

    def add(self, other: Code) -> None:
        """Take over what another template, or another implementation of the same macro, does."""
        self.uses_year |= other.uses_year
        self.decides |= other.decides
        self.changes |= other.changes
        self.shares |= other.shares
        self.blocker = self.blocker or other.blocker
        self.vars |= other.vars
        self.macros |= other.macros
        self.reads |= other.reads

    def size(self) -> tuple[int, ...]:
        """Return numbers that grow whenever :meth:`add` or a walk adds something."""
        flags = (self.uses_year, self.decides, self.changes, self.shares, self.blocker is not None)
        return (*map(int, flags), len(self.vars), len(self.macros), len(self.reads))


class Macros(Protocol):
    """The macros of a project, as a walk asks for them."""

    def macro(self, name: str) -> Code:
        """Return what a macro, with all its implementations for dispatch, does."""

    def known(self, name: str) -> bool:
        """Tell whether a macro of that name exists in any package."""

    def names(self) -> set[str]:
        """Return the names of all macros."""

    def strings(self, text: str) -> Code:
        """Look at a constant that holds Jinja itself."""
