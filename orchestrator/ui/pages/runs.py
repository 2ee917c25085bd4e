"""Runs: their list, one of them, live, and what may be done about them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from orchestrator.core.annotations import checked_tags
from orchestrator.core.errors import ConfigurationError, OrchestratorError
from orchestrator.core.processes import ProcessIdentity
from orchestrator.core.text import shown_years
from orchestrator.reports.results import stored_summary
from orchestrator.reports.run_history import (
    ListedRun,
    RunList,
    list_runs,
    read_run,
    write_note,
    write_tags,
    years_of,
)
from orchestrator.reports.run_page import arguments_again, find_full_run, run_page, shown_command
from orchestrator.reports.run_progress import grid_of
from orchestrator.reports.runs import full_record, list_record, reached, scenario_label
from orchestrator.storage.base import COMPLETED, CRASHED, RUNNING, STATUSES, RunRecord
from orchestrator.ui import rendering
from orchestrator.ui.pages.working import would_lose_years
from orchestrator.ui.run_processes import newest_job, run_of, start_command, start_run
from orchestrator.ui.site import Site, form_of, see
from orchestrator.ui.stopping import interrupt

if TYPE_CHECKING:
    from orchestrator.storage.models import WorkflowRun

SHOWN = 50
MOST_LOOKED_THROUGH = 1000
MOST_LIVE = 5
LINES_SHOWN = 200
FILTERS = tuple(status for status in (*STATUSES, CRASHED) if status != "pending")


def routes(site: Site) -> APIRouter:
    """Return the routes of these pages."""
    pages = _Runs(site)
    router = APIRouter()
    router.add_api_route("/runs", pages.listed)
    router.add_api_route("/runs.json", pages.listed_json)
    router.add_api_route("/runs", pages.start, methods=["POST"])
    router.add_api_route("/runs/{name}", pages.one)
    router.add_api_route("/runs/{run_id}/cancel", pages.cancel, methods=["POST"])
    router.add_api_route("/runs/{run_id}/resume", pages.resume, methods=["POST"])
    router.add_api_route("/runs/{run_id}/note", pages.note, methods=["POST"])
    router.add_api_route("/live", pages.live)
    return router


class _Runs:
    """The pages of runs of one server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def listed(self, request: Request) -> Response:
        chosen = _filters(request)
        config, broken = self._site.workspace.last_good()
        found = _find(self._site, chosen)
        backend = self._site.workspace.history(config)
        running = [one for one in found.runs if one.status == RUNNING][:MOST_LIVE]
        return self._site.page(
            request,
            "runs.html",
            active="runs",
            title="Runs",
            found=found,
            grids=[(one, grid_of(backend.record(one.run), one.status)) for one in running],
            chosen=chosen,
            statuses=FILTERS,
            scenarios=self._site.workspace.scenarios(),
            own_scenario=config.scenario,
            simulation=config.simulation,
            label=scenario_label,
            years_of=years_of,
            reached=reached,
            shown=SHOWN,
            broken=broken,
        )

    def listed_json(self, request: Request) -> Response:
        return rendering.document(list_record(_find(self._site, _filters(request))), "listed")

    def start(self, request: Request) -> Response:
        form = form_of(request)
        config = self._site.workspace.config(self._site.scenario(request))
        years = _years(form)
        started = start_run(
            self._site.settings,
            config.root,
            scenario=self._site.scenario(request),
            years=years,
            fresh=form.get("fresh") == "yes",
        )
        return see(f"/work/{started.job}")

    def one(self, request: Request, name: str) -> Response:
        run_id, _, ending = name.partition(".")
        config, broken = self._site.workspace.last_good()
        found = find_full_run(self._site.workspace.history(config), config.root / "var" / "runs", run_id)
        if ending == "json":
            return rendering.document(full_record(found), found.status)
        run = found.record.run
        whole = run_page(found, config.root / "var" / "runs", most_lines=LINES_SHOWN)
        return self._site.page(
            request,
            "run.html",
            active="runs",
            title=f"Run {run.id[:8]}",
            run=run,
            status=found.status,
            whole=whole,
            command=shown_command(run),
            summary=stored_summary(found.record),
            label=scenario_label(run) or "–",
            years=years_of(run),
            annotations=found.record.annotations,
            warnings=_warnings(found.record),
            can_resume=found.status not in (RUNNING, COMPLETED)
            and _arguments(self._site, run, config.root) is not None,
            is_running=found.status == RUNNING,
            broken=broken,
            asks=None if found.status == RUNNING else self._asks(run.id, config.root),
        )

    def _asks(self, run_id: str, root: Path) -> str | None:
        """Return the name of the command that a run is, where it would go on if somebody agreed to something."""
        job = newest_job(root, "simulate")
        return job.name if job is not None and would_lose_years(job) and run_of(root, job) == run_id else None

    def cancel(self, run_id: str) -> Response:
        config, _ = self._site.workspace.last_good()
        found = find_full_run(self._site.workspace.history(config), config.root / "var" / "runs", run_id)
        session = found.record.session
        if found.status != RUNNING or session is None:
            raise ConfigurationError("This run has ended already.", to_fix="load the page of the run again")
        interrupt(ProcessIdentity(session.pid, session.host, session.process_started))
        return see(f"/runs/{found.record.run.id}")

    def resume(self, run_id: str) -> Response:
        config = self._site.workspace.config()
        found = read_run(self._site.workspace.history(config), run_id)
        arguments = _arguments(self._site, found.record.run, config.root)
        if found.status == RUNNING or arguments is None:
            raise ConfigurationError(
                "This run cannot be resumed from here: it goes on, or was not started by `orchestrator simulate`.",
                to_fix="start it again where it was started",
            )
        return see(f"/work/{start_command(self._site.settings, config.root, arguments).job}")

    def note(self, request: Request, run_id: str) -> Response:
        form = form_of(request)
        backend = self._site.workspace.history()
        tags = checked_tags(form.get("tags", "").replace(",", " ").split())
        run, now = write_note(backend, run_id, form.get("note", ""))
        gone = [tag for tag in now.tags if tag not in tags]
        if gone:
            write_tags(backend, run.id, gone, remove=True)
        if tags:
            write_tags(backend, run.id, tags, remove=False)
        return see(f"/runs/{run.id}")

    async def live(self, request: Request) -> Response:
        if self._site.live.is_full():
            raise OrchestratorError("Too many pages are open.", to_fix="close some of them")
        wanted = request.query_params.getlist("run")
        stream = self._site.live.watch(wanted, listing=request.query_params.get("list") == "1")
        return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


def _filters(request: Request) -> dict[str, str]:
    asked = {key: request.query_params.get(key, "").strip() for key in ("scenario", "status", "text")}
    if asked["status"] not in FILTERS:
        asked["status"] = ""
    return asked


def _find(site: Site, chosen: Mapping[str, str]) -> RunList:
    """Return the newest runs that fit; the text is looked for in ids, scenarios, notes, tags and errors."""
    text = chosen["text"].lower()
    found = list_runs(
        site.workspace.history(),
        scenario=chosen["scenario"] or None,
        statuses=[chosen["status"]] if chosen["status"] else [],
        limit=MOST_LOOKED_THROUGH if text else SHOWN,
    )
    if not text:
        return found
    fitting = [one for one in found.runs if text in _text_of(one)]
    return RunList(tuple(fitting[:SHOWN]), more=found.more or len(fitting) > SHOWN)


def _text_of(one: ListedRun) -> str:
    run = one.run
    years = shown_years(years_of(run))
    notes = (one.annotations.note or "", *one.annotations.tags)
    return " ".join((run.id, scenario_label(run) or "", years, run.error_message or "", *notes)).lower()


def _years(form: Mapping[str, str]) -> str | None:
    """Return the years of a form as a command takes them, None for those of the configuration."""
    first, last = form.get("first", "").strip(), form.get("last", "").strip()
    if not first and not last:
        return None
    return first if not last or first == last else f"{first}-{last}" if first else last


def _arguments(site: Site, run: WorkflowRun, root: Path) -> list[str] | None:
    """Return the arguments with which a run of this workspace goes on, None where that cannot be told."""
    if run.config_snapshot.get("root") != str(root):
        return None
    arguments = arguments_again(run)
    own = [] if site.settings.config is None else ["--config", str(site.settings.config)]
    return None if arguments is None else [*arguments, *own]


def _warnings(record: RunRecord) -> list[dict[str, object]]:
    """Return the tests that warned."""
    found = next((output.value for output in record.outputs if output.key == "test_warnings"), None)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
