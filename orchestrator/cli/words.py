"""Numbers, paths and years as a person would write them."""

from __future__ import annotations

from pathlib import Path

from orchestrator.core.text import plural


def shown_years(years: tuple[int, ...]) -> str:
    """Return years as a person would write them.

    >>> shown_years((2025, 2026, 2027)), shown_years((2025, 2027))
    ('2025–2027', '2025, 2027')
    """
    if len(years) > 1 and years[-1] - years[0] == len(years) - 1:
        return f"{years[0]}–{years[-1]}"
    return ", ".join(map(str, years))


def purged(rows: int, from_year: int, tables: int, years: tuple[int, ...], forgone: tuple[int, ...]) -> str:
    """Say what was removed before a run.

    >>> purged(20, 2025, 2, (2025, 2026), (2026,))
    '20 rows of 2025 and later from 2 tables, simulated years 2025–2026; 2026 is not simulated again'
    >>> purged(1, 2026, 1, (2026,), ())
    '1 row of 2026 and later from 1 table, simulated year 2026'
    """
    text = f"{plural(rows, 'row')} of {from_year} and later from {plural(tables, 'table')}"
    if years:
        text += f", simulated year{'' if len(years) == 1 else 's'} {shown_years(years)}"
    return f"{text}; {not_again(forgone)}" if forgone else text


def not_again(years: tuple[int, ...]) -> str:
    """Say that years are removed and not built again.

    >>> not_again((2026,)), not_again((2026, 2027))
    ('2026 is not simulated again', '2026–2027 are not simulated again')
    """
    return f"{shown_years(years)} {'is' if len(years) == 1 else 'are'} not simulated again"


def shown_path(path: Path | str | None) -> str:
    """Return a path as short as it can be typed from here; None is a database on a server."""
    if path is None:
        return "the database of the dbt profile"
    full = Path(path)
    here = Path.cwd()
    return str(full.relative_to(here)) if full.is_relative_to(here) else str(full)
