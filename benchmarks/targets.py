"""What was aimed at, and how each figure is read off the results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.results import Results

REACHED, AT_LEAST, MISSED = "aim reached", "reached", "missed"


@dataclass(frozen=True)
class Measured:
    """A figure beside its two limits, as text, and the verdict."""

    text: str
    verdict: str


@dataclass(frozen=True)
class Target:
    """One row of the table; ``measure`` returns None while its case was not measured."""

    text: str
    at_least: str
    aim: str
    measure: Callable[[Results], Measured | None]


def verdict(value: float, at_least: float, aim: float) -> str:
    """Judge a figure as it is shown, with two decimals; the aim says whether more or less is better.

    >>> verdict(9.0, at_least=8, aim=15), verdict(1.204, at_least=1.5, aim=1.2), verdict(3.0, at_least=2.5, aim=1.5)
    ('reached', 'aim reached', 'missed')
    """
    value, sign = round(value, 2), 1 if aim >= at_least else -1
    if sign * value >= sign * aim:
        return REACHED
    return AT_LEAST if sign * value >= sign * at_least else MISSED


def _median(results: Results, case: str, table: str, series: str, measure: str) -> float | None:
    return results[case].median(table, series, measure) if case in results else None


@dataclass(frozen=True)
class Figure:
    """Where a figure stands in the results."""

    case: str
    table: str
    series: str
    measure: str = "wall_seconds"

    def of(self, results: Results) -> float | None:
        """Return its median, None where it was not measured."""
        return _median(results, self.case, self.table, self.series, self.measure)


def ratio(numerator: Figure, denominator: Figure, at_least: float, aim: float) -> Callable[[Results], Measured | None]:
    """Judge one figure divided by another."""

    def measure(results: Results) -> Measured | None:
        above, below = numerator.of(results), denominator.of(results)
        if above is None or not below:
            return None
        return Measured(f"{above / below:.2f} ({above:.4g} / {below:.4g})", verdict(above / below, at_least, aim))

    return measure


def worst(*readers: Callable[[Results], Measured | None]) -> Callable[[Results], Measured | None]:
    """Judge by the worst of several readings; all must be there."""

    def measure(results: Results) -> Measured | None:
        readings = [reader(results) for reader in readers]
        found = [reading for reading in readings if reading is not None]
        if len(found) < len(readings):
            return None
        ranks = (MISSED, AT_LEAST, REACHED)
        text = "; ".join(reading.text for reading in found)
        return Measured(text, min((reading.verdict for reading in found), key=ranks.index))

    return measure


def plain(figure: Figure, unit: str, at_least: float, aim: float) -> Callable[[Results], Measured | None]:
    """Judge one figure."""

    def measure(results: Results) -> Measured | None:
        value = figure.of(results)
        return None if value is None else Measured(f"{value:.2f} {unit}", verdict(value, at_least, aim))

    return measure


def above_floor(ours: Figure, floor: Figure) -> Callable[[Results], Measured | None]:
    """Judge seconds against 6 × the floor + 4 s and 3 × the floor + 2.5 s."""

    def measure(results: Results) -> Measured | None:
        mine, theirs = ours.of(results), floor.of(results)
        if mine is None or theirs is None:
            return None
        at_least, aim = 6 * theirs + 4, 3 * theirs + 2.5
        text = f"{mine:.2f} s; the floor is {theirs:.2f} s, which allows {at_least:.2f} and {aim:.2f} s"
        return Measured(text, verdict(mine, at_least, aim))

    return measure


def _five(series: str) -> Figure:
    return Figure("five_years", "2025-2029, 1,000 employees", series)


def _peers(series: str) -> Figure:
    return Figure("peers", "5 years, 10,000 rows", series)


def _cold(table: str, series: str) -> Figure:
    return Figure("cold_init", table, series)


def _ensure(count: int) -> Figure:
    return Figure("check", f"{count:,} required tables, in Python", "ensure_initialized()", "call_ms")


TARGETS = (
    Target(
        "five years × 1,000 against dbt command line",
        "8× faster",
        "15×",
        ratio(_five("dbt command line"), _five("orchestrator"), 8, 15),
    ),
    Target(
        "five years × 1,000, whole process",
        "6× the floor + 4 s",
        "3× the floor + 2.5 s",
        above_floor(_five("orchestrator"), _five("bare DuckDB")),
    ),
    Target(
        "100,000 × 5, whole process over floor",
        "1.5",
        "1.15",
        ratio(
            Figure("hundred_thousand", "5 years, 100,000 employees", "orchestrator"),
            Figure("hundred_thousand", "5 years, 100,000 employees", "bare DuckDB"),
            1.5,
            1.15,
        ),
    ),
    Target(
        "peers project, whole process, against SQLMesh in one plan",
        "1.0 (not slower)",
        "1.5× faster",
        ratio(_peers("SQLMesh, one plan"), _peers("orchestrator"), 1.0, 1.5),
    ),
    Target(
        "a replayed year against the same year through dbt",
        "2× faster",
        "3.5×",
        ratio(
            Figure("replay", "a year", "through dbt", "year_seconds"),
            Figure("replay", "a year", "replayed", "year_seconds"),
            2,
            3.5,
        ),
    ),
    Target(
        "cold init against dbt command line (parsed before; new clone)",
        "2× faster",
        "3×",
        worst(
            *(
                ratio(_cold(table, "dbt command line"), _cold(table, "orchestrator"), 2, 3)
                for table in ("no database, parsed before", "no database, new clone")
            )
        ),
    ),
    Target(
        "`orchestrator check`, healthy (30 tables)",
        "0.5 s",
        "0.25 s",
        plain(Figure("check", "30 required tables, the process", "orchestrator check"), "s", 0.5, 0.25),
    ),
    *(
        Target(
            f"`ensure_initialized()` healthy, {count:,} tables",
            f"{at_least} ms",
            f"{aim} ms",
            plain(_ensure(count), "ms", at_least, aim),
        )
        for count, at_least, aim in ((30, 20, 8), (2000, 150, 40))
    ),
    Target(
        "second `simulate`, start to first node running, unchanged project",
        "2.5 s",
        "1.5 s",
        plain(Figure("start", "unchanged project", "orchestrator", "first_node_seconds"), "s", 2.5, 1.5),
    ),
    Target(
        "a year's cost, year 30 against year 2 (1,000 employees)",
        "1.3",
        "1.05",
        ratio(
            Figure("year_cost", "30 years", "year 30", "year_seconds"),
            Figure("year_cost", "30 years", "year 2", "year_seconds"),
            1.3,
            1.05,
        ),
    ),
    Target(
        "memory after 30 years against after 3, parent; dbt process",
        "1.1",
        "1.0",
        worst(
            *(
                ratio(
                    Figure("memory", "30 years", "year 30", measure),
                    Figure("memory", "30 years", "year 3", measure),
                    1.1,
                    1.0,
                )
                for measure in ("parent_bytes", "dbt_process_bytes")
            )
        ),
    ),
    Target(
        "report of 100 members",
        "10 s",
        "4 s",
        plain(Figure("report", "100 members, 5 years", "report"), "s", 10, 4),
    ),
)
