"""Evidence that a required table is not ready, as values: one class for each problem."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import ClassVar

from orchestrator.ledger.changes import Change


class Problem(str, Enum):
    """Kind of fault of a required table; ``failed``, ``incomplete`` and ``stale`` come from the ledger."""

    MISSING = "missing"
    WRONG_TYPE = "wrong_type"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    EMPTY = "empty"
    DRIFTED = "drifted"
    STALE = "stale"


@dataclass(frozen=True)
class Missing:
    """There is no relation of its name."""

    problem: ClassVar[Problem] = Problem.MISSING


@dataclass(frozen=True)
class FileMissing:
    """Its relation is there, and the file that it reads is not; ``file`` is its path, or what the database says."""

    problem: ClassVar[Problem] = Problem.MISSING
    file: str


@dataclass(frozen=True)
class WrongKind:
    """It is a view where a table is required, or the reverse."""

    problem: ClassVar[Problem] = Problem.WRONG_TYPE
    expected: str
    found: str


@dataclass(frozen=True)
class Unfinished:
    """A build of it began at ``since`` (UTC) and never ended.

    ``skipped_for`` is the name of what it is built from and what failed then, None where it was cut off itself.
    """

    problem: ClassVar[Problem] = Problem.INCOMPLETE
    since: datetime
    skipped_for: str | None = None


@dataclass(frozen=True)
class Failed:
    """Its last build failed at ``since`` (UTC), with this ``message`` of dbt's."""

    problem: ClassVar[Problem] = Problem.FAILED
    since: datetime
    message: str


@dataclass(frozen=True)
class TooFewRows:
    """At least ``expected`` rows are promised."""

    problem: ClassVar[Problem] = Problem.EMPTY
    expected: int
    found: int


@dataclass(frozen=True)
class ColumnsDiffer:
    """Its columns are not those of the seed file or of the model's contract.

    ``expected`` and ``found`` are all columns, in order, as (name, type in the database's own words); the type is None
    where none is promised, or none that the database knows. Names are compared without regard to case. ``of_seed``
    tells that it is a seed, whose file promises the columns; elsewhere the contract does.
    """

    problem: ClassVar[Problem] = Problem.DRIFTED
    expected: tuple[tuple[str, str | None], ...]
    found: tuple[tuple[str, str], ...]
    of_seed: bool = field(kw_only=True)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Return the columns that are promised and not there."""
        there = {name.lower() for name, _ in self.found}
        return tuple(name for name, _ in _unique(self.expected) if name.lower() not in there)

    @property
    def unexpected(self) -> tuple[str, ...]:
        """Return the columns that are there and not promised."""
        promised = {name.lower() for name, _ in self.expected}
        return tuple(name for name, _ in self.found if name.lower() not in promised)

    @property
    def mistyped(self) -> tuple[tuple[str, str, str], ...]:
        """Return the columns of another type than is promised, as (name, promised type, type found)."""
        there = {name.lower(): data_type for name, data_type in self.found}
        typed = [(name, data_type, there.get(name.lower())) for name, data_type in _unique(self.expected)]
        return tuple((name, a, b) for name, a, b in typed if a is not None and b is not None and a != b)

    @property
    def reordered(self) -> bool:
        """Tell whether the same columns stand in another order; it matters for a seed, which is loaded by position."""
        return [n.lower() for n, _ in _unique(self.expected)] != [n.lower() for n, _ in _unique(self.found)]

    @property
    def matters(self) -> bool:
        """Tell whether there is a difference for which the table must be built again."""
        return bool(self.lacking or self.unexpected or self.mistyped or (self.of_seed and self.reordered))


@dataclass(frozen=True)
class RowsChanged:
    """Its rows are not those that were built: ``expected`` then, ``found`` now, and the same number if others."""

    problem: ClassVar[Problem] = Problem.DRIFTED
    since: datetime | None
    expected: int
    found: int


@dataclass(frozen=True)
class ViewReplaced:
    """It is another view than the one that was built at ``since`` (UTC)."""

    problem: ClassVar[Problem] = Problem.DRIFTED
    since: datetime | None


@dataclass(frozen=True)
class Outdated:
    """Change of what it was built from, at or after ``since`` (UTC), when ``name`` was built.

    ``node`` (unique id), ``name``, ``resource_type`` and ``file`` (relative to the project) are those of the cause: the
    node of the table itself or, where ``inherited``, one that it is built from. ``changes`` are its code and the
    variables that it reads.
    """

    problem: ClassVar[Problem] = Problem.STALE
    since: datetime
    node: str
    name: str
    resource_type: str
    file: str
    changes: tuple[Change, ...]
    inherited: bool = field(kw_only=True)


@dataclass(frozen=True)
class UpstreamDiffers:
    """Something that it is built from is not what it was at ``since`` (UTC), when the table was built.

    ``names`` are what was built again after that, where that is known; ``why`` says what is wrong with the first, where
    something is.
    """

    problem: ClassVar[Problem] = Problem.STALE
    since: datetime
    names: tuple[str, ...]
    why: str | None = None


Evidence = (
    Missing
    | FileMissing
    | WrongKind
    | Unfinished
    | Failed
    | TooFewRows
    | ColumnsDiffer
    | RowsChanged
    | ViewReplaced
    | Outdated
    | UpstreamDiffers
)


def _unique(columns: tuple[tuple[str, str | None], ...]) -> list[tuple[str, str | None]]:
    """Leave out the columns whose name, but for its case, another one has: the last one of a name counts."""
    return list({name.lower(): (name, data_type) for name, data_type in columns}.values())
