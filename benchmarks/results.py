"""Results as values and as JSON, merged by case."""

from __future__ import annotations

import dataclasses
import json
import statistics
from dataclasses import dataclass
from pathlib import Path

FORMAT = 1
WALL, CPU, PEAK = "wall_seconds", "cpu_seconds", "peak_bytes"


@dataclass(frozen=True)
class Spread:
    """Median, least and most of some figures.

    >>> Spread.of([3.0, 1.0, 2.0])
    Spread(median=2.0, least=1.0, most=3.0, count=3)
    """

    median: float
    least: float
    most: float
    count: int

    @classmethod
    def of(cls, figures: list[float]) -> Spread:
        """Summarize figures, at least one."""
        return cls(statistics.median(figures), min(figures), max(figures), len(figures))


@dataclass(frozen=True)
class Series:
    """What one contender measured: a dict of figures per round.

    A figure's name ends with its unit: ``_seconds``, ``_ms``, ``_bytes``; any other is a plain number.
    """

    name: str
    rounds: tuple[dict[str, float], ...]

    def measures(self) -> tuple[str, ...]:
        """Return the names of the figures, in the order in which they first appear."""
        return tuple(dict.fromkeys(name for values in self.rounds for name in values))

    def spread(self, measure: str) -> Spread | None:
        """Summarize one figure over all rounds, None where no round has it."""
        figures = [values[measure] for values in self.rounds if measure in values]
        return Spread.of(figures) if figures else None


@dataclass(frozen=True)
class Table:
    """Contenders that were measured in turn; the first is the one the others are compared with."""

    title: str
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Taken:
    """When, where and on what a case was measured."""

    at: str
    commit: str
    machine: str
    versions: dict[str, str]
    quick: bool


@dataclass(frozen=True)
class CaseResult:
    """Everything one case found; ``checks`` are sentences about what was compared and held."""

    name: str
    about: str
    taken: Taken
    tables: tuple[Table, ...]
    checks: tuple[str, ...] = ()

    def median(self, table: str, series: str, measure: str = WALL) -> float | None:
        """Return the median of one figure, None where the case does not have it."""
        for each in self.tables:
            for contender in each.series:
                if each.title == table and contender.name == series:
                    spread = contender.spread(measure)
                    return None if spread is None else spread.median
        return None


Results = dict[str, CaseResult]


def load(path: Path) -> Results:
    """Read the results of all cases; a file that is not there has none."""
    if not path.exists():
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["format"] != FORMAT:
        raise ValueError(f"{path} has format {document['format']}, not {FORMAT}. To fix: remove it and measure anew.")
    return {name: _case(name, record) for name, record in document["cases"].items()}


def save(path: Path, results: Results) -> None:
    """Write the results of all cases, sorted by name."""
    cases = {}
    for name in sorted(results):
        record = dataclasses.asdict(results[name])
        del record["name"]
        cases[name] = record
    path.write_text(json.dumps({"format": FORMAT, "cases": cases}, indent=1) + "\n", encoding="utf-8")


def merge(path: Path, result: CaseResult) -> Results:
    """Put one case's result in the place of its older one in the file; return all results."""
    results = {**load(path), result.name: result}
    save(path, results)
    return results


def _case(name: str, record: dict[str, object]) -> CaseResult:
    taken, tables, checks = record["taken"], record["tables"], record["checks"]
    assert isinstance(taken, dict) and isinstance(tables, list) and isinstance(checks, list)
    return CaseResult(
        name=name,
        about=str(record["about"]),
        taken=Taken(**taken),
        tables=tuple(
            Table(table["title"], tuple(Series(each["name"], tuple(each["rounds"])) for each in table["series"]))
            for table in tables
        ),
        checks=tuple(checks),
    )
