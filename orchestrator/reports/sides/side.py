"""One side of a comparison: a scenario, a run or a group of a sweep, with its closing table by year."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

from orchestrator.core.text import plural
from orchestrator.pipeline.workflow import Summary, SummaryColumn

Kind = Literal["scenario", "run", "sweep"]


@dataclass(frozen=True)
class Repetition:
    """One simulation of a side: ``seed`` is its random seed, ``years`` are its values by year and column.

    ``run_id`` and ``database`` are those that made it, as far as they are known.
    """

    name: str
    seed: int | None
    years: Mapping[int, Mapping[str, object]]
    run_id: str | None = None
    database: Path | None = None


@dataclass(frozen=True)
class Side:
    """A side; ``columns`` are those of its closing table but for the year, with labels and formats.

    The ``repetitions`` differ in nothing but the seed. ``parameters`` are settings by dotted key, without secrets.
    ``group`` are the varied values of a sweep's group by dotted key, its scenario among them. ``notes`` are what a
    reader has to know of it, a sentence each. ``inputs`` are what it was made of: a name and a checksum or value.
    """

    name: str
    kind: Kind
    columns: tuple[SummaryColumn, ...]
    repetitions: tuple[Repetition, ...]
    parameters: Mapping[str, object]
    notes: tuple[str, ...] = ()
    sweep: str | None = None
    group: Mapping[str, object] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The random seeds of its repetitions, as far as they are known, in order."""
        return tuple(sorted({one.seed for one in self.repetitions if one.seed is not None}))


def years_of(summary: Summary) -> tuple[dict[int, dict[str, object]], list[str]]:
    """Return the rows of a closing table by year, and sentences on rows that cannot be compared.

    A year that stands there several times is left out, as is a row without a year.
    """
    names = [column.name for column in summary.columns[1:]]
    found: dict[int, list[dict[str, object]]] = {}
    without = 0
    for row in summary.rows:
        year = as_year(row[0])
        if year is None:
            without += 1
        else:
            found.setdefault(year, []).append(dict(zip(names, row[1:], strict=True)))
    notes = [
        f"{year} is left out: its closing table has {len(rows)} rows of that year, and one is expected."
        for year, rows in found.items()
        if len(rows) > 1
    ]
    if without:
        notes.append(f"{plural(without, 'row')} of its closing table {'has' if without == 1 else 'have'} no year.")
    return {year: rows[0] for year, rows in found.items() if len(rows) == 1}, notes


def as_year(value: object) -> int | None:
    """Return a year as a number, None where it is none.

    >>> as_year(2025), as_year(Decimal("2025")), as_year("2025"), as_year(2025.5), as_year(None)
    (2025, 2025, 2025, None, None)
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return int(value) if value.strip().isdecimal() else None
    if isinstance(value, (int, float, Decimal)) and math.isfinite(value) and value == int(value):
        return int(value)
    return None


def as_number(value: object) -> float | None:
    """Return a value as a number, which may be infinite or NaN; None for what is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    return float(value)


def distinct_names(names: Sequence[str]) -> list[str]:
    """Return names no two of which are the same: later ones get a number.

    >>> distinct_names(["a", "b", "a"])
    ['a', 'b', 'a (2)']
    """
    found: list[str] = []
    for name in names:
        one, number = name, 1
        while one in found:
            number += 1
            one = f"{name} ({number})"
        found.append(one)
    return found
