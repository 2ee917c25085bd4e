"""What the page Compare says, in this process and without a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.ui.app import create_app
from orchestrator.ui.settings import UiSettings
from tests.support.cli_project import Cli
from tests.support.swept_lakes import lay_rain, lay_waiting
from tests.support.ui import Visitor, make_lakes

GROUPS = "/compare?side=sweep:rain"
LARGEST = 30_000  # bytes, as they are sent


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Make a simulated project with a sweep of three groups."""
    cli = make_lakes(tmp_path_factory.mktemp("compare") / "my lakes")
    done = cli("simulate", "--json")
    assert done.exit_code == 0, done.err
    lay_rain(cli.root)
    lay_waiting(cli.root, "unfinished", 10)
    return cli


@pytest.fixture
def visitor(lakes: Cli) -> Iterator[Visitor]:
    """Give a visitor of that project."""
    config = lakes.root / "config" / "simulation.yaml"
    with (made := Visitor(create_app(UiSettings(folder=lakes.root, config=config, load_chat=False)))).client:
        yield made


def test_what_may_be_compared_is_offered(visitor: Visitor) -> None:
    """Scenarios, sweeps that have results with their groups, and completed runs."""
    text = visitor.get("/compare").text
    for value in ("scenario:baseline", "sweep:rain", "sweep:rain[rain_factor=1.5]", "run:"):
        assert f'name="side" value="{value}' in text, value
    assert "unfinished" not in text
    assert "Choose two or more" in text


def test_groups_of_a_sweep_side_by_side(visitor: Visitor) -> None:
    """What differs, each result by year with intervals and differences, and what moves it."""
    answer = visitor.get(GROUPS, **{"accept-encoding": "gzip"})
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) < LARGEST
    text = answer.text
    assert text.count('class="chart by-side"') == 3 and text.count("<polygon") == 9
    for words in ("Parameters that differ", "vars.rain_factor", "What moves the results", "95 % interval", "11 of 12"):
        assert words in text, words
    assert 'aria-label="Water. rain[rain_factor=1]:' in text
    assert ("+1.5K ± " in text and "+133.9%" in text) or "+1" in text
    assert "style=" not in text  # the policy would not let it work


def test_a_scenario_a_run_and_a_group(visitor: Visitor) -> None:
    """Whatever they are; the first is what the others are compared with, and another may be."""
    (run,) = visitor.listed("/runs.json", "runs")
    asked = f"/compare?side=scenario:baseline&side=run:{run['run_id']}&side=sweep:rain[rain_factor=2.5]"
    text = visitor.get(asked).text
    assert text.index("<b>A</b> baseline") < text.index("<b>C</b> rain[rain_factor=2.5]")
    other = visitor.get(f"{asked}&base=rain[rain_factor=2.5]&metric=water").text
    assert "<b>A</b> rain[rain_factor=2.5]" in other
    assert other.count('class="chart by-side"') == 1
    assert visitor.get("/compare?side=scenario:baseline").status_code == 200


def test_the_document_is_that_of_the_command(visitor: Visitor, lakes: Cli) -> None:
    """And so are the lines of CSV."""
    document = visitor.document("/compare.json?side=sweep:rain&side=scenario:baseline")
    assert document == lakes("compare", "sweep:rain", "scenario:baseline", "--json").document()
    csv = visitor.get("/compare/values.csv?side=sweep:rain&side=scenario:baseline").text
    assert csv == lakes("compare", "sweep:rain", "scenario:baseline", "--csv").out


def test_a_report_to_keep(visitor: Visitor) -> None:
    """The very file that the command writes, made when it is asked for."""
    answer = visitor.get("/compare/report.html?side=sweep:rain&base=rain[rain_factor=2.5]")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="report.html"'
    assert 'content="orchestrator report"' in answer.text
    assert answer.text.index("rain[rain_factor=2.5]") < answer.text.index("rain[rain_factor=1]")


@pytest.mark.parametrize(
    ("side", "status", "words"),
    [
        ("scenario:baselin", 422, "There is no scenario &#39;baselin&#39;"),
        ("sweep:rain[x=1]", 422, "does not vary"),
        ("sweep:unfinished", 404, "has no results yet"),
        ("run:123", 404, "run"),
        ("<script>document.title='evil'</script>", 422, "&lt;script&gt;"),
        ("[", 422, "names neither"),
    ],
)
def test_what_cannot_be_compared_is_said(visitor: Visitor, side: str, status: int, words: str) -> None:
    """In a paragraph above the form, in which the choice is still there."""
    answer = visitor.client.get("/compare", params={"side": ["scenario:baseline", side]})
    assert answer.status_code == status
    assert words in answer.text and "This cannot be compared." in answer.text
    assert "<script>document" not in answer.text
    assert 'value="scenario:baseline" checked' in answer.text
    told = visitor.client.get("/compare.json", params={"side": side}).json()
    assert told["ok"] is False


def test_nothing_chosen(visitor: Visitor) -> None:
    """The document is empty; a file of nothing is refused."""
    assert visitor.document("/compare.json")["sides"] == []
    assert visitor.get("/compare?side=&side=%0A").status_code == 200
    for path in ("/compare/values.csv", "/compare/report.html"):
        assert visitor.get(path).status_code == 422


def test_more_sides_than_a_page_holds(visitor: Visitor) -> None:
    """The first are shown, and it is said where all of them are."""
    again = "&side=sweep:rain" + "".join(f"&side=sweep:rain[seed={seed}]" for seed in (1, 2, 3, 4))
    repeated = "".join(f"&side=sweep:rain[rain_factor={f},seed={s}]" for f in (1, 1.5, 2.5) for s in (1, 2, 4))
    spaced = "".join(f"&side=sweep:rain[{' ' * n}seed=1]" for n in range(1, 8))
    answer = visitor.get(f"/compare?side=scenario:baseline{again}{repeated}{spaced}", **{"accept-encoding": "gzip"})
    assert answer.status_code == 200
    assert "These are the first 40 of " in answer.text
    assert int(answer.headers["content-length"]) < LARGEST
