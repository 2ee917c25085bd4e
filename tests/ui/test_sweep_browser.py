"""The pages of sweeps and comparisons in a real browser: what somebody does there, and what they look like."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.holding import held
from tests.support.browser import PATIENCE, SCHEMES, WIDTHS, running_browser, visiting, why_no_browser, widens
from tests.support.cli_project import Cli
from tests.support.swept_lakes import lay_rain, lay_waiting
from tests.support.ui import make_lakes, read_json, served

pytestmark = [
    pytest.mark.skipif(why_no_browser() is not None, reason=str(why_no_browser())),
    pytest.mark.slow,
]
PATHS = (
    "/sweeps",
    "/sweeps/rain",
    "/sweeps/many",
    "/sweeps/held",
    "/new-sweep",
    "/compare",
    "/compare?side=sweep:rain",
    "/compare?side=scenario:baseline&side=sweep:rain[rain_factor=1]&metric=water",
    "/compare?side=nothing",
)
expect.set_options(timeout=2 * PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run one browser for the module."""
    with running_browser() as made:
        yield made


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Make one simulated project, with a sweep whose messages mean harm, and one of many members."""
    cli = make_lakes(tmp_path_factory.mktemp("browser") / "my lakes")
    done = cli("simulate", "2000-2001", "--json")
    assert done.exit_code == 0, done.err
    lay_rain(cli.root)
    lay_waiting(cli.root, "many", 200)
    lay_waiting(cli.root, "held", 20)
    return cli


@pytest.fixture(scope="module")
def server(lakes: Cli) -> Iterator[str]:
    """Run the server for the module."""
    with served(lakes) as address:
        yield address


def test_a_sweep_from_the_form_to_a_comparison(browser: Browser, lakes: Cli, server: str) -> None:
    """Shown before it is started, live, cancelled, gone on with, and its groups compared; by clicks alone."""
    hold = lakes.root / "hold"
    hold.touch()
    try:
        with visiting(browser, server) as visit:
            page = visit.open("/sweeps")
            page.get_by_role("link", name="New sweep").click()
            page.get_by_label("Rain factor").fill("1,2")
            page.get_by_label("Random seeds").fill("1-2")
            page.get_by_label("Last year").fill("2001")
            page.get_by_label("Name").fill("drawn")
            page.get_by_label("Workers").fill("1")
            page.get_by_role("button", name="Show what would be run").click()
            expect(page.get_by_role("region", name="What would be run")).to_contain_text("4 members")
            page.get_by_role("button", name="Start the sweep").click()
            page.wait_for_url("**/sweeps/drawn", timeout=2 * PATIENCE)
            listing = visit.open("/sweeps")
            expect(page.locator('[data-member="1"] [data-state]')).to_have_text("● running")
            expect(page.locator("[data-now]")).to_contain_text("rain_factor 1, seed 1")
            page.get_by_role("button", name="Cancel").click()
            expect(page.locator("h1 .state")).to_contain_text("stopped")
            hold.unlink()
            page.get_by_role("button", name="Go on").click()
            page.wait_for_url("**/sweeps/drawn", timeout=2 * PATIENCE)
            expect(page.locator("h1 .state")).to_have_text("✓ done")
            expect(page.locator('[data-member="4"]')).to_contain_text("done")
            expect(listing.locator("table.list")).to_contain_text("4 of 4 done")
            page.get_by_role("link", name="Compare its groups").click()
            expect(page.locator(".by-side svg")).to_have_count(3)
            expect(page.get_by_role("region", name="Parameters that differ")).to_contain_text("vars.rain_factor")
            expect(page.get_by_role("region", name="Water by year")).to_contain_text("%")
            with page.expect_download() as downloading:
                page.get_by_role("link", name="Report").click()
            assert downloading.value.suggested_filename == "report.html"
    finally:
        hold.unlink(missing_ok=True)
    document = read_json(f"{server}/sweeps/drawn.json")
    assert (document["years"], document["counts"]) == ([2000, 2001], {"done": 4})


def test_choose_and_compare(browser: Browser, server: str) -> None:
    """By boxes; another side to compare with, and one result, at a choice."""
    with visiting(browser, server) as visit:
        page = visit.open("/compare")
        page.get_by_label("baseline", exact=True).check()
        page.get_by_text("some groups of rain").click()
        page.get_by_label("rain_factor 2.5").check()
        page.get_by_role("button", name="Compare").click()
        expect(page.locator(".sides li")).to_have_count(2)
        page.get_by_label("Differences to").select_option("rain[rain_factor=2.5]")
        expect(page.locator(".sides li").first).to_contain_text("A rain[rain_factor=2.5]")
        page.get_by_label("Results").select_option("water")
        expect(page.locator(".by-side svg")).to_have_count(1)
        page.get_by_text("Choose others").click()
        expect(page.get_by_label("baseline", exact=True)).to_be_checked()


def test_by_keyboard_alone(browser: Browser, server: str) -> None:
    """The list, a sweep, its failed members: each is reached by Tab and Enter."""
    with visiting(browser, server) as visit:
        page = visit.open("/sweeps/rain")
        for _ in range(40):
            page.keyboard.press("Tab")
            if "failed" in page.evaluate("document.activeElement.innerText"):
                break
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        page.keyboard.press("Enter")
        expect(page.locator("[data-member]")).to_have_count(1)
        expect(page.locator(".why")).to_contain_text("<script>")
        assert page.title() == "Sweep rain · orchestrator"


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_and_are_accessible(browser: Browser, lakes: Cli, server: str, width: int) -> None:
    """At every width without scrolling sideways, and without a finding of axe-core, in light and in dark.

    A running sweep is among them.
    """
    with held(SweepFolder.of(lakes.root, "held")), visiting(browser, server, width=width) as visit:
        page = visit.open("/runs")
        for path in PATHS:
            visit.go(page, path)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                assert not widens(page), (path, width, scheme)
                if width != WIDTHS[1]:
                    found = Axe().run(page)
                    assert found.violations_count == 0, f"{path} {width} {scheme}\n{found.generate_report()}"
        visit.complaints[:] = [one for one in visit.complaints if "422" not in one]  # of what is not there


def test_the_form_works_without_scripts(browser: Browser, server: str) -> None:
    """Preview, list and comparison do without; what they add is comfort."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server}/new-sweep", wait_until="domcontentloaded")
    page.get_by_label("Random seeds").fill("1-3")
    page.get_by_role("button", name="Show what would be run").click()
    expect(page.get_by_role("region", name="What would be run")).to_contain_text("3 members")
    page.goto(f"{server}/compare", wait_until="domcontentloaded")
    page.get_by_label("rain 3 groups").check()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".by-side svg")).to_have_count(3)
    context.close()
