"""Make the pictures of the documentation: the shipped simulation, run in two scenarios, as the pages show it."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.browser import PATIENCE, running_browser, visiting, why_no_browser
from tests.support.cli_project import Cli
from tests.support.ui import read_json, served
from tests.support.workspaces import REPOSITORY

FOLDER = REPOSITORY / "docs" / "ui"
WIDTH = 1180
MOST_BYTES = 60_000


def main() -> int:
    """Write every picture; return the exit code."""
    reason = why_no_browser()
    if reason is not None:
        print(f"No pictures: {reason}", file=sys.stderr)  # noqa: T201  # a program
        return 1
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
        root = Path(folder, "workforce")
        root.mkdir()
        for part in ("config", "dbt"):
            shutil.copytree(REPOSITORY / part, root / part, ignore=shutil.ignore_patterns("target", "logs"))
        cli = Cli(root, root / "var" / "simulation.duckdb")
        for arguments in (("--note", "for the board", "--tag", "board"), ("--scenario", "high_growth")):
            done = cli("simulate", *arguments)
            assert done.exit_code == 0, done.err
        with served(cli) as address:
            picture_all(cli, address)
            picture_a_sweep(address)
    return 0


def picture_all(cli: Cli, address: str) -> None:
    """Visit every page and make a picture of it."""
    expect.set_options(timeout=PATIENCE)
    with running_browser() as browser, visiting(browser, address, width=WIDTH) as visit:
        page = visit.open("/results?a=scenario:baseline&b=scenario:high_growth")
        save(page, "results", 760)
        cli.sql("drop view stg_census", "drop table int_promotion_hazard")
        visit.go(page, "/health")
        save(page, "health", 560)
        visit.go(page, "/project?node=int_promotion_hazard")
        save(page, "project", 900)
        done = cli("init")
        assert done.exit_code == 0, done.err
        visit.go(page, "/parameters")
        page.get_by_label("Target growth rate").fill("0.05")
        page.get_by_label("Name of the scenario").fill("five_percent")
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_text("What this changes")).to_be_visible()
        save(page, "parameters", 1000)
        visit.go(page, "/runs")
        page.get_by_text("New run", exact=True).click()
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Start the run").click()
        page.wait_for_url("**/runs/*")
        listing = visit.open("/runs")
        expect(listing.locator('[data-cell="2027/event_generation"]')).to_have_class("cell running")
        save(listing, "runs", 560)
        expect(page.locator("h1 .state")).to_have_text("✓ completed")
        runs = read_json(f"{address}/runs.json")["runs"]
        assert isinstance(runs, list)
        visit.go(page, f"/runs/{runs[0]['run_id']}")
        save(page, "run", 900)
    with running_browser() as browser, visiting(browser, address, width=420, dark=True) as visit:
        page = visit.open("/results?a=scenario:baseline&b=scenario:high_growth")
        save(page, "phone", 760)


def picture_a_sweep(address: str) -> None:
    """Start a sweep from its form, make a picture while it runs, and one of its groups side by side."""
    expect.set_options(timeout=10 * PATIENCE)
    with running_browser() as browser, visiting(browser, address, width=WIDTH) as visit:
        page = visit.open("/new-sweep")
        page.get_by_label("Target growth rate").fill("0.02, 0.03, 0.05")
        page.get_by_label("Random seeds").fill("1-4")
        page.get_by_label("Last year").fill("2027")
        page.get_by_label("Name").fill("growth")
        page.get_by_role("button", name="Show what would be run").click()
        page.get_by_role("button", name="Start the sweep").click()
        page.wait_for_url("**/sweeps/growth", timeout=5 * PATIENCE)
        expect(page.locator('[data-member="6"] [data-state]')).to_have_text("● running")
        save(page, "sweep", 900)
        expect(page.locator("h1 .state")).to_have_text("✓ done")
        page.get_by_role("link", name="Compare its groups").click()
        expect(page.locator(".by-side svg").first).to_be_visible()
        save(page, "compare", 1000)


def save(page: Page, name: str, height: int) -> None:
    """Write a picture of the upper part of a page, as small as it can be read."""
    page.evaluate("scrollTo(0, 0)")
    shot = page.screenshot(full_page=True, animations="disabled")
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, height)))
    file = FOLDER / f"{name}.webp"
    image.save(file, "WEBP", quality=80, method=6)
    assert file.stat().st_size <= MOST_BYTES, f"{file} has {file.stat().st_size} bytes"


if __name__ == "__main__":
    sys.exit(main())
