"""Comparisons and reports for programs: what the commands of these names do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.simulation import SimulationConfig
from orchestrator.reports.sides.comparing import SidesComparison, compare_sides, require_several
from orchestrator.reports.sides.finding import find_sides
from orchestrator.reports.sides.sources import Sources, loader, opened_project, sources_of

if TYPE_CHECKING:
    from orchestrator.reports.html.pictures import PictureFormat
    from orchestrator.reports.html.writing import WrittenReport
    from orchestrator.reports.sides.rows import RowComparison


def compare(
    *names: str,
    metrics: Sequence[str] = (),
    years: Sequence[int] = (),
    config: SimulationConfig | Path | str | None = None,
) -> SidesComparison:
    """Compare scenarios, runs and sweep groups by year with the first of them, as ``orchestrator compare`` does.

    ``config`` is the configuration of the project, by default the nearest. Databases are only read; where the project
    has changed since its last parse, dbt is started for that.

    Raises:
        ConfigurationError: a name, a metric or a year is unknown, or there are not two sides.
        RunNotFoundError: there is no such run, or there are several.
        TableNotFoundError: there are no results of a side.
        DatabaseError: a database cannot be read, or a run has it open.
    """
    with _sources(config) as sources:
        return compare_sides(require_several(find_sides(sources, names)), metrics=metrics, years=years)


@contextmanager
def compare_rows(
    a: str,
    b: str,
    table: str,
    key: Sequence[str],
    *,
    year: int | None = None,
    config: SimulationConfig | Path | str | None = None,
) -> Iterator[RowComparison]:
    """Compare the rows of a table of two sides by its key; what is given can be asked as long as the block lasts.

    Raises:
        ConfigurationError: a name, the key or the year is wrong, or they are not two single sides.
        TableNotFoundError: a side has not this table.
        DatabaseError: a database cannot be read, or a run has it open.
    """
    from orchestrator.reports.sides.row_tables import compared_rows

    with _sources(config) as sources, compared_rows(sources, [a, b], table, key, year=year) as found:
        yield found


def report(
    *names: str,
    out: Path | str = "report.html",
    metrics: Sequence[str] = (),
    charts: Path | str | None = None,
    format: PictureFormat = "svg",
    config: SimulationConfig | Path | str | None = None,
) -> WrittenReport:
    """Write a report of scenarios, runs or sweeps, by default of the configured scenario, as ``orchestrator report``.

    ``charts`` is a folder for each chart as a picture of that ``format``.

    Raises:
        MissingExtraError: a library of the extra ``report`` is not installed.
        ConfigurationError: a name is wrong, or the file cannot be written.
        TableNotFoundError: there are no results of a side.
        DatabaseError: a database cannot be read, or a run has it open.
    """
    from orchestrator.reports.html.pictures import require_extra

    require_extra()
    from orchestrator.reports.html.writing import write_report

    folder = None if charts is None else Path(charts)
    with _sources(config) as sources:
        return write_report(sources, names, Path(out), metrics=metrics, charts=folder, picture=format)


@contextmanager
def _sources(config: SimulationConfig | Path | str | None) -> Iterator[Sources]:
    if isinstance(config, SimulationConfig):
        loaded = config
        load: Callable[[str], SimulationConfig] = partial(_scenario_of, config)
    else:
        path = None if config is None else Path(config)
        loaded, load = SimulationConfig.load(path), loader(path)
    with sources_of(loaded, load, opened_project) as sources:
        yield sources


def _scenario_of(config: SimulationConfig, name: str) -> SimulationConfig:
    return config if name == config.scenario else SimulationConfig.load(config.file, scenario=name)
