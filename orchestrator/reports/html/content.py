"""The content of a report: headline figures, charts, what was assumed, what matters most, where the time went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.config.parameters import ParameterSettings
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import utc_now
from orchestrator.reports.html.assumptions import Assumptions, assumptions_of
from orchestrator.reports.html.past import Past, past_of
from orchestrator.reports.html.sensitivity import Sensitivity, sensitivities_of
from orchestrator.reports.sides.comparing import Cell, MetricTable, SidesComparison, compare_sides
from orchestrator.reports.sides.finding import find_sides
from orchestrator.reports.sides.sources import Sources


@dataclass(frozen=True)
class Headline:
    """One metric in the last year in which all sides have a value, else the first side: a cell for each side."""

    metric: MetricTable
    year: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Report:
    """All that a report says; ``title`` names its sides, ``project`` is the folder of the project."""

    title: str
    project: str
    made_at: datetime
    comparison: SidesComparison
    headlines: tuple[Headline, ...]
    assumptions: Assumptions
    sensitivities: tuple[Sensitivity, ...]
    past: Past


def report_content(sources: Sources, names: Sequence[str], *, metrics: Sequence[str] = ()) -> Report:
    """Put together the report of these sides, by default of the configured scenario.

    Raises:
        ConfigurationError: a name or a metric is wrong.
        TableNotFoundError: there are no results of it.
        DatabaseError: its database cannot be read, or a run has it open.
    """
    sides = find_sides(sources, names or [sources.config.scenario])
    comparison = compare_sides(sides, metrics=metrics)
    return Report(
        title=_title([side.name for side in sides], names),
        project=sources.config.root.name,
        made_at=utc_now(),
        comparison=comparison,
        headlines=headlines_of(comparison),
        assumptions=assumptions_of(sides, _declared(sources.config), sources.history),
        sensitivities=tuple(sensitivities_of(comparison)),
        past=past_of(sources, sides),
    )


def headlines_of(comparison: SidesComparison) -> tuple[Headline, ...]:
    """Return each metric in the last year in which all sides have a value of it, else in the first side's last."""
    return tuple(filter(None, map(_headline, comparison.metrics)))


def _title(sides: Sequence[str], names: Sequence[str]) -> str:
    shown = list(names) if 0 < len(names) < len(sides) else list(sides)
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def _headline(metric: MetricTable) -> Headline | None:
    """Return the last year in which all sides have a value, else the first side; None where that has none."""
    there = [
        (all(cell.value is not None or cell.text is not None for cell in cells), year, cells)
        for year, cells in metric.rows
        if cells[0].value is not None or cells[0].text is not None
    ]
    if not there:
        return None
    _, year, cells = max(there, key=lambda one: one[:2])
    return Headline(metric, year, cells)


def _declared(config: SimulationConfig) -> dict[str, ParameterSettings]:
    return {f"vars.{name}": one for name, one in config.parameters.items()}
