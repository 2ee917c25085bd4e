"""The first page, and the one where one signs in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from orchestrator.ui import rendering
from orchestrator.ui.security import SESSION_SECONDS
from orchestrator.ui.site import Site, form_of, see


def routes(site: Site) -> APIRouter:
    """Return the routes of these pages."""
    pages = _Start(site)
    router = APIRouter()
    router.add_api_route("/", pages.first)
    router.add_api_route("/favicon.ico", pages.icon)
    router.add_api_route("/sign-in", pages.sign_in)
    router.add_api_route("/sign-in", pages.signed_in, methods=["POST"])
    router.add_api_route("/sign-out", pages.sign_out, methods=["POST"])
    return router


class _Start:
    """The way in."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def first(self, request: Request) -> Response:
        if self._site.workspace.is_empty():
            return self._site.page(
                request, "empty.html", active="", title="Welcome", folder=self._site.settings.folder.name
            )
        config = self._site.workspace.config()
        if self._site.workspace.history(config).runs.list_runs(limit=1):
            return see("/runs")
        return self._site.page(
            request,
            "welcome.html",
            active="",
            title="Welcome",
            simulation=config.simulation,
            scenario=config.scenario,
            scenarios=self._site.workspace.scenarios(),
            has_parameters=bool(config.parameters),
        )

    def icon(self) -> Response:
        """Lead to the picture of the tab, for pages that name none."""
        return see(rendering.static_url("icon.svg"))

    def sign_in(self, request: Request) -> Response:
        if self._site.settings.password is None:
            return see("/")
        return _sign_in_page(self._site, request, wrong=False)

    def signed_in(self, request: Request) -> Response:
        form = form_of(request)
        address = "" if request.client is None else request.client.host
        if not self._site.guard.fits(form.get("password", ""), address):
            return _sign_in_page(self._site, request, wrong=True)
        answer = see(_local(form.get("to", "/")))
        answer.set_cookie(
            self._site.guard.cookie,
            self._site.guard.new_session(signed_in=True),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
        )
        return answer

    def sign_out(self, request: Request) -> Response:
        self._site.guard.sign_out(request.state.session)
        answer = see("/")
        answer.delete_cookie(self._site.guard.cookie, httponly=True, samesite="strict")
        return answer


def _sign_in_page(site: Site, request: Request, *, wrong: bool) -> Response:
    to = _local(request.query_params.get("to") or form_of(request).get("to", "/"))
    return site.page(
        request, "sign_in.html", active="", title="Sign in", to=to, wrong=wrong, code=403 if wrong else 200
    )


def _local(path: str) -> str:
    r"""Return a path of this server, ``/`` for whatever leads elsewhere.

    >>> _local("/runs"), _local("//evil.example"), _local("https://evil.example"), _local("/\\evil")
    ('/runs', '/', '/', '/')
    """
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"
