"""What every page has at hand: the workspace, the guard, live runs, and the way a page is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from orchestrator.core.errors import OrchestratorError
from orchestrator.reports.sweep_looks import SweepLooks
from orchestrator.ui import rendering
from orchestrator.ui.live import LiveRuns
from orchestrator.ui.live_sweeps import LiveSweeps
from orchestrator.ui.navigation import PAGES
from orchestrator.ui.security import Guard
from orchestrator.ui.settings import UiSettings
from orchestrator.ui.workspace import Workspace


@dataclass(frozen=True)
class Site:
    """One server; ``served`` is set once it has made a page."""

    settings: UiSettings
    workspace: Workspace
    guard: Guard
    live: LiveRuns
    sweeps: SweepLooks
    live_sweeps: LiveSweeps
    served: Event = field(default_factory=Event)

    def page(
        self, request: Request, template: str, /, *, active: str, title: str, code: int = 200, **context: object
    ) -> Response:
        """Make a page with what all pages have."""
        shared = {
            "pages": PAGES,
            "active": active,
            "title": title,
            "form_token": self.guard.form_token(request.state.session),
            "has_password": self.guard.is_signed_in(request.state.session),
            "path": request.url.path,
            "root": self.root(),
            "broken": None,
        }
        made = rendering.page(request, template, shared | context, status=code)
        self.served.set()
        return made

    def root(self) -> str:
        """Return the project root; empty where no configuration was ever right."""
        try:
            return str(self.workspace.last_good()[0].root)
        except OrchestratorError:
            return ""

    def scenario(self, request: Request) -> str | None:
        """Return the scenario that a page is asked for, None for that of the server."""
        return self.own(request.query_params.get("scenario") or form_of(request).get("scenario") or None)

    def own(self, scenario: str | None) -> str | None:
        """Return a scenario by its name, None for that of the server, which options of its own may belong to."""
        return None if scenario == self.workspace.config().scenario else scenario

    def failure(self, request: Request, error: OrchestratorError, status: int) -> Response:
        """Show an error with its remedy: as a page, or as the document that a command would write."""
        failed = {"type": type(error).__name__, "message": error.message, "to_fix": error.to_fix}
        if request.url.path.endswith(".json"):
            record = {"error": failed, "exit_code": error.exit_code}
            return rendering.document(record, "failed", ok=False, status=status)
        return self.page(request, "error.html", active="", title="Something is wrong", code=status, error=failed)


def form_of(request: Request) -> Mapping[str, str]:
    """Return the fields of the form that was sent."""
    found = getattr(request.state, "form", {})
    assert isinstance(found, dict)
    return found


def see(path: str) -> Response:
    """Lead to another page after something was done."""
    return RedirectResponse(path, status_code=303)
