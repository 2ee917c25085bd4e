"""What the closing lines of a run say beside its numbers: tests that warned, and why dbt ran what could be replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.text import plural, shown_years
from orchestrator.dbt_runner.project.results import NOTHING_FITS

if TYPE_CHECKING:
    from orchestrator.pipeline.workflow import SimulationResult, StageResult, TestWarning

LINES = 5
NAMED = 3


@dataclass(frozen=True)
class NotReplayed:
    """A reason why stages were run by dbt in some years; ``seconds`` is how long they took in these."""

    reason: str
    stages: tuple[str, ...]
    years: tuple[int, ...]
    seconds: float

    def __str__(self) -> str:
        """Return the line for people: ``2025–2029, load and checks (3.2 s): the reason``.

        >>> str(NotReplayed("it asks", ("a", "b", "c", "d", "e"), (1, 2), 0.26))
        '1–2, a, b, c and 2 more (0.3 s): it asks'
        """
        first, last = self.stages[:NAMED], len(self.stages) - NAMED
        named = ", ".join(first) if last <= 0 else f"{', '.join(first)} and {last} more"
        return f"{shown_years(self.years)}, {named} ({self.seconds:.1f} s): {self.reason}"


def not_replayed(result: SimulationResult) -> tuple[NotReplayed, ...]:
    """Return why stages were not replayed, each reason once, in the order in which they came up.

    A year that was only the first of its kind, and was recorded for later ones, has no such reason.
    """
    found: dict[str, list[tuple[int, StageResult]]] = {}
    for year in result.years:
        for stage in year.stages:
            if not stage.replayed and stage.not_replayed not in (None, NOTHING_FITS):
                found.setdefault(str(stage.not_replayed), []).append((year.year, stage))
    return tuple(
        NotReplayed(
            reason,
            tuple(dict.fromkeys(stage.name for _, stage in stages)),
            tuple(dict.fromkeys(year for year, _ in stages)),
            sum(stage.seconds for _, stage in stages),
        )
        for reason, stages in found.items()
    )


def recorded_years(result: SimulationResult) -> tuple[int, ...]:
    """Return the years that dbt ran because nothing recorded fitted them."""
    return tuple(y.year for y in result.years if any(stage.not_replayed == NOTHING_FITS for stage in y.stages))


def told_warnings(result: SimulationResult, shown: Callable[[str], str] = str) -> tuple[str, ...]:
    """Return one line for each test of severity warn that found rows: how many, in which years, where to see them.

    ``shown`` writes a path for people.
    """
    found: dict[str, list[tuple[int, TestWarning]]] = {}
    for year in result.years:
        for stage in year.stages:
            for one in stage.warnings:
                found.setdefault(one.name, []).append((year.year, one))
    lines = []
    for name, warnings in found.items():
        rows = ", ".join(f"{plural(one.rows, 'row')} in {year}" for year, one in warnings)
        queries = [one.query for _, one in warnings if one.query is not None]
        lines.append(f"test {name} found {rows}" + (f". The query: {shown(_file(queries))}" if queries else ""))
    return tuple(lines)


def _file(queries: list[str]) -> str:
    """Return the file with the query of a test or, of several years, what they are all called."""
    if len(queries) == 1:
        return queries[0]
    stem = Path(queries[0]).stem.rpartition("_")[0]
    return str(Path(queries[0]).parent / f"{stem}_*.sql")
