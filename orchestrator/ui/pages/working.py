"""Commands that were started from a page: what they are doing, how they ended, and the way on."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from fastapi.responses import Response

from orchestrator.core.errors import OrchestratorError
from orchestrator.ui import rendering
from orchestrator.ui.run_processes import Job, arguments_of, newest_job, read_job, run_of, start_command, sweep_of
from orchestrator.ui.site import Site, form_of, see
from orchestrator.ui.workspace import NotReadYetError

LINES_SHOWN = 40
_LOCAL = re.compile(r"/(?![/\\])[^\\\s]*")
HEADINGS = {
    "simulate": "Starting the run",
    "sweep": "Starting the sweep",
    "init": "Healing the database",
    "doctor": "Examining the workspace",
    "check": "Reading the project",
}


def routes(site: Site) -> APIRouter:
    """Return the routes of these pages."""
    pages = _Working(site)
    router = APIRouter()
    router.add_api_route("/work/{name}", pages.work)
    router.add_api_route("/work/{name}/agree", pages.agree, methods=["POST"])
    return router


class _Working:
    """The pages of commands of one server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def work(self, request: Request, name: str) -> Response:
        name, _, ending = name.partition(".")
        job = find_job(self._site, name)
        if ending == "json":
            return rendering.document(job_record(self._site, job), "running" if job.running else "ended")
        config, broken = self._site.workspace.last_good()
        run_id = run_of(config.root, job) if job.command == "simulate" else None
        if run_id is not None and not would_lose_years(job):
            return see(f"/runs/{run_id}")
        sweep = sweep_of(config.root, job) if job.command == "sweep" else None
        if sweep is not None:
            return see(f"/sweeps/{sweep}")
        after = {"init": "/health", "doctor": "/health", "check": request.query_params.get("to", "/project")}
        if not job.running and job.error is None and job.command in after:
            way = after[job.command]
            return see(way if _LOCAL.fullmatch(way) else "/")
        return self._site.page(
            request,
            "working.html",
            active="",
            title=HEADINGS.get(job.command, "Working"),
            job=job,
            lines=last_lines(job),
            years_would_be_lost=would_lose_years(job),
            again="/sweeps" if job.command == "sweep" else "/runs",
            broken=broken,
        )

    def agree(self, request: Request, name: str) -> Response:
        """Start a run again that would remove finished years, with the agreement to that."""
        job = find_job(self._site, name)
        if not would_lose_years(job) or form_of(request).get("agree") != "yes":
            raise OrchestratorError("There is nothing to agree to.", to_fix="load the page again")
        again = start_command(self._site.settings, self._site.workspace.config().root, [*arguments_of(job), "--yes"])
        return see(f"/work/{again.job}")


def find_job(site: Site, name: str) -> Job:
    """Return a command that was started.

    Raises:
        OrchestratorError: there is none of that name.
    """
    job = read_job(site.workspace.last_good()[0].root, name)
    if job is None:
        raise OrchestratorError("There is no such command any more.", to_fix="look at the runs, or start it again")
    return job


def read_project(site: Site, request: Request, error: NotReadYetError) -> Response:
    """Let dbt read the project, once, and show that meanwhile; show its error where it cannot."""
    if request.url.path.endswith(".json") or request.method != "GET":
        return site.failure(request, error, 409)
    scenario = site.scenario(request)
    config, options = site.workspace.config(scenario), site.settings.options(scenario)
    job = newest_job(config.root, "check", options)
    if job is None or not (job.running or _still_fails(site, job)):
        started = start_command(site.settings, config.root, ["check", *options])
        job = find_job(site, started.job)
    return site.page(
        request,
        "working.html",
        active="",
        title=HEADINGS["check"],
        job=job,
        lines=last_lines(job),
        years_would_be_lost=False,
        again=f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path,
    )


def _still_fails(site: Site, job: Job) -> bool:
    """Tell whether an attempt failed a moment ago, and no file of the configuration was changed since."""
    if job.error is None or rendering.ago(job.started_at) != "just now":
        return False
    return job.started_at.timestamp() > site.workspace.changed_at()


def would_lose_years(job: Job) -> bool:
    """Tell whether a run was refused because it would remove finished years."""
    return job.error is not None and job.error.get("type") == "YearsWouldBeLostError"


def last_lines(job: Job) -> list[str]:
    """Return the last lines that a command has written for people."""
    return [line for line in job.said.splitlines() if line.strip()][-LINES_SHOWN:]


def job_record(site: Site, job: Job) -> dict[str, object]:
    """Return a command for JSON."""
    root = site.workspace.last_good()[0].root
    return {
        "command": job.command,
        "running": job.running,
        "started_at": job.started_at,
        "run_id": run_of(root, job) if job.command == "simulate" else None,
        "sweep": sweep_of(root, job) if job.command == "sweep" else None,
        "error": job.error,
        "lines": last_lines(job),
    }
