"""Parameters: a form made of what the configuration declares, which saves a scenario or runs it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError, OrchestratorError
from orchestrator.reports.parameters import ParameterList, list_parameters, parameters_record
from orchestrator.ui import rendering
from orchestrator.ui.assistants.overlay import save_scenario, scenario_yaml
from orchestrator.ui.parameter_form import PREFIX, FilledForm, fields_of, fill
from orchestrator.ui.run_processes import start_run
from orchestrator.ui.site import Site, form_of, see

CHECK, SAVE, RUN = "check", "save", "run"


def routes(site: Site) -> APIRouter:
    """Return the routes of these pages."""
    pages = _Parameters(site)
    router = APIRouter()
    router.add_api_route("/parameters", pages.show)
    router.add_api_route("/parameters", pages.take, methods=["POST"])
    router.add_api_route("/parameters.json", pages.show_json)
    return router


class _Parameters:
    """The page of the parameters of one server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def show(self, request: Request) -> Response:
        """Show the form with the values in force."""
        config, found = self._parameters(request)
        saved = request.query_params.get("saved")
        return self._page(request, config, FilledForm(fields_of(config, found), (), None), saved=saved)

    def show_json(self, request: Request) -> Response:
        """Give the parameters as a document."""
        _, found = self._parameters(request)
        return rendering.document(parameters_record(found), "listed")

    def take(self, request: Request) -> Response:
        """Check what was typed; save it as a scenario, or run it, where it fits."""
        form = form_of(request)
        config, found = self._parameters(request)
        typed = {key: value for key, value in form.items() if key.startswith(PREFIX)}
        name, wanted = form.get("name", "").strip(), form.get("do", CHECK)
        filled = fill(config, found, typed, name or None)
        if wanted == CHECK or not filled.fits or filled.checked is None:
            return self._page(request, config, filled, name=name, replace=form.get("replace") == "yes")
        if name:
            try:
                save_scenario(filled.checked, config, replace=form.get("replace") == "yes")
            except OSError as error:
                raise OrchestratorError(f"The scenario could not be written: {error.strerror}.") from error
            except ConfigurationError as error:
                told = FilledForm(filled.fields, (str(error),), filled.checked)
                return self._page(request, config, told, name=name)
        elif wanted == SAVE:
            told = FilledForm(filled.fields, ("A scenario needs a name.",), filled.checked)
            return self._page(request, config, told)
        if wanted == RUN:
            return self._run(request, config, filled, name)
        return see(f"/parameters?scenario={name}&saved={name}")

    def _run(self, request: Request, config: SimulationConfig, filled: FilledForm, name: str) -> Response:
        assert filled.checked is not None
        settings, scenario = self._site.settings, self._site.scenario(request)
        if name:
            started = start_run(settings, config.root, scenario=name)
        else:
            started = start_run(settings, config.root, scenario=scenario, overlay=filled.checked.overlay)
        return see(f"/work/{started.job}")

    def _parameters(self, request: Request) -> tuple[SimulationConfig, ParameterList]:
        config = self._site.workspace.config(self._site.scenario(request))
        with self._site.workspace.project(config) as (_, facts):
            return config, list_parameters(config, facts)

    def _page(
        self,
        request: Request,
        config: SimulationConfig,
        filled: FilledForm,
        *,
        name: str = "",
        replace: bool = False,
        saved: str | None = None,
    ) -> Response:
        checked = filled.checked
        shown = checked is not None and filled.fits and bool(checked.changes)
        scenarios = self._site.workspace.scenarios()
        return self._site.page(
            request,
            "parameters.html",
            active="parameters",
            title="Parameters",
            code=200 if filled.fits else 422,
            fields=filled.fields,
            errors=filled.errors,
            fits=filled.fits,
            changes=checked.changes if shown and checked is not None else (),
            yaml=scenario_yaml(checked) if shown and checked is not None else "",
            scenarios=scenarios,
            scenario=config.scenario,
            simulates=config.simulation is not None,
            name=name,
            replace=replace,
            saved=saved if saved in scenarios else None,
        )
