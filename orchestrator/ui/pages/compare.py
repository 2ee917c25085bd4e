"""Compare: scenarios, runs and groups of sweeps side by side, as the command and the report do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from orchestrator.core.errors import (
    ConfigurationError,
    DatabaseLockedError,
    OrchestratorError,
    RunNotFoundError,
    TableNotFoundError,
)
from orchestrator.reports.html.content import headlines_of
from orchestrator.reports.html.page_parts import sensitivity_rows
from orchestrator.reports.html.sensitivity import sensitivities_of
from orchestrator.reports.sides.cell_text import (
    change_text,
    interval_text,
    percent_text,
    setting_text,
    side_text,
    value_text,
)
from orchestrator.reports.sides.comparing import Cell, SidesComparison, compare_sides
from orchestrator.reports.sides.finding import find_sides
from orchestrator.reports.sides.letters import letter
from orchestrator.reports.sides.records import all_notes, comparison_csv, comparison_record
from orchestrator.reports.sides.side import Side
from orchestrator.reports.sides.sources import Sources
from orchestrator.ui import rendering
from orchestrator.ui.side_charts import side_chart, side_class, swing_bars
from orchestrator.ui.side_choices import choices_of, others
from orchestrator.ui.site import Site
from orchestrator.ui.workspace import NotReadYetError

MOST_SIDES = 40  # a page of more would be too large to read
MOST_ASKED = 100
SETTINGS_BESIDE = 4  # sides whose settings stand beside each other
STATUS_OF = ((TableNotFoundError, 404), (RunNotFoundError, 404), (DatabaseLockedError, 409), (OrchestratorError, 422))


@dataclass(frozen=True)
class Asked:
    """What is to be compared, as it is written; ``base`` is the name of the side that all others are compared with."""

    names: tuple[str, ...]
    base: str
    metric: str

    @classmethod
    def of(cls, request: Request) -> Asked:
        """Read the address of a page."""
        given = (one.strip() for text in request.query_params.getlist("side") for one in text.splitlines())
        names = tuple(dict.fromkeys(one for one in given if one))[:MOST_ASKED]
        return cls(names, request.query_params.get("base", ""), request.query_params.get("metric", ""))


def routes(site: Site) -> APIRouter:
    """Return the routes of these pages."""
    pages = _Compare(site)
    router = APIRouter()
    router.add_api_route("/compare", pages.compare)
    router.add_api_route("/compare.json", pages.compare_json)
    router.add_api_route("/compare/values.csv", pages.compare_csv)
    router.add_api_route("/compare/report.html", pages.report)
    return router


class _Compare:
    """The page of comparisons of one server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def compare(self, request: Request) -> Response:
        """Show the form, and what was chosen side by side."""
        asked = Asked.of(request)
        found: SidesComparison | None = None
        sides: list[Side] = []
        error: OrchestratorError | None = None
        if asked.names:
            try:
                sides = self._sides(asked)
                found = compare_sides(sides[:MOST_SIDES], metrics=[asked.metric] if asked.metric else ())
            except NotReadYetError:
                raise
            except OrchestratorError as wrong:
                error = wrong
        choices = choices_of(self._site)
        context = {} if found is None else _shown(found)
        return self._site.page(
            request,
            "compare.html",
            active="compare",
            title="Compare",
            code=200 if error is None else next(code for kind, code in STATUS_OF if isinstance(error, kind)),
            asked=asked,
            choices=choices,
            others=others(choices, asked.names),
            found=found,
            error=error,
            left_out=max(0, len(sides) - MOST_SIDES),
            metrics={column.name: column.label for side in sides for column in side.columns},
            query=request.url.query,
            **context,
        )

    def compare_json(self, request: Request) -> Response:
        """Give the same as a document."""
        asked = Asked.of(request)
        if not asked.names:
            return rendering.document({"sides": [], "metrics": []}, "compared")
        found = compare_sides(self._sides(asked), metrics=[asked.metric] if asked.metric else ())
        return rendering.document(comparison_record(found), "compared")

    def compare_csv(self, request: Request) -> Response:
        """Give the same as CSV."""
        asked = _required(Asked.of(request))
        found = compare_sides(self._sides(asked), metrics=[asked.metric] if asked.metric else ())
        lines = (f"{line}\n".encode() for line in comparison_csv(found))
        headers = {"content-disposition": 'attachment; filename="comparison.csv"'}
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    def report(self, request: Request) -> Response:
        """Make the report of these sides, as a file to keep."""
        from orchestrator.reports.html.pictures import require_extra  # an extra

        require_extra()
        from orchestrator.reports.html.writing import write_report  # as above

        asked = _required(Asked.of(request))
        with self._sources() as sources, tempfile.TemporaryDirectory(prefix="orchestrator-ui-") as folder:
            names = _in_order(find_sides(sources, asked.names), asked)
            file = Path(folder, "report.html")
            write_report(sources, names, file, metrics=[asked.metric] if asked.metric else ())
            headers = {"content-disposition": 'attachment; filename="report.html"'}
            return Response(file.read_bytes(), media_type="text/html", headers=headers)

    def _sides(self, asked: Asked) -> list[Side]:
        with self._sources() as sources:
            return _base_first(find_sides(sources, asked.names), asked.base)

    @contextmanager
    def _sources(self) -> Iterator[Sources]:
        workspace = self._site.workspace
        config = workspace.config()
        yield Sources(
            config,
            lambda scenario: workspace.config(self._site.own(scenario)),
            workspace.project,
            workspace.history(config),
        )


def _required(asked: Asked) -> Asked:
    if not asked.names:
        raise ConfigurationError("Nothing was chosen to compare.", to_fix="choose it on the page Compare")
    return asked


def _base_first(sides: Sequence[Side], base: str) -> list[Side]:
    return sorted(sides, key=lambda side: side.name != base)


def _in_order(sides: Sequence[Side], asked: Asked) -> Sequence[str]:
    """Return the names of sides for a report, that which all are compared with first."""
    if not asked.base or sides[0].name == asked.base or all(side.name != asked.base for side in sides):
        return asked.names
    return [_written(side) for side in _base_first(sides, asked.base)]


def _written(side: Side) -> str:
    return f"run:{side.repetitions[0].run_id}" if side.kind == "run" else f"{side.kind}:{side.name}"


def _cell(cell: Cell, kind: str) -> tuple[str, str, str]:
    """Return a value, and its difference to the first side, also in percent; empty for that side itself."""
    change = (change_text(cell, kind), percent_text(cell)) if cell.change is not None else ("", "")
    return value_text(cell, kind), *change


def _shown(found: SidesComparison) -> dict[str, object]:
    """Return what the page of a comparison shows."""
    letters = [letter(place) for place in range(len(found.sides))]
    several = len(found.sides) > 1
    metrics = []
    for metric in found.metrics:
        kind = metric.format
        rows = [[_cell(cells[place], kind) for _, cells in metric.rows] for place in range(len(found.sides))]
        metrics.append((metric, side_chart(metric, found, letters), [year for year, _ in metric.rows], rows))
    settings = [(one.name, [setting_text(value) for value in one.values]) for one in found.parameters]
    return {
        "sides": [
            (letters[place], side_class(place), side.name, side_text(side)) for place, side in enumerate(found.sides)
        ],
        "several": several,
        "shown_metrics": metrics,
        "settings": settings,
        "settings_beside": len(found.sides) <= SETTINGS_BESIDE,
        "notes": all_notes(found),
        "interval_text": interval_text(found),
        "headlines": [
            (one.metric.label, one.year, value_text(one.cells[0], one.metric.format)) for one in headlines_of(found)
        ]
        if not several
        else [],
        "sensitivities": [
            (one, list(zip(swing_bars(one), sensitivity_rows(one), strict=True))) for one in sensitivities_of(found)
        ],
    }
