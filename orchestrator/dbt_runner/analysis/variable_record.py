"""Record of what one template does with variables."""

from __future__ import annotations

from dataclasses import dataclass

ASSIGNED, EQUAL, COMPARED = "assigned", "equal", "compared"


@dataclass(frozen=True)
class VariableRead:
    """One ``var()``: ``default`` is the JSON of what it gives in place of a value, None where it gives nothing."""

    name: str
    line: int
    default: str | None


@dataclass(frozen=True)
class ColumnUse:
    """A variable's value that SQL gives to a column, finds equal to one, or compares with one in another way.

    ``quoted`` where it stands in quotes, ``moved`` where a number is added to it, or taken from it.
    """

    variable: str
    column: str
    how: str
    line: int
    quoted: bool
    moved: bool = False


@dataclass(frozen=True)
class ValueCheck:
    """A comparison in Jinja: of a variable with another one, or with a text that is written there."""

    variable: str
    other: str | None
    text: str | None
    line: int


@dataclass(frozen=True)
class VariableUses:
    """What a template does with variables; lines are counted in its own text, from 1.

    ``words`` are the names in its SQL, in lower case; ``this_at`` is the first line that reads ``this``, and
    ``looked_up`` are (name, line) of the relations that it looks up by a name that is written down.
    """

    reads: tuple[VariableRead, ...] = ()
    columns: tuple[ColumnUse, ...] = ()
    checks: tuple[ValueCheck, ...] = ()
    words: frozenset[str] = frozenset()
    this_at: int | None = None
    looked_up: tuple[tuple[str, int], ...] = ()
