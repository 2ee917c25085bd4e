"""A report in a browser: at every width, in light and dark, opened from a disk, and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.support.browser import WIDTHS, running_browser, visiting, why_no_browser, widens
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


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["many.html", "one.html"])
def test_it_fits_and_is_accessible(browser: Browser, folder: Path, name: str, dark: bool) -> None:
    """At every width without scrolling sideways, and without a finding of axe-core; only the file itself is read."""
    own = (folder / name).as_uri()
    for width in WIDTHS:
        with visiting(browser, "", width=width, dark=dark) as visit:
            page = visit.open(own)
            assert not widens(page), width
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
            assert not widens(page), width
            assert visit.foreign == [own]
            assert page.title().startswith(("rain[", "a "))
            visit.foreign.clear()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(browser: Browser, folder: Path, dark: bool) -> None:
    """Contrast, names and tables, with the policy of the page lifted for the examiner alone."""
    for name in ("many.html", "one.html"):
        text = (folder / name).read_text(encoding="utf-8").replace("default-src 'none'; ", "")
        examined = folder / f"examined-{name}"
        examined.write_text(text, encoding="utf-8")
        with visiting(browser, "", width=WIDTHS[-1], dark=dark) as visit:
            page = visit.open(examined.as_uri())
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
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
