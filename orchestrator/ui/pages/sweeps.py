"""Sweeps: their list, one of them, live, and what may be done about them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from orchestrator.core.errors import OrchestratorError, TableNotFoundError
from orchestrator.reports.sweep_looks import WORDS, SweepLook, member_label, varied_names
from orchestrator.reports.sweep_tables import OpenResults, open_results
from orchestrator.reports.sweeps import listed_record, status_record
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.holding import ask_to_stop
from orchestrator.scenarios.results_database import kept_tables
from orchestrator.scenarios.status import existing, list_sweeps, read_sweep, size_of
from orchestrator.ui import rendering
from orchestrator.ui.live_sweeps import beside, running_rows, sums_of
from orchestrator.ui.pages.results import PARQUET, file_name
from orchestrator.ui.run_processes import start_command
from orchestrator.ui.site import Site, see

MEMBERS_SHOWN = 50
VALUES_SHOWN = 12
COLUMNS_SHOWN = 6  # varied keys that have a column of their own
MOST_LISTED = 100
STOPPED = "stopped"


def routes(site: Site) -> APIRouter:
    """Return the routes of these pages."""
    pages = _Sweeps(site)
    router = APIRouter()
    router.add_api_route("/sweeps", pages.listed)
    router.add_api_route("/sweeps.json", pages.listed_json)
    router.add_api_route("/sweeps/{name}", pages.one)
    router.add_api_route("/sweeps/{name}/cancel", pages.cancel, methods=["POST"])
    router.add_api_route("/sweeps/{name}/resume", pages.resume, methods=["POST"])
    router.add_api_route("/sweeps/{name}/table.{ending}", pages.download)
    router.add_api_route("/live-sweeps", pages.live)
    return router


class _Sweeps:
    """The pages of sweeps of one server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def listed(self, request: Request) -> Response:
        config, broken = self._site.workspace.last_good()
        looks = self._site.sweeps.looks(config.root)
        return self._site.page(
            request,
            "sweeps.html",
            active="sweeps",
            title="Sweeps",
            looks=looks[:MOST_LISTED],
            more=len(looks) > MOST_LISTED,
            simulates=config.simulation is not None,
            bar=_bar,
            broken=broken,
        )

    def listed_json(self) -> Response:
        found = [(one, size_of(one.folder)) for one in list_sweeps(self._root())]
        return rendering.document({"sweeps": [listed_record(*one) for one in found]}, "listed")

    def one(self, request: Request, name: str) -> Response:
        config, broken = self._site.workspace.last_good()
        if name.endswith(".json") and not SweepFolder.of(config.root, name).plan.exists():
            found = read_sweep(config.root, name.removesuffix(".json"))
            return rendering.document(status_record(found, kept_tables(found.folder)), found.status)
        look = self._site.sweeps.look(config.root, name)
        plan = look.status.plan
        if plan is None:
            read_sweep(config.root, name)  # raises, with the reason
            raise AssertionError
        word = request.query_params.get("status", "")
        word = word if word in WORDS.values() else ""
        members = [one for one in look.members() if word in ("", one.word)]
        pages = max(1, -(-len(members) // MEMBERS_SHOWN))
        number = _page_number(request, pages)
        shown = members[(number - 1) * MEMBERS_SHOWN : number * MEMBERS_SHOWN]
        names = varied_names(plan)
        return self._site.page(
            request,
            "sweep.html",
            active="sweeps",
            title=f"Sweep {name}",
            look=look,
            plan=plan,
            sums=sums_of(look),
            now=running_rows(look),
            words=[one for one in WORDS.values() if one in look.counts or (look.running and one != STOPPED)],
            chosen=word,
            members=shown,
            width=4 + (len(plan.scenarios) > 1) + min(len(names), COLUMNS_SHOWN) + bool(plan.seeds),
            number=number,
            pages_of_members=pages,
            names=names,
            columns=list(names.items())[:COLUMNS_SHOWN],
            has_seeds=bool(plan.seeds),
            label=member_label,
            beside=beside,
            tables=() if look.running else kept_tables(look.status.folder),
            values_shown=VALUES_SHOWN,
            bar=_bar,
            broken=broken,
        )

    def cancel(self, name: str) -> Response:
        """Stop a sweep as Ctrl-C in its terminal does, and wait until it has."""
        ask_to_stop(existing(self._root(), name))
        return see(f"/sweeps/{name}")

    def resume(self, name: str) -> Response:
        """Go on with a sweep, as a process of the command line."""
        settings, root = self._site.settings, self._site.workspace.config().root
        existing(root, name)
        own = [] if settings.config is None else ["--config", str(settings.config)]
        return see(f"/work/{start_command(settings, root, ['sweep', 'resume', name, *own]).job}")

    def download(self, request: Request, name: str, ending: str) -> Response:
        """Give all rows of a kept table as CSV or Parquet."""
        table = request.query_params.get("table", "")
        if ending not in ("csv", "parquet"):
            raise TableNotFoundError(f"There is no format {ending[:20]!r}.", to_fix="choose csv or parquet")
        with ExitStack() as stack:
            found = stack.enter_context(open_results(read_sweep(self._root(), name), table))
            headers = {"content-disposition": f'attachment; filename="{file_name(f"{name}-{table}")}.{ending}"'}
            if ending == "parquet":
                return Response(_parquet(found), media_type=PARQUET, headers=headers)
            lines = _csv(found, stack.pop_all())
            return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)
        raise AssertionError

    async def live(self, request: Request) -> Response:
        if self._site.live_sweeps.is_full():
            raise OrchestratorError("Too many pages are open.", to_fix="close some of them")
        stream = self._site.live_sweeps.watch(request.query_params.get("name"))
        return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    def _root(self) -> Path:
        return self._site.workspace.last_good()[0].root


def _page_number(request: Request, last: int) -> int:
    text = request.query_params.get("page", "1")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 1
    return min(max(number, 1), last)


def _bar(look: SweepLook) -> list[tuple[str, float, float]]:
    """Return the parts of the bar of progress: a word, where it begins and how long it is, of 1000."""
    found, begin = [], 0.0
    for word in ("done", "failed", "running"):
        length = 1000 * look.counts.get(word, 0) / max(1, look.total)
        found.append((word, round(begin, 1), round(length, 1)))
        begin += length
    return found


def _csv(found: OpenResults, opened: ExitStack) -> Iterator[bytes]:
    with opened:
        for line in found.csv():
            yield f"{line}\n".encode()


def _parquet(found: OpenResults) -> bytes:
    with tempfile.TemporaryDirectory(prefix="orchestrator-ui-") as folder:
        file = Path(folder, "rows.parquet")
        found.write_parquet(file)
        return file.read_bytes()
