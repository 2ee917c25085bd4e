"""Results as Markdown: the table of targets, then a section per case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import WALL, CaseResult, Results, Series, Spread, Table
from benchmarks.targets import TARGETS, Target

HEAD = """# Results

Rendered from `results.json` by `make bench`; what is said by hand stands in `notes/`. How it is measured:
[docs/benchmarks.md](../docs/benchmarks.md). Whole processes; medians, in brackets the least and the most; ratios within
one run. `peak` is the largest single process.
"""


def document(results: Results, notes: Path, order: Sequence[str]) -> str:
    """Render everything; cases come in ``order``, then those that are no longer known."""
    names = [name for name in order if name in results] + sorted(set(results) - set(order))
    sections = [HEAD, targets_section(results)]
    for name in names:
        note = notes / f"{name}.md"
        sections.append(case_section(results[name], note.read_text(encoding="utf-8") if note.exists() else None))
    missing = [f"`{name}`" for name in order if name not in results]
    if missing:
        sections.append(f"Not measured yet: {', '.join(missing)}.\n")
    return "\n".join(sections)


def targets_section(results: Results) -> str:
    """Render what was aimed at beside what was measured."""
    rows = [["target", "at least", "aim", "measured", "verdict"]]
    rows += [_target_row(target, results) for target in TARGETS]
    return "## Targets\n\n" + _markdown(rows)


def _target_row(target: Target, results: Results) -> list[str]:
    measured = target.measure(results)
    if measured is None:
        return [target.text, target.at_least, target.aim, "not measured", ""]
    return [target.text, target.at_least, target.aim, measured.text, f"**{measured.verdict}**"]


def case_section(result: CaseResult, note: str | None) -> str:
    """Render one case."""
    taken = result.taken
    versions = ", ".join(f"{name} {number}" for name, number in taken.versions.items())
    parts = [f"## {result.name}", result.about]
    if taken.quick:
        parts.append("**A quick run: one round of the smallest sizes, no result.**")
    parts.extend(f"### {table.title}\n\n{_markdown(table_rows(table)).rstrip()}" for table in result.tables)
    if result.checks:
        parts.append("\n".join(f"- {sentence}" for sentence in result.checks))
    if note is not None:
        parts.append(note.strip())
    parts.append(f"<sub>{taken.at}, commit {taken.commit}; {taken.machine}; {versions}</sub>")
    return "\n\n".join(parts) + "\n"


def table_rows(table: Table) -> list[list[str]]:
    """Return header and rows: each contender's figures, and how its time compares with that of the first."""
    measures = tuple(dict.fromkeys(name for series in table.series for name in series.measures()))
    compared = len(table.series) > 1 and all(series.spread(WALL) is not None for series in table.series)
    rows = [["", "rounds", *map(_heading, measures), *([f"÷ {table.series[0].name}"] if compared else [])]]
    for series in table.series:
        row = [series.name, str(len(series.rounds)), *(_cell(series, measure) for measure in measures)]
        rows.append([*row, _ratio(series, table.series[0])] if compared else row)
    return rows


def _ratio(series: Series, first: Series) -> str:
    mine, theirs = series.spread(WALL), first.spread(WALL)
    assert mine is not None and theirs is not None
    return f"{mine.median / theirs.median:.2f}" if theirs.median else ""


def _cell(series: Series, measure: str) -> str:
    spread = series.spread(measure)
    return "" if spread is None else shown_spread(spread, measure)


def shown_spread(spread: Spread, measure: str) -> str:
    """Write a spread; where all rounds look alike, the figure alone."""
    median, least, most = (shown(value, measure) for value in (spread.median, spread.least, spread.most))
    return median if least == most else f"{median} ({least}–{most})"


def shown(value: float, measure: str) -> str:
    """Write a figure in the unit that its name ends with.

    >>> [shown(1.234, "wall_seconds"), shown(3_000_000, "peak_bytes"), shown(0.5, "call_ms"), shown(1200, "statements")]
    ['1.23 s', '3 MB', '0.50 ms', '1,200']
    """
    if measure.endswith("_bytes"):
        return f"{value / 1e6:,.0f} MB" if value >= 1e6 else f"{value / 1e3:,.1f} kB"
    if measure.endswith("_seconds"):
        return f"{value:,.1f} s" if value >= 100 else f"{value:.2f} s"
    if measure.endswith("_ms"):
        return f"{value:.2f} ms"
    return f"{value:,.0f}"


def _heading(measure: str) -> str:
    for ending in ("_seconds", "_bytes", "_ms"):
        measure = measure.removesuffix(ending)
    return measure.replace("_", " ")


def _markdown(rows: list[list[str]]) -> str:
    header, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([header, "|" + "---|" * len(rows[0]), *body]) + "\n"
