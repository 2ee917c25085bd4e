"""Results: charts by year with their table, of one or two scenarios or runs, and the rows of any table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from orchestrator.core.errors import ConfigurationError, DatabaseLockedError, OrchestratorError, TableNotFoundError
from orchestrator.pipeline.summary import summary_model
from orchestrator.reports.charts import charts_of, differences_in, last_common_year
from orchestrator.reports.results import stored_summary, summary_record
from orchestrator.reports.row_text import csv_lines, one_line, rows_record
from orchestrator.reports.run_history import list_runs, read_run, years_of
from orchestrator.reports.runs import scenario_label
from orchestrator.reports.table_rows import OpenTable, open_table, read_results
from orchestrator.storage.base import COMPLETED
from orchestrator.ui import rendering
from orchestrator.ui.charts import chart_svg
from orchestrator.ui.site import Site

if TYPE_CHECKING:
    from orchestrator.pipeline.workflow import Summary

ROWS_SHOWN = 100
MOST_IN_JSON = 10_000
RUNS_OFFERED = 20
SCENARIO, RUN = "scenario", "run"
PARQUET = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Source:
    """A scenario or a run whose results are shown: ``note`` says where they are from, where that is not the database.

    ``summary`` is None where there is nothing to show, and ``note`` says why.
    """

    key: str
    name: str
    summary: Summary | None
    note: str | None = None


def routes(site: Site) -> APIRouter:
    """Return the routes of these pages."""
    pages = _Results(site)
    router = APIRouter()
    router.add_api_route("/results", pages.results)
    router.add_api_route("/results.json", pages.results_json)
    router.add_api_route("/results/table", pages.table)
    router.add_api_route("/results/table.{ending}", pages.download)
    return router


class _Results:
    """The pages of results of one server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def results(self, request: Request) -> Response:
        """Show results by year."""
        sources = self._sources(request)
        there = [(source.name, source.summary) for source in sources if source.summary is not None]
        charts, meanings = charts_of(there), self._meanings()
        year = last_common_year(there[0][1], there[1][1]) if len(there) > 1 else None
        return self._site.page(
            request,
            "results.html",
            active="results",
            title="Results",
            sources=sources,
            choices=self._choices(),
            chosen=[source.key for source in sources],
            charts=[(chart, chart_svg(chart), meanings.get(chart.name.lower(), "")) for chart in charts],
            year=year,
            differences=differences_in(year, there[0][1], there[1][1]) if year is not None else (),
            tables=self._tables(),
            query=request.url.query,
        )

    def results_json(self, request: Request) -> Response:
        """Give the same as a document."""
        sources = self._sources(request)
        record = {
            "sources": [
                {"source": source.key, "name": source.name, "note": source.note, **summary_record(source.summary)}
                for source in sources
            ]
        }
        return rendering.document(record, "shown")

    def table(self, request: Request) -> Response:
        """Show the first rows of a table."""
        scenario, name, year = self._asked(request)
        config = self._site.workspace.config(scenario)
        with self._site.workspace.project(config) as (runner, facts):
            if facts.database_path is None:
                raise _on_a_server()
            with open_table(config, runner, facts, name, year=year) as found:
                total = found.total()
                selected = found.rows(ROWS_SHOWN)
                rows = [row for batch in selected.batches() for row in batch]
                columns, label = selected.columns, found.label
        return self._site.page(
            request,
            "table.html",
            active="results",
            title=label,
            label=label,
            columns=columns,
            rows=[["NULL" if value is None else one_line(value)[:300] for value in row] for row in rows],
            numbers=[any(kind.startswith(start) for start in NUMERIC) for _, kind in columns],
            total=total,
            tables=self._tables(),
            scenarios=self._site.workspace.scenarios(),
            scenario=scenario or self._site.workspace.config().scenario,
            year=year,
            has_years=config.simulation is not None,
            query=request.url.query,
        )

    def download(self, request: Request, ending: str) -> Response:
        """Give all rows of a table as CSV, JSON or Parquet."""
        scenario, name, year = self._asked(request)
        config = self._site.workspace.config(scenario)
        stack = ExitStack()
        with stack:
            runner, facts = stack.enter_context(self._site.workspace.project(config))
            if facts.database_path is None:
                raise _on_a_server()
            table = stack.enter_context(open_table(config, runner, facts, name, year=year))
            headers = {"content-disposition": f'attachment; filename="{file_name(table.label)}.{ending}"'}
            if ending == "json":
                selected = table.rows(MOST_IN_JSON)
                rows = [row for batch in selected.batches() for row in batch]
                record = {"table": table.label, **rows_record(selected.columns, rows), "total": table.total()}
                return rendering.document(record, "shown")
            if ending == "csv":
                lines = _csv(table, stack.pop_all())
                return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)
            if ending == "parquet":
                return Response(_parquet(table), media_type=PARQUET, headers=headers)
        raise TableNotFoundError(f"There is no format {ending!r}.", to_fix="choose csv, json or parquet")

    def _asked(self, request: Request) -> tuple[str | None, str, int | None]:
        asked = request.query_params
        name, year = asked.get("table", "").strip(), asked.get("year", "").strip()
        if not name:
            raise TableNotFoundError("No table was chosen.", to_fix="choose one on the page of results")
        if year and not (year.isdecimal() and len(year) <= 4):
            raise ConfigurationError(f"{year!r} is not a year.", to_fix="write a year such as 2025")
        return self._site.scenario(request), name, int(year) if year else None

    def _sources(self, request: Request) -> list[Source]:
        asked = request.query_params
        first = asked.get("a") or f"{SCENARIO}:{self._site.workspace.config().scenario}"
        second = asked.get("b") or ""
        return [self._source(key) for key in dict.fromkeys([first, second]) if key]

    def _source(self, key: str) -> Source:
        kind, _, name = key.partition(":")
        if kind == RUN:
            found = read_run(self._site.workspace.history(), name)
            run = found.record.run
            summary = stored_summary(found.record)
            label = f"{scenario_label(run) or 'run'}, run {run.id[:8]}"
            return Source(key, label, summary, None if summary else "This run left no results in the history.")
        if kind != SCENARIO:
            raise ConfigurationError(f"{key!r} is neither a scenario nor a run.", to_fix="choose one from the list")
        return self._of_scenario(key, name)

    def _of_scenario(self, key: str, name: str) -> Source:
        config = self._site.workspace.config(self._site.own(name))
        try:
            with self._site.workspace.project(config) as (runner, facts):
                if facts.database_path is None:
                    return self._of_last_run(key, name, "The database is on a server")
                summary, marked = read_results(config, runner, facts), summary_model(facts)
        except DatabaseLockedError:
            return self._of_last_run(key, name, "A run is in progress")
        except TableNotFoundError:
            return Source(key, name, None, "It has not been run yet.")
        if summary is None and marked is not None:
            return Source(
                key, name, None, f"Its table of results, {marked.name}, is missing. Run it again to rebuild it."
            )
        if summary is None:
            return Source(key, name, None, "The project marks no model as its summary (meta: {summary: true}).")
        return Source(
            key, name, summary if summary.rows else None, None if summary.rows else "No year is simulated yet."
        )

    def _of_last_run(self, key: str, name: str, why: str) -> Source:
        backend = self._site.workspace.history()
        for listed in list_runs(backend, scenario=name, statuses=[COMPLETED], limit=1).runs:
            summary = stored_summary(backend.record(listed.run))
            if summary is not None:
                return Source(key, name, summary, f"{why}; this is what run {listed.run.id[:8]} left.")
        return Source(key, name, None, f"{why}, and no run has left results in the history yet.")

    def _choices(self) -> list[tuple[str, str]]:
        """Return what may be shown: scenarios first, then the newest completed runs."""
        found = [(f"{SCENARIO}:{name}", name) for name in self._site.workspace.scenarios()]
        runs = list_runs(self._site.workspace.history(), statuses=[COMPLETED], limit=RUNS_OFFERED).runs
        for one in runs:
            years = rendering.environment().filters["years"](years_of(one.run))
            label = f"run {one.run.id[:8]}: {scenario_label(one.run)}, {years}"
            found.append((f"{RUN}:{one.run.id}", label))
        return found

    def _meanings(self) -> dict[str, str]:
        """Return what the project says of each column of its summary; nothing before dbt has read it."""
        try:
            with self._site.workspace.project(self._site.workspace.config()) as (_, facts):
                model = summary_model(facts)
        except OrchestratorError:
            return {}
        return {} if model is None else {column.name.lower(): column.description for column in model.columns}

    def _tables(self) -> list[str]:
        """Return the names of the tables that the project builds; none before dbt has read it."""
        try:
            with self._site.workspace.project(self._site.workspace.config()) as (_, facts):
                return sorted({node.name for node in facts.nodes if node.builds and node.leaves_relation})
        except OrchestratorError:
            return []


NUMERIC = ("INT", "BIGINT", "DOUBLE", "DECIMAL", "HUGEINT", "SMALLINT", "TINYINT", "FLOAT", "UINTEGER", "UBIGINT")


def _on_a_server() -> OrchestratorError:
    return ConfigurationError(
        "The database of this project is on a server, which the pages do not read.",
        to_fix="use `orchestrator show TABLE`",
    )


def _csv(table: OpenTable, opened: ExitStack) -> Iterator[bytes]:
    with opened:
        selected = table.rows(None)
        for line in csv_lines(selected.columns, selected.batches()):
            yield f"{line}\n".encode()


def _parquet(table: OpenTable) -> bytes:
    with tempfile.TemporaryDirectory(prefix="orchestrator-ui-") as folder:
        file = Path(folder, "rows.parquet")
        table.write_parquet(file, None)
        return file.read_bytes()


def file_name(label: str) -> str:
    """Return a name of a file that holds nothing but plain letters.

    >>> file_name('main.a"b/../c')
    'main.a_b_.._c'
    """
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in label)
