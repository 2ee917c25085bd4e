"""A report in a browser: at every width, in light and dark, opened from a disk, and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.support.browser import SCHEMES, WIDTHS, running_browser, visiting, why_no_browser, widens
from tests.support.reports import EVIL, PAST, page_of, scenario_side, sweep_sides

pytestmark = [
    pytest.mark.skipif(why_no_browser() is not None, reason=str(why_no_browser())),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of a sweep beside a scenario with a name that means harm, and that of one scenario."""
    folder = tmp_path_factory.mktemp("reports")
    (folder / "many.html").write_text(page_of([*sweep_sides(), scenario_side(EVIL)], PAST), encoding="utf-8")
    (folder / "one.html").write_text(page_of([scenario_side()]), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run one browser for all tests of this module."""
    with running_browser() as running:
        yield running


@pytest.mark.parametrize("name", ["many.html", "one.html"])
def test_it_fits(browser: Browser, folder: Path, name: str) -> None:
    """At every width without scrolling sideways, in light and in dark; only the file itself is read."""
    own = (folder / name).as_uri()
    for width in WIDTHS:
        with visiting(browser, "", width=width) as visit:
            page = visit.open(own)
            for opened in (False, True):
                if opened:
                    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
                for scheme in SCHEMES:
                    page.emulate_media(color_scheme=scheme)
                    assert not widens(page), (width, scheme, opened)
            assert visit.foreign == [own]
            assert page.title().startswith(("rain[", "a "))
            visit.foreign.clear()


def test_axe_finds_nothing(browser: Browser, folder: Path) -> None:
    """In light and in dark: contrast, names and tables, with the policy of the page lifted for the examiner alone."""
    for name in ("many.html", "one.html"):
        text = (folder / name).read_text(encoding="utf-8").replace("default-src 'none'; ", "")
        examined = folder / f"examined-{name}"
        examined.write_text(text, encoding="utf-8")
        with visiting(browser, "", width=WIDTHS[-1]) as visit:
            page = visit.open(examined.as_uri())
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                found = Axe().run(page)
                assert found.violations_count == 0, f"{scheme}\n{found.generate_report()}"
            visit.foreign.clear()


def test_on_paper_it_is_light(browser: Browser, folder: Path) -> None:
    """Whatever the screen is; and drawings have the colours of light."""
    with visiting(browser, "", dark=True) as visit:
        page = visit.open((folder / "one.html").as_uri())
        line = "getComputedStyle(document.querySelector('.chart path[stroke=\"#0b6e99\"]')).stroke"
        ink = "getComputedStyle(document.body).color"
        assert page.evaluate(line) == "rgb(93, 184, 220)"
        assert page.evaluate(ink) == "rgb(228, 233, 236)"
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate(line) == "rgb(11, 110, 153)"
        assert page.evaluate(ink) == "rgb(28, 35, 40)"
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
        visit.foreign.clear()
