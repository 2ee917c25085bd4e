"""The tables of a report's page, as titles, heads and rows of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.core.formats import NOTHING, shown_change, shown_mean, shown_seconds
from orchestrator.core.text import plural, shown_years
from orchestrator.reports.html.content import Headline, Report
from orchestrator.reports.html.past import FailedMember, RunTimes, SweepTimes
from orchestrator.reports.html.sensitivity import Sensitivity
from orchestrator.reports.run_history import SHORT
from orchestrator.reports.sides.cell_text import setting_text, value_text

SHORT_CHECKSUM = 12
MOST_BESIDE = 6  # sides whose settings stand beside each other


@dataclass(frozen=True)
class TablePart:
    """A table: ``numbers`` are the places of columns that stand to the right, ``codes`` those that are checksums."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    codes: frozenset[int] = frozenset()
    below: str = ""

    @property
    def stacks(self) -> bool:
        """Tell whether a narrow screen shows a row as lines, one below the other."""
        return not self.numbers


def card(headline: Headline) -> dict[str, str]:
    """Return a headline figure of a report of one side: its label, its value, and its interval apart."""
    value, _, margin = value_text(headline.cells[0], headline.metric.format).partition(" ± ")
    return {"label": headline.metric.label, "value": value, "margin": f"± {margin}" if margin else ""}


def sensitivity_rows(found: Sensitivity) -> list[list[str]]:
    """Return what each key does, a row each."""
    kind = found.metric.format
    return [
        [
            swing.key,
            swing.low,
            shown_mean(swing.at_low, kind),
            swing.high,
            shown_mean(swing.at_high, kind),
            shown_change(swing.at_high - swing.at_low, kind),
        ]
        for swing in found.swings
    ]


def assumed_parts(report: Report, letters: Sequence[str]) -> Iterator[TablePart]:
    """Yield the tables of what was assumed."""
    found = report.assumptions
    if found.differing and len(letters) <= MOST_BESIDE:
        rows = tuple(
            (one.name, *map(setting_text, one.values), found.meanings.get(one.name, "")) for one in found.differing
        )
        yield TablePart("What differs", ("Setting", *letters, "Meaning"), rows)
    elif found.differing:
        heads = ("Side", *(one.name for one in found.differing))
        columns = [tuple(map(setting_text, one.values)) for one in found.differing]
        told = "; ".join(f"{name}: {text}" for name, text in found.meanings.items() if text)
        yield TablePart("What differs", heads, tuple(zip(letters, *columns, strict=True)), below=told)
    if found.shared:
        title = "The same in all" if len(letters) > 1 else "Settings"
        rows = tuple((one.name, one.value, one.meaning) for one in found.shared)
        yield TablePart(title, ("Setting", "Value", "Meaning"), rows)
    if found.inputs:
        rows = tuple((one.name, ", ".join(value[:SHORT_CHECKSUM] for value in one.values)) for one in found.inputs)
        below = "Each checksum is the beginning of a SHA-256; several stand where sides were made of different ones."
        yield TablePart("Inputs", ("Input", "Checksum"), rows, codes=frozenset({1}), below=below)
    if found.versions:
        rows = tuple((one.name, ", ".join(one.values)) for one in found.versions)
        yield TablePart("Versions", ("Program", "Version"), rows)


def unknown_inputs(report: Report) -> str:
    """Say of which sides nothing tells the inputs any more."""
    names = report.assumptions.unknown
    if not names:
        return ""
    return f"What these were made of is not known, for their databases are gone or in use: {', '.join(names)}."


def time_parts(report: Report) -> Iterator[TablePart]:
    """Yield the tables of where the time went."""
    for one in report.past.runs:
        yield _run_times(one)
    if report.past.sweeps:
        yield _sweep_times(report.past.sweeps)


def warnings_part(report: Report) -> TablePart | None:
    """Return the tests that warned, None where none is known to."""
    found = report.past.warnings
    if not found:
        return None
    rows = tuple(
        (one.test, one.side, shown_years(one.years), plural(one.runs, "run"), f"{one.rows:,}") for one in found
    )
    heads = ("Test", "Side", "Years", "in", "Rows")
    return TablePart("Tests that found rows", heads, rows, numbers=frozenset({4}))


def warnings_text(report: Report) -> str:
    """Say what is known of tests."""
    past = report.past
    parts = [] if past.warnings or not past.known else ["No test warned."]
    if past.unknown:
        there = plural(past.unknown, "simulation")
        parts.append(f"Of {there} the history does not know what tests said.")
    return " ".join(parts)


def failure_record(failed: FailedMember) -> dict[str, object]:
    """Return a failed member in words."""
    tries = plural(failed.attempts, "attempt")
    return {"key": failed.key, "message": failed.message, "to_fix": failed.to_fix, "attempts": f"{tries}."}


def _run_times(run: RunTimes) -> TablePart:
    outside = tuple((name, *("" for _ in run.stages), f"{seconds:.2f}") for name, seconds in run.outside)
    by_year = tuple(
        (year, *(NOTHING if value is None else f"{value:.2f}" for value in values), f"{_sum(values):.2f}")
        for year, values in run.years
    )
    rows = (*outside, *by_year)
    total = "" if run.total is None else f"Run {run.run_id[:SHORT]} took {shown_seconds(run.total)} in all."
    heads = ("Step or year", *run.stages, "total")
    return TablePart(f"{run.side}, in seconds", heads, rows, numbers=frozenset(range(1, len(heads))), below=total)


def _sweep_times(sweeps: Sequence[SweepTimes]) -> TablePart:
    rows = tuple(
        (
            one.sweep,
            f"{one.members:,}",
            shown_seconds(one.total),
            shown_seconds(one.median),
            f"{shown_seconds(one.longest)} ({one.longest_member})",
        )
        for one in sweeps
    )
    heads = ("Sweep", "members done", "all together", "median", "longest")
    return TablePart("Members of sweeps", heads, rows, numbers=frozenset({1, 2, 3}))


def _sum(values: Sequence[float | None]) -> float:
    return sum(value for value in values if value is not None)
