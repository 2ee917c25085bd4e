"""``orchestrator report``: one file of a scenario, of runs and of sweeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from orchestrator import compare, compare_rows, report
from orchestrator.core.errors import ConfigurationError
from tests.support.cli_project import Cli
from tests.support.sweep_folders import FAILED, lay_sweep
from tests.support.ui import make_lakes

WARNING = """
{{ config(severity='warn', tags=['CHECKS']) }}
select * from {{ ref('lake_level') }} where level > 60 and water_year = {{ var('water_year') }}
"""


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Make a project of a simulated scenario, one of whose tests warns."""
    cli = make_lakes(tmp_path_factory.mktemp("report") / "my lakes")
    (cli.root / "dbt" / "tests" / "assert_dry.sql").write_text(WARNING)
    wet = cli.root / "config" / "scenarios" / "wet.yaml"
    wet.write_text(wet.read_text() + "database: var/wet.duckdb\n")
    told = cli("simulate")
    assert told.exit_code == 0, told.err
    return cli


@pytest.fixture
def lakes(simulated: Cli) -> Iterator[Cli]:
    """Give it without reports and sweeps of other tests."""
    yield simulated
    rmtree(simulated.root / "var" / "sweeps", ignore_errors=True)
    for file in simulated.root.glob("*.html"):
        file.unlink()


def lay(cli: Cli) -> None:
    """Lay a sweep ``rain`` of two factors and two seeds, one of which failed."""
    columns = [(str(row[0]), str(row[1])) for row in cli.sql("describe lake_summary")]
    lay_sweep(
        cli.root,
        "rain",
        lambda member: [(2000, 2, 10 * float(str(member.values["vars.rain_factor"])) + (member.seed or 0), 0.5)],
        table="lake_summary",
        columns=columns,
        years=(2000, 2000),
        vary={"vars.rain_factor": [1, 2.5]},
        seeds=(1, 2),
        states={3: FAILED},
    )


def test_the_report_of_the_configured_scenario(lakes: Cli) -> None:
    """Results, inputs, versions, times and the test that warned, in a file of that name; JSON says where."""
    told = lakes("report")
    assert told.exit_code == 0, told.err
    assert told.out.startswith("Wrote report.html (")
    page = (lakes.root / "report.html").read_text(encoding="utf-8")
    for words in (
        "<h1>baseline</h1>",
        "Water by year",
        "seed rain",
        "dbt-duckdb",
        "assert_dry",
        "flows",
        "rain_factor",
    ):
        assert words in page, words
    assert "<script" not in page
    document = lakes("report", "--out", "other.html", "--metric", "water", "--json").document()
    assert (document["ok"], document["status"]) == (True, "written")
    assert document["file"] == str(lakes.root / "other.html")
    assert (document["sides"], document["years"], document["charts"]) == (["baseline"], [2000, 2001, 2002], [])
    assert "Lakes by year" not in (lakes.root / "other.html").read_text(encoding="utf-8")


def test_the_report_of_a_sweep_and_a_run(lakes: Cli) -> None:
    """Groups side by side with what moves them; members that failed; charts as files."""
    lay(lakes)
    runs = lakes("runs", "list", "--json").document()["runs"]
    assert isinstance(runs, list)
    run = runs[0]["run_id"][:8]
    told = lakes("report", "rain", run, "--charts", "charts", "--format", "png")
    assert told.exit_code == 0, told.err
    assert "Sweep rain: 3 of 4 members are done (1 failed); the others are left out." in told.out
    assert "Wrote 6 charts to charts." in told.out
    assert {file.name for file in (lakes.root / "charts").iterdir()} == {
        f"{name}.png" for metric in ("lakes", "water", "fullness") for name in (metric, f"sensitivity-rain-{metric}")
    }
    page = (lakes.root / "report.html").read_text(encoding="utf-8")
    for words in ("What moves the results", "Members that failed", "look at the rain", f"{run} baseline", "seed rain"):
        assert words in page, words


def test_what_is_there_is_not_lost(lakes: Cli, tmp_path: Path) -> None:
    """A report is replaced, and nothing else is."""
    assert [lakes("report", "-q").exit_code for _ in range(2)] == [0, 0]
    mine = tmp_path / "mine.html"
    mine.write_text("<p>mine</p>")
    for place in (mine, tmp_path, tmp_path / "no" / "x.html"):
        told = lakes("report", "--out", str(place), "--json")
        assert told.exit_code == 2
        assert told.error()["message"].startswith("--out: ")
        assert told.error()["to_fix"]
        assert (place == tmp_path) == ("name a file in it" in str(told.error()["to_fix"]))
    assert mine.read_text() == "<p>mine</p>"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nothing"], "There is no scenario, run or sweep 'nothing'."),
        (["--metric", "x"], "There is no metric 'x'."),
        (["--format", "png"], "--format is that of charts, and none are asked for."),
        (["wet"], "wet has not been simulated yet"),
    ],
)
def test_what_cannot_be_reported(lakes: Cli, args: list[str], message: str) -> None:
    """It ends with 2, and no file is written."""
    told = lakes("report", *args, "--json")
    assert told.exit_code == 2
    assert message in told.error()["message"]
    assert told.error()["to_fix"]
    assert not (lakes.root / "report.html").exists()


def test_the_same_from_python(lakes: Cli, tmp_path: Path) -> None:
    """Values as data classes, rows as relations of DuckDB."""
    lay(lakes)
    config = lakes.root / "config" / "simulation.yaml"
    found = compare("rain[rain_factor=1]", "baseline", metrics=["water"], years=[2000], config=config)
    (year, cells), *rest = found.metrics[0].rows
    assert (year, rest) == (2000, [])
    assert cells[0].value is not None and cells[0].value.mean == 11.5
    rows = found.relation().filter("side = 'baseline'").project("mean, difference").fetchall()
    assert rows == [(142.5, 131.5)]  # over the seed that both have
    with compare_rows(
        "baseline", "rain[rain_factor=1,seed=1]", "lake_summary", ["water_year"], config=config
    ) as changes:
        assert (changes.counts.changed, changes.counts.removed) == (1, 2)
        assert changes.relation().filter("kind = 'removed'").fetchall()[0][:2] == ("removed", "2001")
    written = report("rain", out=tmp_path / "rain.html", charts=tmp_path / "charts", config=config)
    assert written.file.is_file() and len(written.charts) == 6
    with pytest.raises(ConfigurationError, match="nothing to compare"):
        compare("baseline", config=config)
