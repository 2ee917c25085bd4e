"""Years, paths, sizes and times as a person would write them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from orchestrator.core.text import plural, shown_years

NOTHING = "–"
ROWS, VIEW, FILE, FILES, READ = "rows", "view", "file", "files", "read"
"""What may not be what a finished year has left of a table; ``read``: a file that changed while the year read it."""
_UNITS = (("B", 1e9), ("M", 1e6), ("K", 1e3))


def shown_path(path: Path | str | None) -> str:
    """Return a path as short as it can be typed from here; None is a database on a server."""
    if path is None:
        return "the database of the dbt profile"
    full = Path(path)
    here = Path.cwd()
    return str(full.relative_to(here)) if full.is_relative_to(here) else str(full)


def shown_size(count: int) -> str:
    """Write a number of bytes for people.

    >>> shown_size(900), shown_size(12_600), shown_size(3_407_872), shown_size(2_500_000_000)
    ('900 B', '12.6 kB', '3.4 MB', '2.5 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def shown_time(moment: datetime) -> str:
    """Write a moment for people, in local time."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def shown_seconds(seconds: float | None) -> str:
    """Write a length of time for people.

    >>> shown_seconds(0.04), shown_seconds(75.2), shown_seconds(7300), shown_seconds(None)
    ('0.0 s', '75.2 s', '2 h 02 min', '–')
    """
    if seconds is None:
        return "–"
    if seconds < 600:
        return f"{seconds:,.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def purge_text(rows: int, from_year: int, tables: int, years: tuple[int, ...], forgone: tuple[int, ...]) -> str:
    """Describe the rows and years that were removed before a run.

    >>> purge_text(20, 2025, 2, (2025, 2026), (2026,))
    '20 rows of 2025 and later from 2 tables, simulated years 2025–2026; 2026 is not simulated again'
    >>> purge_text(1, 2026, 1, (2026,), ())
    '1 row of 2026 and later from 1 table, simulated year 2026'
    """
    text = f"{plural(rows, 'row')} of {from_year} and later from {plural(tables, 'table')}"
    if years:
        text += f", simulated year{'' if len(years) == 1 else 's'} {shown_years(years)}"
    return f"{text}; {not_simulated_again(forgone)}" if forgone else text


def told_loss(
    table: str, year: float | str | None, *, expected: int, found: int, whole: bool = False, of: str = ROWS
) -> str:
    """Say that a table does not hold the rows of a year that it held when it was simulated; None: rows without a year.

    ``whole``: it has no years, and the year built all of it. ``of`` is what is not what it was: :data:`ROWS`, the
    :data:`VIEW`, or the :data:`FILE` that an external model wrote (:data:`FILES`: those in a folder). In place of a
    table it may be a file that was written while a run read it (:data:`READ`).

    >>> told_loss("balances", 2026, expected=1000, found=999)
    'balances has 999 rows of 2026, but had 1,000 when that year was simulated'
    >>> told_loss("balances", 2026, expected=1, found=1)
    'balances holds other values in its 1 row of 2026 than when that year was simulated'
    >>> told_loss("totals", 2026, expected=4, found=5, whole=True)
    'totals has 5 rows, but had 4 when 2026 built it'
    >>> told_loss("shown", 2026, expected=0, found=0, whole=True, of=VIEW)
    'shown is another view than when 2026 built it'
    >>> told_loss("sheet", 2026, expected=1, found=1, whole=True, of=FILE)
    'the file of sheet does not hold what 2026 wrote into it'
    >>> told_loss("parts", 2026, expected=2, found=0, whole=True, of=FILES)
    'the files of parts, which 2026 wrote, are gone'
    >>> told_loss("data/rates.csv", 2026, expected=0, found=0, whole=True, of=READ)
    'data/rates.csv was written while the run of 2026 read it'
    """
    if of == READ:
        return f"{table} was written while the run of {year} read it"
    if of == VIEW:
        return f"{table} is another view than when {year} built it"
    if of in (FILE, FILES):
        it, do, are = ("it", "does", "is") if of == FILE else ("them", "do", "are")
        if not found:
            return f"the {of} of {table}, which {year} wrote, {are} gone"
        return f"the {of} of {table} {do} not hold what {year} wrote into {it}"
    if whole:
        now = f"has {plural(found, 'row')}, but had {expected:,} when"
        return f"{table} {now if expected != found else 'holds other values than when'} {year} built it"
    if expected == found:
        return f"{table} holds other values in its {plural(found, 'row')} of {year} than when that year was simulated"
    if year is None:
        return f"{table} has {plural(found, 'row')} without a year, but had {expected:,}"
    return f"{table} has {plural(found, 'row')} of {year}, but had {expected:,} when that year was simulated"


def told_other_scenarios(scenarios: Sequence[str], years: tuple[int, ...], scenario: str, database: str) -> str:
    """Say whose years a database holds that a run of ``scenario`` may replace.

    >>> told_other_scenarios(["dry"], (1, 2), "wet", "var/a.duckdb").partition(". ")[0]
    'var/a.duckdb holds years of another scenario (dry: 1–2)'
    """
    whose = "another scenario" if len(scenarios) == 1 else "other scenarios"
    return (
        f"{database} holds years of {whose} ({', '.join(scenarios)}: {shown_years(years)}). "
        f"This run of {scenario} replaces those that it makes otherwise. To keep them, give each scenario a database "
        f"of its own in its file, such as `database: var/{scenario}.duckdb`, or add --as NAME"
    )


def resumed_at(year: int, stage: str, *, ending: bool) -> str:
    """Say where a run goes on; ``ending``: behind that stage, with the hooks that follow it.

    >>> resumed_at(2026, "events", ending=False)
    'at events of 2026: everything before it is done'
    >>> resumed_at(2026, "events", ending=True)
    'after events of 2026: only the hooks that follow it are left'
    """
    if ending:
        return f"after {stage} of {year}: only the hooks that follow it are left"
    return f"at {stage} of {year}: everything before it is done"


def told_written(files: Sequence[str], year: int | None) -> str:
    """Say what it means that files were written while a run went on; None: no stage of a year read them since.

    >>> told_written(["data/rates.csv"], 2026).partition(":")[0]
    'data/rates.csv was written while the run read it'
    >>> told_written(["models/a.sql", "models/b.sql"], None)
    'models/a.sql, models/b.sql were changed while the run went on: its results are of what they were when it began'
    """
    names, (were, them, they) = ", ".join(files), ("was", "it", "it") if len(files) == 1 else ("were", "them", "they")
    if year is None:
        return f"{names} {were} changed while the run went on: its results are of what {they} {were} when it began"
    rows = f"rows of {year} and later years may be of either state"
    return f"{names} {were} written while the run read {them}: {rows}, and the next run simulates these years again"


def whole_year(year: int, changed_by: tuple[str, ...]) -> str:
    """Say why a year begins with its first stage, although stages of it are finished.

    >>> whole_year(2026, ("late", "audit"))
    'at the first stage of 2026: late, audit change rows that other stages built, and single stages cannot be repeated'
    """
    names = f"{', '.join(changed_by)} {'changes' if len(changed_by) == 1 else 'change'}"
    return f"at the first stage of {year}: {names} rows that other stages built, and single stages cannot be repeated"


def nothing_to_do(years: tuple[int, ...]) -> str:
    """Say that years need no run.

    >>> nothing_to_do((2026, 2027))
    'Nothing to do: 2026–2027 are finished and unchanged. --fresh simulates them again.'
    """
    one = len(years) == 1
    return (
        f"Nothing to do: {shown_years(years)} {'is' if one else 'are'} finished and unchanged. "
        f"--fresh simulates {'it' if one else 'them'} again."
    )


def not_simulated_again(years: tuple[int, ...]) -> str:
    """Say that years are removed and not built again.

    >>> not_simulated_again((2026,)), not_simulated_again((2026, 2027))
    ('2026 is not simulated again', '2026–2027 are not simulated again')
    """
    return f"{shown_years(years)} {'is' if len(years) == 1 else 'are'} not simulated again"


def shown(value: object, kind: str) -> str:
    """Write one value of the summary for people.

    >>> shown(84_712_345, "money"), shown(0.0312, "percent"), shown(1234, "integer"), shown(None, "money")
    ('84.7M', '3.1%', '1,234', '–')
    """
    if value is None:
        return NOTHING
    if kind == "text" or not isinstance(value, (int, float, Decimal)):
        return str(value)
    number = float(value)
    if number != number:
        return NOTHING
    if kind == "money":
        return _compact(number)
    return f"{number:.1%}" if kind == "percent" else f"{number:,.0f}"


def shown_mean(value: float, kind: str) -> str:
    """Write a mean for people, a small one that is not whole with a decimal.

    >>> shown_mean(1030.0, "integer"), shown_mean(12.34, "integer"), shown_mean(84_712_345, "money")
    ('1,030', '12.3', '84.7M')
    """
    return f"{value:,.1f}" if kind != "percent" and abs(value) < 100 and value != round(value) else shown(value, kind)


def shown_change(value: float, kind: str) -> str:
    """Write a difference with its sign; of two percentages, in points.

    >>> shown_change(0.0019, "percent"), shown_change(-1_591_516, "money"), shown_change(2.5, "integer")
    ('+0.19 pt', '-1.6M', '+2.5')
    """
    if kind == "percent":
        return f"{value * 100:+.2f} pt"
    text = shown_mean(value, kind)
    return text if text.startswith("-") else f"+{text}"


def shown_margin(value: float, kind: str, beside: float) -> str:
    """Write half the width of an interval, after ±, in the unit of the mean ``beside`` it, or a smaller one.

    >>> shown_margin(0.0019, "percent", 0.5), shown_margin(0.25, "integer", 10)
    ('0.19 pt', '0.2')
    >>> shown_margin(591_516, "money", 106e6), shown_margin(58_088, "money", 2.2e6)
    ('0.6M', '58.1K')
    """
    if kind == "percent":
        return f"{value * 100:.2f} pt"
    if kind == "money":
        unit, size = next(((unit, size) for unit, size in _UNITS if abs(beside) >= size * 0.99995), ("", 1.0))
        if unit and value / size >= 0.5:
            return f"{value / size:,.1f}{unit}"
    return shown_mean(value, kind)


def shown_percent(value: float | None) -> str:
    """Write a difference in percent, with its sign.

    >>> shown_percent(3.14159), shown_percent(None)
    ('+3.1%', '–')
    """
    return NOTHING if value is None else f"{value:+,.1f}%"


def _compact(number: float) -> str:
    """Write an amount with three digits or so and its unit.

    >>> [_compact(n) for n in (0, 950, 12_340, 999_960, 84_712_345, -2.5e9)]
    ['0', '950', '12.3K', '1.0M', '84.7M', '-2.5B']
    """
    for unit, size in _UNITS:
        if abs(number) >= size * 0.99995:
            return f"{number / size:,.1f}{unit}"
    return f"{number:,.0f}"
