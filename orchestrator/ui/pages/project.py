"""Project: what is built from what, and in which state it is."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import OrchestratorError, TableNotFoundError
from orchestrator.reports.lineage import Lineage, lineage_of, lineage_record
from orchestrator.reports.run_history import list_runs
from orchestrator.storage.base import FAILED
from orchestrator.ui import rendering
from orchestrator.ui.lineage_svg import lineage_svg
from orchestrator.ui.site import Site


def routes(site: Site) -> APIRouter:
    """Return the routes of these pages."""
    pages = _Project(site)
    router = APIRouter()
    router.add_api_route("/project", pages.project)
    router.add_api_route("/project.json", pages.project_json)
    return router


class _Project:
    """The page of the project of one server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def project(self, request: Request) -> Response:
        """Show the lineage, and one node of it."""
        scenario = self._site.scenario(request)
        config = self._site.workspace.config(scenario)
        lineage = self._lineage(config)
        name = request.query_params.get("node")
        node = None if not name else lineage.get(name)
        if name and node is None:
            raise TableNotFoundError(f"The project has no node {name[:100]!r}.", to_fix="choose one of the table")
        return self._site.page(
            request,
            "project.html",
            active="project",
            title="Project",
            lineage=lineage,
            drawing=lineage_svg(lineage, None if node is None else node.unique_id, scenario),
            node=node,
            related=lambda ids: [one for one in lineage.nodes if one.unique_id in ids],
            scenarios=self._site.workspace.scenarios(),
            scenario=config.scenario,
        )

    def project_json(self, request: Request) -> Response:
        """Give the same as a document."""
        config = self._site.workspace.config(self._site.scenario(request))
        return rendering.document(lineage_record(self._lineage(config)), "listed")

    def _lineage(self, config: SimulationConfig) -> Lineage:
        with self._site.workspace.project(config) as (runner, facts):
            return lineage_of(config, runner, facts, last_run=self._failed_run(config))

    def _failed_run(self, config: SimulationConfig) -> Path | None:
        """Return the folder of the newest run of a scenario, where that failed."""
        try:
            newest = list_runs(self._site.workspace.history(), scenario=config.scenario, limit=1).runs
        except OrchestratorError:
            return None
        if not newest or newest[0].status != FAILED:
            return None
        return config.root / "var" / "runs" / newest[0].run.id
