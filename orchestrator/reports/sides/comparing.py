"""Sides compared by year: what each has, and how it differs from the first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import nearest, plural, shown_years
from orchestrator.pipeline.workflow import SummaryColumn
from orchestrator.reports.sides.intervals import Interval, MeanDifference, difference_of, mean_of
from orchestrator.reports.sides.settings import SEED, recorded_settings
from orchestrator.reports.sides.side import Side, as_number

if TYPE_CHECKING:
    import duckdb

TEXT = "text"
MOST_NAMED = 4
ROW_COLUMNS = (
    *((name, "varchar") for name in ("metric", "label", "format")),
    *(("year", "integer"), ("side", "varchar")),
    *(("mean", "double"), ("low", "double"), ("high", "double"), ("count", "integer"), ("text", "varchar")),
    *((name, "double") for name in ("difference", "difference_percent", "difference_low", "difference_high")),
    *(("paired", "boolean"), ("missing", "integer"), ("null", "integer"), ("not_finite", "integer")),
)
"""Names and types of the rows of a comparison."""


@dataclass(frozen=True)
class Cell:
    """What one side has of one metric in one year: ``value`` over its repetitions, and ``change`` to the first side.

    ``value`` is None where no repetition has a number; ``text`` is what a column of texts says then. ``missing``
    repetitions have no row of that year or no such column, ``null`` ones have NULL there, ``not_finite`` ones an
    infinite number or none at all (NaN).
    """

    value: Interval | None
    change: MeanDifference | None
    text: str | None = None
    missing: int = 0
    null: int = 0
    not_finite: int = 0

    @property
    def lacks(self) -> str:
        """Say what is not there, in words; empty where nothing is wanting."""
        parts = ((self.missing, "missing"), (self.null, "NULL"), (self.not_finite, "not finite"))
        return ", ".join(
            word if self.value is None and count == 1 else f"{count} {word}" for count, word in parts if count
        )


@dataclass(frozen=True)
class MetricTable:
    """One column of the closing table: a row for each year, with a cell for each side."""

    name: str
    label: str
    format: str
    rows: tuple[tuple[int, tuple[Cell, ...]], ...]


@dataclass(frozen=True)
class DifferingParameter:
    """A setting that not all sides have alike, with the value of each; None where one has it not at all."""

    name: str
    values: tuple[object, ...]


@dataclass(frozen=True)
class SidesComparison:
    """Sides with the settings that differ, and a table for each metric."""

    sides: tuple[Side, ...]
    parameters: tuple[DifferingParameter, ...]
    metrics: tuple[MetricTable, ...]
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def years(self) -> tuple[int, ...]:
        """All years that are compared."""
        return tuple(sorted({year for metric in self.metrics for year, _ in metric.rows}))

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield a row for each metric, year and side, its columns as :data:`ROW_COLUMNS` names them."""
        for metric in self.metrics:
            for year, cells in metric.rows:
                for side, cell in zip(self.sides, cells, strict=True):
                    value, change = cell.value, cell.change
                    of_value = (None,) * 4 if value is None else (value.mean, value.low, value.high, value.count)
                    of_change: tuple[object, ...] = (None,) * 5
                    if change is not None:
                        of_change = change.mean, change.percent, change.low, change.high, change.paired
                    head = (metric.name, metric.label, metric.format, year, side.name)
                    yield *head, *of_value, cell.text, *of_change, cell.missing, cell.null, cell.not_finite

    def relation(self, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyRelation:
        """Return these rows as a relation of DuckDB, which gives Arrow and data frames, on a connection of its own."""
        import duckdb  # slow to import

        connected = duckdb.connect() if connection is None else connection
        marks = ", ".join(f"?::{kind}" for _, kind in ROW_COLUMNS)
        names = ", ".join(f'"{name}"' for name, _ in ROW_COLUMNS)
        rows = list(self.rows())
        values = ", ".join(f"({marks})" for _ in rows) or f"({marks})"
        given = [value for row in rows for value in row] or [None] * len(ROW_COLUMNS)
        where = "" if rows else " where false"
        return connected.sql(f"select * from (values {values}) as found({names}){where}", params=given)


def require_several(sides: Sequence[Side]) -> Sequence[Side]:
    """Return sides of which there are two or more.

    Raises:
        ConfigurationError: there is one, or none.
    """
    if len(sides) < 2:
        name = sides[0].name if sides else "nothing"
        why = "".join(f" {note}" for side in sides if side.kind == "sweep" for note in side.notes)
        raise ConfigurationError(
            f"There is nothing to compare {name} with.{why}",
            to_fix="name another scenario, run or sweep, or a sweep of several groups",
        )
    return sides


def compare_sides(sides: Sequence[Side], *, metrics: Sequence[str] = (), years: Sequence[int] = ()) -> SidesComparison:
    """Compare sides with the first of them; ``metrics`` are names or labels of columns, none means all.

    Raises:
        ConfigurationError: no side has such a metric or year.
    """
    columns = _columns(sides)
    chosen = [_metric(name, columns) for name in metrics] or list(columns.values())
    known = sorted({year for side in sides for one in side.repetitions for year in one.years})
    for year in years:
        if year not in known:
            there = ", ".join(map(str, known)) or "none"
            raise ConfigurationError(f"There are no results of {year}.", to_fix=f"choose one of these years: {there}")
    shown = [year for year in known if not years or year in years]
    tables = tuple(
        MetricTable(one.name, one.label, one.format, tuple((year, _cells(sides, one, year)) for year in shown))
        for one in dict.fromkeys(chosen)
    )
    return SidesComparison(tuple(sides), differing_parameters(sides), tables, tuple(_shared_notes(sides, shown)))


def differing_parameters(sides: Sequence[Side]) -> tuple[DifferingParameter, ...]:
    """Return the settings that differ between sides; the seed is none of them where repetitions draw their own."""
    names = dict.fromkeys(name for side in sides for name in side.parameters)
    recorded = [recorded_settings(side.inputs) for side in sides]
    drawn = any(len(side.repetitions) > 1 for side in sides)
    found = []
    for name in names:
        values = tuple(side.parameters.get(name, known.get(name)) for side, known in zip(sides, recorded, strict=True))
        told = [
            (isinstance(value, bool), value) for side, value in zip(sides, values, strict=True) if _tells(side, name)
        ]
        differs = any(value != told[0] for value in told)
        if differs and not (drawn and name == SEED):
            found.append(DifferingParameter(name, values))
    return tuple(found)


def _tells(side: Side, name: str) -> bool:
    """Tell whether a side has a setting or surely has it not: what a run left to the project may be forgotten."""
    return name in side.parameters or side.kind != "run" or bool(side.inputs) or not name.startswith("vars.")


def _shared_notes(sides: Sequence[Side], years: Sequence[int]) -> Iterator[str]:
    """Yield what is to be known of several: years that not all have, sides that share no seeds with the first."""
    yield from _years_apart(sides, years)
    first = set(sides[0].seeds) if sides else set()
    apart, partly = [], []
    for side in sides[1:]:
        shared, several = first & set(side.seeds), max(len(side.repetitions), len(sides[0].repetitions)) > 1
        if several and not shared:
            apart.append(side.name)
        elif several and not shared == first == set(side.seeds):
            partly.append(f"{side.name} {len(shared)}")
    if apart:
        yield f"Differences to {sides[0].name} are not paired where no seeds are shared: {', '.join(apart)}."
    if partly:
        yield (
            f"Differences to {sides[0].name} are over the seeds that both have ({', '.join(partly)}), fewer where one "
            "has no value, and each mean is over all of its own."
        )


def _years_apart(sides: Sequence[Side], shown: Sequence[int]) -> Iterator[str]:
    """Say which of these years each side has, where not all have the same."""
    of_years: dict[tuple[int, ...], list[str]] = {}
    for side in sides:
        years = tuple(year for year in shown if any(year in one.years for one in side.repetitions))
        of_years.setdefault(years, []).append(side.name)
    if len(of_years) > 1:
        named = (
            f"{', '.join(names) if len(names) <= MOST_NAMED else plural(len(names), 'side')} "
            f"{shown_years(years) if years else 'none'}"
            for years, names in of_years.items()
        )
        yield f"Not all have the same years: {'; '.join(named)}."


def _columns(sides: Sequence[Side]) -> dict[str, SummaryColumn]:
    found: dict[str, SummaryColumn] = {}
    for side in sides:
        for column in side.columns:
            found.setdefault(column.name.lower(), column)
    return found


def _metric(name: str, columns: Mapping[str, SummaryColumn]) -> SummaryColumn:
    wanted = name.strip().lower()
    by_label = {column.label.lower(): column for column in columns.values()}
    found = columns.get(wanted) or by_label.get(wanted)
    if found is None:
        there = ", ".join(column.name for column in columns.values()) or "none"
        near = nearest(wanted, [*columns, *by_label])
        raise ConfigurationError(
            f"There is no metric {name!r}.", to_fix=f"{'' if near is None else f'write {near}; '}there are: {there}"
        )
    return found


def _cells(sides: Sequence[Side], column: SummaryColumn, year: int) -> tuple[Cell, ...]:
    samples = [_Sample(side, column, year) for side in sides]
    first = samples[0].numbers
    return tuple(
        sample.cell(difference_of(sample.numbers, first) if number and sample.numbers and first else None)
        for number, sample in enumerate(samples)
    )


class _Sample:
    """The values of one side in one year, sorted into numbers by seed and what is none."""

    def __init__(self, side: Side, column: SummaryColumn, year: int) -> None:
        self.numbers: dict[object, float] = {}
        self._texts: list[str] = []
        self._missing = self._null = self._not_finite = 0
        for place, one in enumerate(side.repetitions):
            row = {name.lower(): value for name, value in one.years.get(year, {}).items()}
            if column.name.lower() not in row:
                self._missing += 1
                continue
            value = row[column.name.lower()]
            number = None if column.format == TEXT else as_number(value)
            if value is None:
                self._null += 1
            elif number is None:
                self._texts.append(str(value))
            elif not math.isfinite(number):
                self._not_finite += 1
            else:
                seed = one.seed if one.seed is not None and one.seed not in self.numbers else None
                self.numbers[("without seed", place) if seed is None else seed] = number

    def cell(self, change: MeanDifference | None) -> Cell:
        """Return the cell that these values make."""
        value = mean_of(list(self.numbers.values())) if self.numbers else None
        different = list(dict.fromkeys(self._texts))
        text = None if not different else different[0] if len(different) == 1 else f"{len(different)} different texts"
        return Cell(value, change, text, self._missing, self._null, self._not_finite)
