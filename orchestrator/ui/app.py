"""The application: every page, the errors, and the gate before them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from orchestrator.core.errors import (
    ConfigurationError,
    DatabaseLockedError,
    OrchestratorError,
    RunNotFoundError,
    SweepBusyError,
    SweepNotFoundError,
    TableNotFoundError,
)
from orchestrator.reports.sweep_looks import SweepLooks
from orchestrator.ui.chat_door import ChatDoor
from orchestrator.ui.gate import Gate
from orchestrator.ui.live import LiveRuns
from orchestrator.ui.live_sweeps import LiveSweeps
from orchestrator.ui.pages import (
    busy,
    compare,
    health,
    new_sweep,
    parameters,
    project,
    results,
    runs,
    start,
    sweeps,
    working,
)
from orchestrator.ui.rendering import STATIC
from orchestrator.ui.security import Guard, TooManyAttemptsError
from orchestrator.ui.settings import UiSettings
from orchestrator.ui.site import Site
from orchestrator.ui.workspace import NotReadYetError, Workspace

logger = logging.getLogger(__name__)

STATUS_OF = (
    (RunNotFoundError, 404),
    (TableNotFoundError, 404),
    (SweepNotFoundError, 404),
    (SweepBusyError, 409),
    (TooManyAttemptsError, 429),
    (ConfigurationError, 422),
    (OrchestratorError, 500),
)


class _Static(StaticFiles):
    """Files of ours, which a browser may keep: their addresses change with their content."""

    def file_response(self, *args: object, **options: object) -> Response:
        response = super().file_response(*args, **options)  # type: ignore[arg-type]
        response.headers["cache-control"] = "public, max-age=86400"
        return response


def create_app(settings: UiSettings) -> FastAPI:
    """Make the application for a workspace; nothing is read of it yet.

    What it returns is the whole of it, gate included: the gate is its outermost middleware.
    """
    workspace = Workspace(settings)
    guard = Guard(settings)
    live, looks = LiveRuns(workspace.runs_dir, workspace.newest_runs), SweepLooks()
    site = Site(settings, workspace, guard, live, looks, LiveSweeps(workspace.root, looks))
    door = ChatDoor(site)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opening = asyncio.create_task(door.open_behind_the_first_page()) if settings.load_chat else None
        yield
        if opening is not None:
            opening.cancel()
        await site.live.close()
        await site.live_sweeps.close()
        await door.close()
        workspace.close()

    app = FastAPI(title="orchestrator", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.site = site
    for module in (start, runs, sweeps, new_sweep, results, compare, health, project, parameters, working):
        app.include_router(module.routes(site))
    app.mount("/static", _Static(directory=STATIC))
    app.mount("/chat", door)
    _handle_errors(app, site)
    app.add_middleware(Gate, guard=guard)
    return app


def _handle_errors(app: FastAPI, site: Site) -> None:
    @app.exception_handler(NotReadYetError)
    def not_read_yet(request: Request, error: NotReadYetError) -> Response:
        return working.read_project(site, request, error)

    @app.exception_handler(DatabaseLockedError)
    def in_use(request: Request, error: DatabaseLockedError) -> Response:
        return busy.show(site, request, error)

    @app.exception_handler(OrchestratorError)
    def known(request: Request, error: OrchestratorError) -> Response:
        status = next(status for kind, status in STATUS_OF if isinstance(error, kind))
        return site.failure(request, error, status)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        words = {404: "There is no such page.", 405: "This page takes no such request."}
        message = words.get(error.status_code, str(error.detail))
        return site.failure(request, OrchestratorError(message), error.status_code)

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> Response:
        logger.error("%s failed", request.url.path, exc_info=error)
        told = OrchestratorError(
            f"Unexpected {type(error).__name__}.", to_fix="see the terminal that runs `orchestrator ui`, and report it"
        )
        return site.failure(request, told, 500)
