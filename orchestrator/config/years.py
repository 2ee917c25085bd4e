"""The years that somebody asks for, held against those of the simulation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.finding import DBT_PROJECT
from orchestrator.core.errors import ConfigurationError

if TYPE_CHECKING:
    from orchestrator.config.schema import SimulationYears


def no_years(file: Path | None, what: str = "run") -> ConfigurationError:
    """Return the error for a command that needs years, in a project whose configuration ``file`` has none."""
    section = "simulation: {start_year: 2025, end_year: 2029} and a list of stages"
    for_years = "write its configuration with `orchestrator new`"
    if file is None or file.name != DBT_PROJECT:
        for_years = f"add {section} to {'the configuration' if file is None else file.name}"
    return ConfigurationError(
        f"This configuration has no section simulation, so there are no years to {what}.",
        to_fix="use `orchestrator check` and `orchestrator init`, which need no years; or, if the models go by years, "
        f"{for_years}",
    )


def requested_years(simulation: SimulationYears, start: int | None, end: int | None, where: str) -> tuple[int, ...]:
    """Return the years from ``start`` to ``end``, both included and by default those of the simulation.

    ``where`` is where its first year is written.

    Raises:
        ConfigurationError: the range is empty, begins too early or is not of numbers.
    """
    for year in (start, end):
        if year is not None and type(year) is not int:
            raise ConfigurationError(
                f"Year {year!r} is not a whole number.", to_fix="give years as numbers, such as 2025"
            )
    first = simulation.start_year if start is None else start
    last = max(simulation.end_year, first) if end is None else end
    if first < simulation.start_year:
        raise ConfigurationError(
            f"{_subject(first, last)} before {simulation.start_year}, the first year of the simulation ({where}).",
            to_fix=_meant(first, last, simulation.start_year)
            or f"begin with {simulation.start_year}, or lower simulation.start_year.",
        )
    if last < first:
        raise ConfigurationError(
            f"{first}-{last} is not a valid range: its last year is before its first.",
            to_fix=f"write {last}-{first}, or other years.",
        )
    return tuple(range(first, last + 1))


def _meant(first: int, last: int, start: int) -> str | None:
    """Return the way to write years of which the century was left out, None where that cannot be what was meant."""
    century = start - start % 100
    if not (0 <= first <= last < 100 <= start) or first + century < start:
        return None
    years = f"{first + century}" if first == last else f"{first + century}-{last + century}"
    return f"write {years}, with the century"


def _subject(first: int, last: int) -> str:
    return f"Year {first} is" if first == last else f"The years {first}-{last} start"
