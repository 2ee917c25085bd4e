"""The page of a report: one file that needs nothing, in which nothing of a name is taken for HTML."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orchestrator.core.errors import ConfigurationError, MissingExtraError
from orchestrator.reports.html.charts import charts_by_year
from orchestrator.reports.html.colours import IN_DARK
from orchestrator.reports.html.page import is_report
from orchestrator.reports.html.pictures import require_extra, write_pictures
from orchestrator.reports.sides.comparing import compare_sides
from tests.support.reports import EVIL, PAST, page_of, scenario_side, sweep_sides

VOID = {"meta", "br", "img", "link", "input", "hr"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "h1", "h2", "h3", "p", "ul", "li"),
    *("b", "span", "small", "div", "dl", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "th", "td", "code"),
    *("details", "summary", "svg", "g", "path", "text", "line", "rect", "title", "desc", "tspan", "defs", "clippath"),
}


class Reader(HTMLParser):
    """Reads a page: tags must be closed in order, and be of those that are allowed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.pointed: list[str] = []
        self.attributes: set[str] = set()
        self.text: list[str] = []
        self.counts: dict[str, int] = {}
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        assert tag in ALLOWED, tag
        self.counts[tag] = self.counts.get(tag, 0) + 1
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name == "aria-labelledby":
                self.pointed += (value or "").split()
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text.append(data)


@pytest.fixture(scope="module")
def page() -> str:
    """A page of a sweep of six groups beside a scenario with a name that means harm."""
    return page_of([*sweep_sides(), scenario_side(EVIL)], PAST)


def test_it_is_one_file_without_script(page: str) -> None:
    """No script, no handler, no request: what is drawn and how it looks is in it, and nothing else may be loaded."""
    found = Reader(page)
    assert not [name for name in found.attributes if name.startswith("on")]
    assert not found.attributes & {"src", "href", "srcset", "action", "data", "formaction", "ping", "poster", "style"}
    assert "default-src 'none'" in page
    addresses = set(re.findall(r"\w+://[^\s\"'<>]+", page)) - {"http://evil.example/x"}
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"url\(|@import|<style[^>]*>[^<]*</style[^>]*><script", page)


def test_names_and_messages_are_text(page: str) -> None:
    """Whatever they hold is shown as it is, control characters written out."""
    found = Reader(page)
    assert "script" not in found.counts and "img" not in found.counts
    text = "".join(found.text)
    assert text.count("<script>alert(1)</script>") >= 4  # legend, heads, warned test, failed member
    assert "Share <b>of</b> water" in text
    assert "\x1b" not in page and "\\x1b[2J" in text


def test_ids_are_unique_and_each_drawing_is_named(page: str) -> None:
    """What a drawing is labelled by is there; a table with its numbers stands beside it."""
    found = Reader(page)
    assert len(found.ids) == len(set(found.ids))
    assert set(found.pointed) <= set(found.ids)
    assert found.counts["details"] == page.count('role="img"') == found.counts["desc"] == 3 + 3


def test_all_that_is_drawn_has_a_colour_in_dark(page: str) -> None:
    """Each colour of a drawing is one that the style replaces."""
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawings)) - {"none", "transparent"}
    assert colours <= set(IN_DARK)
    assert all(f'[stroke="{colour}"] {{ stroke: {IN_DARK[colour]}; }}' in page for colour in colours)


def test_what_is_said(page: str) -> None:
    """Notes, failures, warnings and times are there, and what is not known is said."""
    text = " ".join(" ".join(Reader(page).text).split())
    for words in (
        "rain 7 70.0 s 9.5 s",
        "look at the rain",
        "2 attempts.",
        "Of 7 simulations the history does not know",
    ):
        assert words in text, words
    assert "What these were made of is not known" in text
    assert "1 model" in text and "abababababab" in text and "vars.depth" in text


def test_a_page_of_little() -> None:
    """One side and one year, and one without any number, have pages too."""
    one = " ".join(" ".join(Reader(page_of([scenario_side(years=[2000])])).text).split())
    assert "Headline figures, 2000" in one and "The history does not know how long it took." in one
    empty = "".join(Reader(page_of([scenario_side(years=[])])).text)
    assert "There are no numbers to draw." in empty


def test_headline_figures_are_of_the_last_year_that_all_have() -> None:
    """A side that ends earlier is no column of nothing; where no year is shared, the first side has its last."""
    text = " ".join(Reader(page_of([scenario_side("a"), scenario_side("b", (2000, 2001))])).text)
    assert "Headline figures, 2001" in text and "Later years are not in all of them." in text
    text = " ".join(Reader(page_of([scenario_side("a", (2000, 2001)), scenario_side("b", (2004,))])).text)
    assert "Headline figures, 2001" in text
    text = " ".join(Reader(page_of([scenario_side("a"), scenario_side("b")])).text)
    assert "Headline figures, 2004" in text and "Later years" not in text


def test_many_sides() -> None:
    """Thirty groups are drawn, each with a letter of its own."""
    text = " ".join(" ".join(Reader(page_of(sweep_sides(range(1, 16), seeds=2))).text).split())
    assert "D1 rain[factor=15,wind=wild]" in text


def test_pictures_replace_pictures_and_nothing_else(tmp_path: Path) -> None:
    """A file of that name that is no such picture is left alone, as is a folder that is none."""
    charts = list(charts_by_year(compare_sides([scenario_side()]), ["A"]))
    for kind, magic in (("svg", b"<svg"), ("png", b"\x89PNG")):
        for _ in range(2):
            files = write_pictures(charts, tmp_path / "new" / "charts", kind)  # type: ignore[arg-type]
        assert [file.name for file in files] == [f"level.{kind}", f"cost.{kind}"]
        assert all(file.read_bytes().startswith(magic) for file in files)
    mine = tmp_path / "level.png"
    mine.write_text("a diary")
    with pytest.raises(ConfigurationError, match="is no such picture"):
        write_pictures(charts, tmp_path, "png")
    assert mine.read_text() == "a diary"
    with pytest.raises(ConfigurationError, match="is no folder"):
        write_pictures(charts, mine, "png")


def test_a_report_is_known_by_its_beginning(page: str, tmp_path: Path) -> None:
    """Other pages are not taken for one."""
    file = tmp_path / "x.html"
    file.write_text(page, encoding="utf-8")
    assert is_report(file)
    file.write_text("<!doctype html><title>mine</title>")
    assert not is_report(file)


@pytest.mark.parametrize("library", ["altair", "vl_convert"])
def test_a_library_that_is_not_there(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way to install it is told."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError) as caught:
        require_extra()
    assert library in caught.value.message
    assert caught.value.to_fix == "pip install 'dbt-year-orchestrator[report]'"
