"""From a sentence to a chart, with all the parts that ship: server, chat, command line, dbt."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.browser import PATIENCE, running_browser, visiting, why_no_browser, widens
from tests.support.cli_project import Cli
from tests.support.ui import served

pytestmark = [
    pytest.mark.skipif(why_no_browser() is not None, reason=str(why_no_browser())),
    pytest.mark.slow,
]
LEFT = re.compile("ERR_INCOMPLETE_CHUNKED_ENCODING|Failed to fetch|network error|Connection errored", re.IGNORECASE)
expect.set_options(timeout=PATIENCE)


def open_chat(page: Page) -> None:
    """Follow the bar to the chat, which may still be loading."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Chat").click()
    page.locator("#question textarea").wait_for()


@pytest.mark.parametrize("lakes_ui", ["postgresql"], indirect=True)
def test_from_a_sentence_to_a_chart(lakes_ui: Cli) -> None:
    """Describe, validate, download, run, watch it live, compare its results; and the conversation is still there.

    The history is on a server: each part of this is tested with a file, too.
    """
    with running_browser() as browser, served(lakes_ui) as address, visiting(browser, address) as visit:
        page = visit.open("/runs")
        open_chat(page)
        page.locator("#question textarea").fill("rain factor of 2; simulate until 2003; call it wetter")
        page.locator("#send").click()
        rows = page.locator("#panel tbody tr")
        expect(rows).to_have_count(2)
        assert rows.first.locator("th, td").all_inner_texts()[:3] == ["rain_factor", "1", "2"]
        page.get_by_role("button", name="Validate").click()
        expect(page.locator("#outcome")).to_contain_text("Valid: 2 changes.")
        with page.expect_download() as downloading:
            page.get_by_role("button", name="Download YAML").click()
        text = Path(str(downloading.value.path())).read_text()
        assert "rain_factor: 2" in text
        assert "end_year: 2003" in text
        conversation = page.url
        page.get_by_role("button", name="Run").click()
        expect(page.locator("#outcome a")).to_have_attribute("href", re.compile("^/work/"))
        assert (lakes_ui.root / "config" / "scenarios" / "wetter.yaml").read_text() == text
        page.locator("#outcome a").click()
        page.wait_for_url(re.compile(r"/runs/[0-9a-f-]{36}$"))
        expect(page.locator("h1 .state")).to_have_text("✓ completed")
        expect(page.locator("h1")).to_contain_text("wetter, 2000–2003")
        expect(page.get_by_role("heading", name="Results", exact=True)).to_be_visible()
        page.get_by_role("link", name="Results").last.click()
        expect(page.locator("svg").first).to_be_visible()
        page.goto(conversation, wait_until="domcontentloaded")
        expect(page.locator("#talk")).to_contain_text("rain factor of 2")
        expect(rows).to_have_count(2)
        serious = [
            one["id"] for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")
        ]
        assert serious == []
        page.set_viewport_size({"width": 375, "height": 900})
        assert not widens(page)
        visit.complaints[:] = [one for one in visit.complaints if not LEFT.search(one)]
    water = lakes_ui.root / "var" / "wetter.duckdb"
    assert water.is_file()
