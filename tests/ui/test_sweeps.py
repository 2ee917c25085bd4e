"""What the pages of sweeps say, in this process and without a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.reports.sweep_looks import SweepLooks
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.holding import held
from orchestrator.scenarios.state import MemberState
from orchestrator.ui.app import create_app
from orchestrator.ui.settings import UiSettings
from tests.support.cli_project import Cli
from tests.support.swept_lakes import lay_rain, lay_waiting
from tests.support.ui import Visitor, make_lakes

LARGEST = 30_000  # bytes, as they are sent


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Make a project of one year, with a sweep of few and one of a thousand members."""
    cli = make_lakes(tmp_path_factory.mktemp("sweeps") / "my lakes")
    done = cli("simulate", "2000", "--json")
    assert done.exit_code == 0, done.err
    lay_rain(cli.root)
    lay_waiting(cli.root, "thousand", 1000)
    return cli


@pytest.fixture
def visitor(lakes: Cli) -> Iterator[Visitor]:
    """Give a visitor of that project."""
    config = lakes.root / "config" / "simulation.yaml"
    with (made := Visitor(create_app(UiSettings(folder=lakes.root, config=config, load_chat=False)))).client:
        yield made


def test_sweeps_are_listed(visitor: Visitor, lakes: Cli) -> None:
    """With their members, as the command does."""
    text = visitor.get("/sweeps").text
    assert 'href="/sweeps/rain"' in text and "11 of 12 done, 1 failed" in text
    listed = visitor.listed("/sweeps.json", "sweeps")
    assert listed == lakes("sweep", "list", "--json").document()["sweeps"]


def test_a_sweep_shows_its_members(visitor: Visitor) -> None:
    """Values, seed, status and, of what failed, why and what to do; nothing that is shown is run."""
    text = visitor.get("/sweeps/rain").text
    for words in ("11 of 12", "rain_factor", "inflow: &lt;script&gt;", "<b>To fix:</b> look at the rain", "Go on"):
        assert words in text, words
    assert "<script>document" not in text
    assert text.count("data-member=") == 12
    failed = visitor.get("/sweeps/rain?status=failed").text
    assert failed.count("data-member=") == 1 and 'data-member="3"' in failed
    assert visitor.get("/sweeps/rain?status=nonsense&page=nonsense").status_code == 200
    document = visitor.document("/sweeps/rain.json")
    assert (document["status"], document["counts"]) == ("failed", {"done": 11, "failed": 1})


def test_a_thousand_members_come_in_pages(visitor: Visitor) -> None:
    """Each is small, the last is there, and what is beyond leads to it."""
    for path in ("/sweeps/thousand", "/sweeps/thousand?page=20", "/sweeps/thousand?status=failed", "/sweeps"):
        answer = visitor.get(path, **{"accept-encoding": "gzip"})
        assert answer.status_code == 200
        assert int(answer.headers["content-length"]) < LARGEST
    assert "page 1 of 20" in visitor.get("/sweeps/thousand").text
    last = visitor.get("/sweeps/thousand?page=9999").text
    assert 'data-member="1000"' in last and "page 20 of 20" in last
    assert len(visitor.listed("/sweeps/thousand.json", "members")) == 1000


def test_what_has_not_changed_is_not_read_again(lakes: Cli) -> None:
    """Only the file of a member that was written since."""
    looks = SweepLooks()
    first = looks.look(lakes.root, "thousand")
    assert first.counts == {"failed": 250, "waiting": 250, "stopped": 500}
    folder = SweepFolder.of(lakes.root, "thousand")
    keys = list(first.status.states)
    same, other = (folder.member(keys[place]).state for place in (1, 2))
    before, text = same.stat(), same.read_text()
    with same.open("r+") as file:
        file.write(text.replace("no rain", "no snow"))
    os.utime(same, ns=(before.st_atime_ns, before.st_mtime_ns))
    kept = other.read_text()
    MemberState("done").write(other)
    try:
        again = looks.look(lakes.root, "thousand")
        assert again.status.states[keys[1]].message == "inflow: no rain"
        assert again.counts == {"failed": 250, "done": 1, "waiting": 250, "stopped": 499}
    finally:
        same.write_text(text)
        other.write_text(kept)


def test_a_sweep_that_somebody_runs(visitor: Visitor, lakes: Cli) -> None:
    """It can be cancelled and not gone on with; what is running is running."""
    with held(SweepFolder.of(lakes.root, "thousand")):
        text = visitor.get("/sweeps/thousand").text
        assert 'data-live-sweep="thousand"' in text and "/sweeps/thousand/cancel" in text and "Running now" in text
        assert "/sweeps/thousand/resume" not in text
        assert visitor.get("/sweeps/thousand?status=done").text.count("data-member=") == 0
        assert visitor.document("/sweeps/thousand.json")["status"] == "running"
    assert "/sweeps/thousand/resume" in visitor.get("/sweeps/thousand").text


def test_cancelling_what_does_not_run(visitor: Visitor) -> None:
    """It is as it was."""
    assert visitor.post("/sweeps/rain/cancel").headers["location"] == "/sweeps/rain"


@pytest.mark.parametrize("name", ["nothing", "..%2f..%2fx", "a%00b", "a%00b.json", "nothing.json", ".json"])
def test_no_other_sweep(visitor: Visitor, name: str) -> None:
    """It is said, with the names of those that there are; nothing can be done to it."""
    answer = visitor.get(f"/sweeps/{name}")
    assert answer.status_code == 404
    for what in ("cancel", "resume"):
        assert visitor.post(f"/sweeps/{name}/{what}").status_code == 404


def test_a_plan_that_is_broken(visitor: Visitor, lakes: Cli) -> None:
    """The list goes on, and its page says what to do."""
    folder = SweepFolder.of(lakes.root, "broken")
    folder.path.mkdir()
    folder.plan.write_text("{")
    try:
        assert "unreadable" in visitor.get("/sweeps").text
        answer = visitor.get("/sweeps/broken")
        assert answer.status_code == 500 and "orchestrator sweep delete broken" in answer.text
    finally:
        folder.plan.unlink()
        folder.path.rmdir()


def test_rows_of_all_members_are_downloaded(visitor: Visitor, tmp_path: Path) -> None:
    """As CSV and Parquet, with scenario, seed and varied values."""
    import duckdb

    text = visitor.get("/sweeps/rain/table.csv?table=lake_summary").text
    assert text.splitlines()[0].startswith("scenario,seed,member,rain_factor,status,water_year")
    assert len(text.splitlines()) == 1 + 11 * 3
    answer = visitor.get("/sweeps/rain/table.parquet?table=lake_summary")
    assert answer.headers["content-disposition"] == 'attachment; filename="rain-lake_summary.parquet"'
    file = tmp_path / "rows.parquet"
    file.write_bytes(answer.content)
    found = duckdb.connect().execute(f"select count(*), max(rain_factor) from '{file}'").fetchall()
    assert found == [(33, 2.5)]
    for path in ("table.csv?table=../../x", "table.csv", "table.exe?table=lake_summary"):
        assert visitor.get(f"/sweeps/rain/{path}").status_code == 404


def test_a_new_sweep_is_shown_before_it_is_started(visitor: Visitor, lakes: Cli) -> None:
    """How many members, how long and how large; nothing is written."""
    assert "Rain factor" in visitor.get("/new-sweep").text
    fields = {"vary.vars.rain_factor": "1, 2, 3", "seeds": "1-4", "scenario.baseline": "yes", "name": "trial"}
    answer = visitor.post("/new-sweep", {**fields, "do": "preview"})
    assert answer.status_code == 200
    for words in ("<h2>12 members</h2>", "trial", "4 seeds, 1 to 4", "2000–2002", "are free", "Start the sweep"):
        assert words in answer.text, words
    assert not (lakes.root / "var" / "sweeps" / "trial").exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"vary.vars.rain_factor": "1,11"}, "rain_factor"),
        ({"vary.vars.rain_factor": "1,,2"}, "empty value"),
        ({"vary.vars.rain_factor": "1", "others": "rain_factor=2"}, "varied twice"),
        ({"others": "nonsense"}, "KEY=VALUES"),
        ({"others": "vars.nothing_reads=1,2"}, "nothing_reads"),
        ({"seeds": "<b>"}, "no list of seeds"),
        ({"seeds": "1-5000"}, "1,000 are the most"),
        ({"workers": "-1"}, "whole number"),
        ({"name": "../x"}, "cannot be the name"),
        ({"first": "2002", "last": "2001"}, "200"),
    ],
)
def test_what_does_not_fit_is_said(visitor: Visitor, fields: dict[str, str], words: str) -> None:
    """With what was typed still in the form; nothing is started, even where that is asked for."""
    answer = visitor.post("/new-sweep", {"scenario.baseline": "yes", **fields, "do": "start"})
    assert answer.status_code == 422
    assert words in answer.text and "This sweep cannot be run." in answer.text
    assert "<b>'" not in answer.text


def test_members_are_removed_only_with_consent(visitor: Visitor, lakes: Cli) -> None:
    """A sweep of the same name with others is not started before somebody agrees."""
    fields = {"vary.vars.rain_factor": "1,2", "seeds": "1-2", "scenario.baseline": "yes", "name": "rain", "do": "start"}
    answer = visitor.post("/new-sweep", fields)
    assert answer.status_code == 200
    assert "with 10 members that this one does not have" in answer.text and 'name="agreed"' in answer.text
    assert len(visitor.listed("/sweeps/rain.json", "members")) == 12


def test_where_there_is_none(tmp_path: Path) -> None:
    """The pages say how to begin."""
    (tmp_path / "orchestrator.yaml").write_text("dbt: {project_dir: .}\n")
    with (
        made := Visitor(create_app(UiSettings(folder=tmp_path, config=tmp_path / "orchestrator.yaml", load_chat=False)))
    ).client:
        assert "No sweep yet" in made.get("/sweeps").text
        assert "simulation: {start_year" in made.get("/new-sweep").text
        compared = made.get("/compare").text
        assert "No sweep has results yet" in compared and "No run is completed yet" in compared
