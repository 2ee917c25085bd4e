"""A page that has to wait, because a run is writing the database: which run, and the page again once it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.responses import Response

from orchestrator.core.errors import DatabaseLockedError, OrchestratorError
from orchestrator.reports.run_history import list_runs
from orchestrator.reports.runs import scenario_label
from orchestrator.storage.base import RUNNING
from orchestrator.ui.site import Site

if TYPE_CHECKING:
    from orchestrator.storage.models import WorkflowRun

MOST_RUNNING = 20


def show(site: Site, request: Request, error: DatabaseLockedError) -> Response:
    """Say that a run is in progress; a script gets the error as a document."""
    if request.url.path.endswith(".json") or request.method != "GET":
        return site.failure(request, error, 409)
    run = _running(site, error)
    return site.page(
        request,
        "busy.html",
        active="",
        title="The database is in use" if run is None else "A run is in progress",
        code=409,
        run=run,
        label=None if run is None else scenario_label(run) or "A run",
        message=error.message,
        again=f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path,
    )


def _running(site: Site, error: DatabaseLockedError) -> WorkflowRun | None:
    """Return the run that holds the database, None where that cannot be told."""
    try:
        backend = site.workspace.history()
        runs = [one.run for one in list_runs(backend, scenario=None, statuses=[RUNNING], limit=MOST_RUNNING).runs]
        sessions = backend.sessions.of_runs(run.id for run in runs)
    except OrchestratorError:
        return None
    own = [run for run in runs if run.id in sessions and sessions[run.id].pid == error.pid]
    if own:
        return own[0]
    return runs[0] if len(runs) == 1 and error.pid is None else None
