"""The pages in a real browser: what somebody does there, and what they look like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import PATIENCE, SCHEMES, WIDTHS, running_browser, visiting, why_no_browser, widens
from tests.support.cli_project import Cli
from tests.support.ui import make_lakes, read_json, served

pytestmark = [
    pytest.mark.skipif(why_no_browser() is not None, reason=str(why_no_browser())),
    pytest.mark.slow,
]
EVIL = "<img src=x onerror=\"document.title='evil'\"><script>document.title='evil'</script>"
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run one browser for the module."""
    with running_browser() as made:
        yield made


@pytest.fixture(scope="module")
def lakes_ui(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Make one project whose first two years are done; its history holds what somebody with bad intentions wrote."""
    cli = make_lakes(tmp_path_factory.mktemp("browser") / "my lakes")
    done = cli("simulate", "2000-2001", "--json", "--note", EVIL, "--tag", "board")
    assert done.exit_code == 0, done.err
    name, value = EVIL.replace('"', '""'), EVIL.replace("'", "''")
    cli.sql(f'create table "{name}" as select 1 as a', f"create table odd as select '{value}' as \"<b>name</b>\"")
    return cli


@pytest.fixture(scope="module")
def server(lakes_ui: Cli) -> Iterator[str]:
    """Run the server for the module; the chat is not what is tested here."""
    with served(lakes_ui) as address:
        yield address


def newest(server: str) -> str:
    """Return the id of the newest run."""
    runs = read_json(f"{server}/runs.json")["runs"]
    assert isinstance(runs, list)
    return str(runs[0]["run_id"])


def paths(server: str) -> list[str]:
    """Return every kind of page."""
    run = newest(server)
    return [
        "/runs",
        f"/runs/{run}",
        "/runs/nothing",
        "/results",
        f"/results?b=run:{run}",
        "/results/table?table=lake_level",
        "/health",
        "/project",
        "/project?node=lake_level",
        "/parameters",
    ]


def start_run(page: Page, *, last: str, fresh: bool = False) -> None:
    """Start a run from the list."""
    page.get_by_text("New run", exact=True).click()
    page.get_by_role("spinbutton", name="Last year").fill(last)
    if fresh:
        page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}$"))


def test_start_a_run_watch_it_and_see_results(browser: Browser, server: str) -> None:
    """From the list to a chart, by clicks alone; the list shows the same run live in another tab."""
    with visiting(browser, server) as visit:
        page = visit.open("/runs")
        start_run(page, last="2002")
        listing = visit.open("/runs")
        expect(page.locator('[data-cell="2002/balance"]')).to_have_class("cell completed")
        expect(page.locator("h1 .state")).to_have_text("✓ completed")
        expect(page.locator(".events")).to_contain_text("2002 done")
        expect(page.locator('[data-cell="2000/flows"]')).to_have_text("kept")
        expect(listing.locator("table.list tbody tr").first).to_contain_text("completed")
        page.get_by_role("link", name="Results").nth(1).click()
        expect(page.locator("figure svg").first).to_be_visible()
        visit.go(page, "/results")
        expect(page.locator(".numbers tbody tr")).to_have_count(3)


def test_cancel_and_resume(browser: Browser, lakes_ui: Cli, server: str) -> None:
    """A run that is interrupted from its page stops like one by Ctrl-C, and goes on where it stopped."""
    hold = lakes_ui.root / "hold"
    with visiting(browser, server) as visit:
        page = visit.open("/runs")
        hold.touch()
        try:
            start_run(page, last="2002", fresh=True)
            expect(page.locator(".now")).to_contain_text("hook waiting:wait")
            page.get_by_role("button", name="Cancel").click()
            expect(page.locator("h1 .state")).to_contain_text("interrupted")
        finally:
            hold.unlink()
        expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
        cancelled = page.url
        page.get_by_role("button", name="Resume").click()
        page.wait_for_url(lambda url: "/runs/" in url and url != cancelled)
        expect(page.locator("h1 .state")).to_have_text("✓ completed")


def test_heal_a_dropped_table(browser: Browser, lakes_ui: Cli, server: str) -> None:
    """The page names it, and one click builds it again."""
    lakes_ui.sql("drop table lake_shore")
    with visiting(browser, server) as visit:
        page = visit.open("/health")
        expect(page.locator("h1")).to_contain_text("1 of")
        expect(page.locator("table.list").first).to_contain_text("lake_shore")
        page.get_by_role("button", name="Heal").click()
        page.wait_for_url("**/health")
        expect(page.locator("h1")).to_contain_text("required tables are ready")
    assert lakes_ui.sql("select count(*) > 0 from lake_shore") == [(True,)]


def test_examine_everything(browser: Browser, server: str) -> None:
    """The examination is a command of its own, whose findings the page shows."""
    with visiting(browser, server) as visit:
        page = visit.open("/health")
        page.get_by_role("button", name="Examine everything").click()
        page.wait_for_url("**/health")
        expect(page.get_by_role("region", name="What the examination found")).to_contain_text("ok")


def test_a_scenario_of_the_form_is_run(browser: Browser, lakes_ui: Cli, server: str) -> None:
    """A value that does not fit is told at its field; one that does is saved under a name, run and compared."""
    with visiting(browser, server) as visit:
        page = visit.open("/parameters")
        field = page.get_by_label("Rain factor")
        field.fill("2.5")
        page.get_by_label("Name of the scenario").fill("flood")
        page.get_by_role("button", name="Run").click()
        page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}$"))
        page.get_by_label("Note").fill("half of a thou")
        left: list[str] = []
        page.on("framenavigated", lambda frame: left.append(frame.url))
        expect(page.locator("h1 .state")).to_have_text("✓ completed")
        expect(page.locator("h1")).to_contain_text("flood")
        expect(page.get_by_role("link", name="Results", exact=True).last).to_be_visible()
        expect(page.get_by_label("Note")).to_be_focused()
        expect(page.get_by_label("Note")).to_have_value("half of a thou")
        assert left == []
        visit.go(page, "/results?a=scenario:baseline&b=scenario:flood")
        expect(page.locator("figure path.b").nth(1)).to_be_visible()
        expect(page.get_by_role("region", name="Differences")).to_contain_text("+")
    assert (lakes_ui.root / "config" / "scenarios" / "flood.yaml").exists()


def test_by_keyboard_alone(browser: Browser, server: str) -> None:
    """From the first Tab to a page of results, and what has the focus is seen."""
    with visiting(browser, server) as visit:
        page = visit.open("/runs")
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        reached = []
        for _ in range(12):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.innerText || document.activeElement.name"))
            if "New run" in reached[-1]:
                break
        assert "New run" in reached[-1], reached
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Start the run")).to_be_visible()
        page.keyboard.press("Enter")
        page.locator("nav a", has_text="Results").focus()
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Results")


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_and_are_accessible(browser: Browser, server: str, width: int) -> None:
    """At every width without scrolling sideways, and without a finding of axe-core, in light and in dark."""
    with visiting(browser, server, width=width) as visit:
        page = visit.open("/runs")
        for path in paths(server):
            visit.go(page, path)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                assert not widens(page), (path, width, scheme)
                if width != WIDTHS[1]:
                    found = Axe().run(page)
                    assert found.violations_count == 0, f"{path} {width} {scheme}\n{found.generate_report()}"
        visit.complaints[:] = [one for one in visit.complaints if "404" not in one]  # of the run that is not there


def test_nothing_that_is_shown_is_run(browser: Browser, server: str) -> None:
    """Notes, names of tables and columns, values and addresses are text, whatever they hold."""
    with visiting(browser, server) as visit:
        page = visit.open("/runs")
        expect(page.locator("table.list")).to_contain_text("<img src=x")
        for path in (
            "/results/table?table=odd",
            "/runs?text=" + EVIL.replace("#", ""),
            "/project?node=%3Cscript%3Edocument.title%3D'evil'%3C/script%3E",
            "/results?a=%3Cimg%20src%3Dx%3E",
            "/parameters?scenario=%3Cscript%3E",
        ):
            visit.go(page, path)
            assert page.title() != "evil", path
            assert page.locator("main img, main script").count() == 0
        visit.complaints[:] = [one for one in visit.complaints if "status of 4" not in one]


def test_a_page_works_without_scripts(browser: Browser, server: str) -> None:
    """What they add is comfort: links and forms do without."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server}/health", wait_until="domcontentloaded")
    page.get_by_role("button", name="Examine everything").click()
    expect(page.locator("h1")).to_contain_text("Examining")
    context.close()


def test_ten_thousand_letters(browser: Browser, lakes_ui: Cli, server: str) -> None:
    """A long text breaks its line, not the page."""
    run = newest(server)
    assert lakes_ui("runs", "note", run, "x" * 1500).exit_code == 0
    with visiting(browser, server, width=375) as visit:
        for path in ("/runs", f"/runs/{run}"):
            assert not widens(visit.open(path)), path
    lakes_ui("runs", "note", run, "")


def test_screens_are_as_they_were_shown(browser: Browser, server: str, tmp_path: Path) -> None:
    """Every page can be made a picture of, so that the documentation can show it."""
    with visiting(browser, server) as visit:
        for number, path in enumerate(("/runs", "/results", "/health")):
            visit.open(path).screenshot(path=tmp_path / f"{number}.png")
    assert all(file.stat().st_size > 5_000 for file in tmp_path.glob("*.png"))
