"""Health: what check and doctor find, the repair that would be made, and its button."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from orchestrator.reports.check import CheckReport, check_record, check_tables
from orchestrator.reports.plan import healing_record
from orchestrator.self_healing.initialization_state import heal_advice
from orchestrator.self_healing.left_out import told_left_out
from orchestrator.ui import rendering
from orchestrator.ui.run_processes import Job, newest_job, start_command
from orchestrator.ui.site import Site, see


def routes(site: Site) -> APIRouter:
    """Return the routes of these pages."""
    pages = _Health(site)
    router = APIRouter()
    router.add_api_route("/health", pages.health)
    router.add_api_route("/health.json", pages.health_json)
    router.add_api_route("/health/heal", pages.heal, methods=["POST"])
    router.add_api_route("/health/doctor", pages.doctor, methods=["POST"])
    return router


class _Health:
    """The pages of health of one server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def health(self, request: Request) -> Response:
        """Show what is wrong with the database, and how it would be repaired."""
        workspace = self._site.workspace
        scenario = self._site.scenario(request)
        config = workspace.config(scenario)
        report = self._look(scenario)
        job = newest_job(config.root, "doctor", self._site.settings.options(scenario))
        return self._site.page(
            request,
            "health.html",
            active="health",
            title="Health",
            report=report,
            advice=heal_advice(simulates=config.simulation is not None),
            healing=healing_record(report.plan),
            left_out=told_left_out(report.left_out),
            scenarios=workspace.scenarios(),
            scenario=config.scenario,
            doctor=job,
            checks=_checks(job),
        )

    def health_json(self, request: Request) -> Response:
        """Give the same as a document."""
        report = self._look(self._site.scenario(request))
        record = {**check_record(report), "healing": healing_record(report.plan)}
        return rendering.document(record, "healthy" if report.healthy else "unhealthy", ok=report.healthy)

    def heal(self, request: Request) -> Response:
        """Repair the database, as a command."""
        return self._start(request, "init")

    def doctor(self, request: Request) -> Response:
        """Examine everything, as a command: it reads the whole database."""
        return self._start(request, "doctor")

    def _start(self, request: Request, command: str) -> Response:
        scenario = self._site.scenario(request)
        root = self._site.workspace.config(scenario).root
        started = start_command(self._site.settings, root, [command, *self._site.settings.options(scenario)])
        return see(f"/work/{started.job}")

    def _look(self, scenario: str | None) -> CheckReport:
        config = self._site.workspace.config(scenario)
        with self._site.workspace.project(config) as (runner, facts):
            return check_tables(config, runner, facts)


def _checks(job: Job | None) -> list[dict[str, object]]:
    """Return what the newest examination found."""
    found = None if job is None or job.document is None else job.document.get("checks")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
