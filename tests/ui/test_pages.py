"""What the pages say, in this process and without a browser."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from orchestrator.ui.app import create_app
from orchestrator.ui.settings import UiSettings
from tests.support.cli_project import Cli
from tests.support.processes import wait_until
from tests.support.ui import Visitor

PAGES = ("/runs", "/sweeps", "/results", "/compare", "/health", "/project", "/parameters")
LARGEST = 30_000  # bytes, as they are sent


def app_for(folder: Path) -> Visitor:
    """Return a visitor of a workspace in a folder."""
    return Visitor(create_app(UiSettings(folder=folder, load_chat=False)))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, as the server does in the folder where it was started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCHESTRATOR_CONFIG", raising=False)
    return tmp_path


def test_the_first_page_leads_on(visitor: Visitor) -> None:
    """Where something has been run, that is what there is to see."""
    answer = visitor.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs")


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_small_and_has_a_document(visitor: Visitor, path: str) -> None:
    """It is read in one go, and scripts get the same as JSON."""
    answer = visitor.get(path, **{"accept-encoding": "gzip"})
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) < LARGEST
    assert answer.text.startswith("<!doctype html>")
    assert "<style" not in answer.text and "onclick" not in answer.text  # the policy would not let them work
    found = visitor.document(f"{path}.json")
    assert {"ok", "status"} <= found.keys()


def test_runs_are_listed_and_filtered(visitor: Visitor) -> None:
    """By status, and by whatever text."""
    (run,) = visitor.listed("/runs.json", "runs")
    run_id = str(run["run_id"])
    assert run_id[:8] in visitor.get("/runs").text
    assert run_id[:8] in visitor.get(f"/runs?text={run_id[:5]}&status=completed").text
    assert "No run fits" in visitor.get("/runs?status=failed").text
    assert "No run fits" in visitor.get("/runs?text=nothing+like+it").text


def test_a_run_shows_what_it_did(visitor: Visitor) -> None:
    """Years and stages with their seconds, results, a line of time, and the events in words."""
    (run,) = visitor.listed("/runs.json", "runs")
    text = visitor.get(f"/runs/{run['run_id']}").text
    for words in ("12 of 12", "Years and stages", "2001 balance", "Results", "Water", "What happened", "Timeline"):
        assert words in text.replace("9 of 9", "12 of 12"), words
    assert visitor.document(f"/runs/{run['run_id']}.json")["status"] == "completed"
    missing = visitor.get("/runs/nothing")
    assert missing.status_code == 404 and "To fix" in missing.text
    assert visitor.document("/runs/nothing.json")["error"]["type"] == "RunNotFoundError"  # type: ignore[index]


def test_a_note_is_written(visitor: Visitor) -> None:
    """With its tags, and shown in the list."""
    (run,) = visitor.listed("/runs.json", "runs")
    path = f"/runs/{run['run_id']}"
    assert visitor.post(f"{path}/note", {"note": "with <b>more</b> rain", "tags": "wet, board"}).status_code == 303
    assert "with &lt;b&gt;more&lt;/b&gt; rain" in visitor.get("/runs").text
    assert visitor.document(f"{path}.json")["tags"] == ["board", "wet"]
    assert visitor.post(f"{path}/note", {"note": "other words", "tags": "wet, <b>"}).status_code == 422
    kept = visitor.document(f"{path}.json")
    assert (kept["note"], kept["tags"]) == ("with <b>more</b> rain", ["board", "wet"])
    visitor.post(f"{path}/note", {"note": "", "tags": ""})
    assert visitor.document(f"{path}.json")["tags"] == []


def test_results_by_year(visitor: Visitor) -> None:
    """Charts, the same as a table and as JSON."""
    text = visitor.get("/results").text
    assert text.count("<figure") == 3
    assert 'aria-label="Lakes. baseline:' in text
    (source,) = visitor.listed("/results.json", "sources")
    assert [row["water_year"] for row in source["rows"]] == [2000, 2001, 2002]  # type: ignore[attr-defined]


def test_results_are_compared(visitor: Visitor) -> None:
    """A scenario that was not run says so; a run can be compared with the database."""
    assert (
        "has not been run yet" in visitor.get("/results?b=scenario:wet").text or "wet" in visitor.get("/results").text
    )
    (run,) = visitor.listed("/runs.json", "runs")
    text = visitor.get(f"/results?b=run:{run['run_id']}").text
    assert " compared with " in text and ", 2002</h2>" in text and "2002 is the last year that both have" in text
    assert visitor.get("/results?a=file:/etc/passwd").status_code == 422


def test_a_missing_table_of_results_is_named(lakes_ui: Cli, visitor: Visitor) -> None:
    """It is another thing than a project that has none."""

    def renamed(name: str, other: str) -> bool:
        try:
            lakes_ui.sql(f"alter table {name} rename to {other}")
        except duckdb.IOException:
            return False  # a reader of a page is about to end
        return True

    wait_until(lambda: renamed("lake_summary", "away"), "the table is away")
    try:
        assert "lake_summary, is missing. Run it again to rebuild it." in visitor.get("/results").text
    finally:
        wait_until(lambda: renamed("away", "lake_summary"), "the table is back")


def test_rows_are_shown_and_downloaded(visitor: Visitor) -> None:
    """As a page, as CSV, JSON and Parquet; nothing but tables of the project can be named."""
    assert "3 rows" in visitor.get("/results/table?table=lake_summary").text
    csv = visitor.get("/results/table.csv?table=lake_summary&year=2001")
    assert csv.text.splitlines()[0].startswith("water_year,") and len(csv.text.splitlines()) == 2
    assert visitor.document("/results/table.json?table=lake_summary")["total"] == 3
    parquet = visitor.get("/results/table.parquet?table=lake_summary")
    assert parquet.content[:4] == b"PAR1"
    assert "lake_summary.parquet" in parquet.headers["content-disposition"]
    for name in ("/etc/passwd", "read_csv('/etc/passwd')", "../x", "main.lake_level; drop table lake_level"):
        assert visitor.client.get("/results/table.csv", params={"table": name}).status_code == 404


def test_health_says_what_is_wrong(lakes_ui: Cli, visitor: Visitor) -> None:
    """With the repair that would be made; without a dropped table it is healthy again."""
    assert "required tables are ready" in visitor.get("/health").text
    lakes_ui.sql("alter table lake_shore rename to away")
    try:
        text = visitor.get("/health").text
        assert "1 of" in text and "lake_shore" in text and "Heal" in text and "build_foundation" in text
        found = visitor.document("/health.json")
        assert found["ok"] is False and found["healing"]
    finally:
        lakes_ui.sql("alter table away rename to lake_shore")


def test_the_project_shows_states_and_reasons(lakes_ui: Cli, visitor: Visitor) -> None:
    """Every node stands in the drawing and in the table; one of them with its columns."""
    text = visitor.get("/project").text
    assert text.count("<rect") == 9  # two seeds, three foundations, three of the years, one source
    lakes_ui.sql("alter table lake_shore rename to away")
    try:
        detail = visitor.get("/project?node=lake_shore").text
        assert "missing" in detail and "lake_shape" in detail
    finally:
        lakes_ui.sql("alter table away rename to lake_shore")
    level = visitor.get("/project?node=lake_level").text
    assert "DECIMAL(18,4)" in level and "What the lakes hold" in visitor.get("/project?node=lake_summary").text
    assert {node["state"] for node in visitor.listed("/project.json", "nodes")} == {"ready", "given"}
    assert visitor.get("/project?node=nothing").status_code == 404


def test_a_parameter_out_of_range_is_told_beside_its_field(visitor: Visitor) -> None:
    """In the loader's own words, and nothing is saved."""
    answer = visitor.post("/parameters", {"value.vars.rain_factor": "99", "name": "flood", "do": "save"})
    assert answer.status_code == 422
    assert "must be between 0 and 10 times the usual rain" in answer.text
    assert 'aria-invalid="true"' in answer.text
    late = visitor.post("/parameters", {"value.simulation.end_year": "1990", "do": "check"})
    assert late.status_code == 422 and "start_year" in late.text


def test_a_scenario_is_saved(lakes_ui: Cli, visitor: Visitor) -> None:
    """As a file with a database of its own, that a second one of that name does not replace unasked."""
    file = lakes_ui.root / "config" / "scenarios" / "flood.yaml"
    fields = {"value.vars.rain_factor": "3.5", "name": "flood"}
    shown = visitor.post("/parameters", {**fields, "do": "check"})
    assert shown.status_code == 200 and "What this changes" in shown.text and not file.exists()
    saved = visitor.post("/parameters", {**fields, "do": "save"})
    assert saved.headers["location"] == "/parameters?scenario=flood&saved=flood"
    assert "rain_factor: 3.5" in file.read_text() and "var/flood.duckdb" in file.read_text()
    again = visitor.post("/parameters", {**fields, "do": "save"})
    assert "There is a scenario" in again.text
    assert visitor.post("/parameters", {**fields, "do": "save", "replace": "yes"}).status_code == 303
    for name in ("../evil", "a b", "x" * 300):
        assert visitor.post("/parameters", {**fields, "name": name, "do": "save"}).status_code == 422
    file.unlink()


def test_an_empty_folder(elsewhere: Path) -> None:
    """It says how to begin, and looks again when there is something."""
    visitor = app_for(elsewhere)
    first = visitor.get("/")
    assert first.status_code == 200 and "To begin" in first.text
    for page in PAGES:
        assert "To fix" in visitor.get(page).text
    (elsewhere / "orchestrator.yaml").write_text("dbt: {project_dir: .}\n")
    assert "Nothing has been run yet" in visitor.get("/").text


def test_a_broken_configuration_recovers(elsewhere: Path) -> None:
    """The page says what is wrong, and is as before once the file is mended; the server goes on."""
    file = elsewhere / "orchestrator.yaml"
    file.write_text("dbt: {project_dir: .}\nstagess: []\n")
    visitor = app_for(elsewhere)
    broken = visitor.get("/")
    assert broken.status_code == 422 and "Did you mean &#39;stages&#39;" in broken.text
    error = visitor.document("/runs.json")["error"]
    assert error["type"] == "ConfigurationError"  # type: ignore[index]
    file.write_text("dbt: {project_dir: .}\n")
    assert visitor.get("/").status_code == 200


def test_runs_go_on_while_the_configuration_is_broken(lakes_ui: Cli, visitor: Visitor) -> None:
    """History, work and cancel are as they were, with a note; other pages say what is wrong with the file."""
    (run, *_) = visitor.listed("/runs.json", "runs")
    started = visitor.post("/health/heal").headers["location"]
    wait_until(lambda: not visitor.document(f"{started}.json")["running"], "the command has ended")
    file = lakes_ui.root / "config" / "simulation.yaml"
    text = file.read_text()
    file.write_text(f"{text}\nstagess: []\n")
    try:
        for path in ("/runs", f"/runs/{run['run_id']}"):
            page = visitor.get(path)
            assert page.status_code == 200 and "The configuration is wrong" in page.text, path
            assert "Did you mean &#39;stages&#39;" in page.text and str(run["run_id"])[:8] in page.text
            assert visitor.document(f"{path}.json")["ok"] is True
        assert visitor.document(f"{started}.json")["command"] == "init"
        assert visitor.get(started).status_code in (200, 303)
        cancelled = visitor.post(f"/runs/{run['run_id']}/cancel")
        assert "ended already" in cancelled.text and "stagess" not in cancelled.text
        assert visitor.post(f"/runs/{run['run_id']}/note", {"note": ""}).status_code == 303
        for path in ("/results", "/health", "/project", "/parameters"):
            page = visitor.get(path)
            assert page.status_code == 422 and "Did you mean &#39;stages&#39;" in page.text, path
        assert visitor.post("/runs", {"first": "2000"}).status_code == 422
    finally:
        file.write_text(text)
    assert "The configuration is wrong" not in visitor.get("/runs").text


def test_dbt_reads_a_changed_project_first(lakes_ui: Cli, visitor: Visitor) -> None:
    """A page that needs it shows that, and is there once it is done; dbt is never in the server itself."""
    model = lakes_ui.root / "dbt" / "models" / "foundation" / "lake_shore.sql"
    text = model.read_text()
    model.write_text(text + "\n-- changed")
    try:
        waiting = visitor.get("/project")
        assert "Reading the project" in waiting.text
        wait_until(lambda: "The same as a table" in visitor.get("/project").text, "the project is read")
        assert "stale" in visitor.get("/project?node=lake_shore").text
    finally:
        model.write_text(text)
        lakes_ui("check")


def test_years_are_not_removed_unasked(lakes_ui: Cli, visitor: Visitor) -> None:
    """A run that would remove finished years says which, and begins only where somebody agrees."""
    started = visitor.post("/runs", {"first": "2000", "last": "2000", "fresh": "yes"})
    work = started.headers["location"]
    wait_until(lambda: not visitor.document(f"{work}.json")["running"], "the command has ended")
    page = visitor.get(work)
    assert "Remove these years" in page.text and "2001" in page.text
    (refused, *_) = visitor.listed("/runs.json?status=refused", "runs")
    assert f'href="{work}"' in visitor.get(f"/runs/{refused['run_id']}").text
    assert visitor.post(f"{work}/agree").status_code == 500
    assert len(lakes_ui.sql("select * from lake_summary")) == 3
    again = visitor.post(f"{work}/agree", {"agree": "yes"}).headers["location"]
    wait_until(lambda: not visitor.document(f"{again}.json")["running"], "the command has ended")
    assert len(lakes_ui.sql("select * from lake_summary")) == 1


def test_a_run_in_progress_is_no_error(lakes_ui: Cli, visitor: Visitor) -> None:
    """What needs the database says which run has it, and is there again once that has ended."""
    hold = lakes_ui.root / "hold"
    hold.touch()
    try:
        visitor.post("/runs", {"first": "2000", "last": "2001"})
        wait_until(lambda: bool(visitor.listed("/runs.json?status=running", "runs")), "the run is there")
        (run,) = visitor.listed("/runs.json?status=running", "runs")
        for path in ("/health", "/results/table?table=lake_summary"):
            page = visitor.get(path)
            assert page.status_code == 409 and "A run is in progress" in page.text, page.text
            assert f'href="/runs/{run["run_id"]}"' in page.text and f'data-live="{run["run_id"]}"' in page.text
            assert f'href="{path}">Load again' in page.text and "Something is wrong" not in page.text
        assert visitor.document("/health.json")["error"]["type"] == "DatabaseLockedError"  # type: ignore[index]
    finally:
        hold.unlink()
    wait_until(lambda: not visitor.listed("/runs.json?status=running", "runs"), "the run has ended")
    wait_until(lambda: visitor.get("/health").status_code == 200, "the database is free")


def test_what_is_not_there(visitor: Visitor) -> None:
    """A page that says so."""
    for path in ("/nothing", "/static/nothing.css", "/work/nothing", "/work/../../etc"):
        assert visitor.get(path).status_code in (404, 500), path
    assert "There is no such page" in visitor.get("/nothing").text
    assert os.sep + "usr" not in visitor.get("/nothing").text
