"""The form of a new sweep: what would be run, how long that takes and how large it gets, and its start."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import OrchestratorError
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.reports.parameters import list_parameters
from orchestrator.scenarios.forecast import Forecast, forecast
from orchestrator.scenarios.project import SweptProject
from orchestrator.scenarios.sweeping import PreparedSweep, prepare
from orchestrator.ui.run_processes import start_command
from orchestrator.ui.site import Site, form_of, see
from orchestrator.ui.sweep_form import SweepForm, empty_form, filled_form

START = "start"
MEMBERS_SHOWN = 12


@dataclass(frozen=True)
class Preview:
    """What a sweep would do."""

    sweep: PreparedSweep
    expected: Forecast


def routes(site: Site) -> APIRouter:
    """Return the routes of this page."""
    pages = _NewSweep(site)
    router = APIRouter()
    router.add_api_route("/new-sweep", pages.show)
    router.add_api_route("/new-sweep", pages.take, methods=["POST"])
    return router


class _NewSweep:
    """The form of a new sweep of one server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def show(self, request: Request) -> Response:
        """Show the form with what the configuration says."""
        config = self._site.workspace.config()
        if config.simulation is None:
            return self._page(request, config, None)
        with self._site.workspace.project(config) as (_, facts):
            return self._page(request, config, empty_form(config, list_parameters(config, facts)))

    def take(self, request: Request) -> Response:
        """Check what was typed, and show what would be run; start it where that is wanted and fits."""
        config, typed = self._site.workspace.config(), form_of(request)
        if config.simulation is None:
            return self._page(request, config, None)
        with self._site.workspace.project(config) as (_, facts):
            parameters = list_parameters(config, facts)
            form = filled_form(config, parameters, self._site.workspace.scenarios(), typed)
            try:
                found = self._preview(config, form, facts)
            except OrchestratorError as error:
                return self._page(request, config, form, error=error)
        if typed.get("do") != START or (found.sweep.dropped and not form.agreed):
            return self._page(request, config, form, found)
        arguments = form.arguments(self._site.settings, found.sweep.plan.name)
        return see(f"/work/{start_command(self._site.settings, config.root, arguments).job}")

    def _preview(self, config: SimulationConfig, form: SweepForm, facts: ProjectFacts) -> Preview:
        assert config.file is not None  # without a file there are no years
        asked = form.asked()
        project = SweptProject(config.file, self._site.settings.overrides)
        sweep = prepare(project, asked.request(config.sweep), lambda _: facts)
        return Preview(sweep, forecast(sweep, asked.work(config.sweep).count))

    def _page(
        self,
        request: Request,
        config: SimulationConfig,
        form: SweepForm | None,
        preview: Preview | None = None,
        error: OrchestratorError | None = None,
    ) -> Response:
        return self._site.page(
            request,
            "new_sweep.html",
            active="sweeps",
            title="New sweep",
            code=200 if error is None else 422,
            form=form,
            scenarios=self._site.workspace.scenarios(),
            preview=preview,
            members_shown=MEMBERS_SHOWN,
            error=error,
        )
