"""Sides compared by year: what is there, what differs, and what is wanting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

import pytest

from orchestrator.core.errors import ConfigurationError
from orchestrator.pipeline.workflow import Summary, SummaryColumn
from orchestrator.reports.sides.cell_text import change_text, interval_text, percent_text, value_text
from orchestrator.reports.sides.comparing import Cell, SidesComparison, compare_sides, require_several
from orchestrator.reports.sides.records import comparison_csv, comparison_markdown, comparison_record
from orchestrator.reports.sides.side import Repetition, Side, distinct_names, years_of

COLUMNS = (
    SummaryColumn("level", "Level", "integer"),
    SummaryColumn("share", "Share of | water", "percent"),
    SummaryColumn("mood", "Mood", "text"),
)
Years = Mapping[int, Mapping[str, object]]


def side(
    name: str, *years: Years, seeds: tuple[int | None, ...] = (), parameters: Mapping[str, object] | None = None
) -> Side:
    """Make a side with a repetition for each set of years; seeds are 1, 2, 3 … by default."""
    chosen = seeds or tuple(range(1, len(years) + 1))
    repetitions = tuple(
        Repetition(f"{name}{n}", seed, one) for n, (seed, one) in enumerate(zip(chosen, years, strict=True))
    )
    return Side(name, "sweep" if len(years) > 1 else "scenario", COLUMNS, repetitions, parameters or {})


def cell(found: SidesComparison, metric: int, year: int, place: int) -> Cell:
    """Return one cell."""
    return dict(found.metrics[metric].rows)[year][place]


def test_values_and_differences() -> None:
    """One repetition each: differences without intervals, in value and percent."""
    found = compare_sides([side("a", {2000: {"level": 100}}), side("b", {2000: {"level": Decimal("120.0")}})])
    one = cell(found, 0, 2000, 1)
    assert (value_text(one, "integer"), change_text(one, "integer"), percent_text(one)) == ("120", "+20", "+20.0%")
    assert cell(found, 0, 2000, 0).change is None
    assert interval_text(found) == ""


def test_what_is_wanting_is_named_and_never_nothing() -> None:
    """NULL, infinite numbers, NaN, years and columns that are not there are no zeros."""
    a = side("a", {2000: {"level": 1, "share": None}, 2001: {"level": 2, "share": 0.5}})
    b = side("b", {2000: {"level": math.inf, "share": math.nan}})
    found = compare_sides([a, b])
    texts = {
        (metric.name, year): [value_text(one, metric.format) for one in cells]
        for metric in found.metrics
        for year, cells in metric.rows
    }
    assert texts["level", 2000] == ["1", "not finite"]
    assert texts["share", 2000] == ["NULL", "not finite"]
    assert texts["level", 2001] == ["2", "missing"]
    assert texts["mood", 2001] == ["missing", "missing"]
    assert all(one.change is None for metric in found.metrics for _, row in metric.rows for one in row)


def test_over_seeds_what_is_wanting_is_counted() -> None:
    """The mean is over those that are there, and says how many are not."""
    years: list[Years] = [{2000: {"level": 10}}, {2000: {"level": 12}}, {2000: {"level": None}}, {}]
    found = compare_sides([side("a", *years), side("b", *years)])
    assert value_text(cell(found, 0, 2000, 0), "integer") == "11 ± 12.7 (1 missing, 1 NULL)"
    assert "paired by seed" in interval_text(found)
    changed = cell(found, 0, 2000, 1).change
    assert changed is not None and (changed.mean, changed.count) == (0, 2)


def test_texts_are_shown_where_they_agree() -> None:
    """A column of texts has no mean; several texts are counted."""
    a = side("a", {2000: {"mood": "calm"}}, {2000: {"mood": "calm"}})
    b = side("b", {2000: {"mood": "calm"}}, {2000: {"mood": "wild"}})
    found = compare_sides([a, b])
    assert [value_text(one, "text") for one in dict(found.metrics[2].rows)[2000]] == ["calm", "2 different texts"]


def test_settings_that_differ() -> None:
    """Equal ones are left out, 1 is 1.0 and not True; a seed that repetitions draw is none."""
    a = side("a", {}, {}, parameters={"x": 1, "y": 1, "z": 1, "simulation.random_seed": 42})
    b = side("b", {}, {}, parameters={"x": 1.0, "y": True, "simulation.random_seed": 7})
    found = compare_sides([a, b])
    assert [(one.name, one.values) for one in found.parameters] == [("y", (1, True)), ("z", (1, None))]


def test_metrics_and_years_are_chosen() -> None:
    """By name or label, whatever the case; a wrong one is refused with what there is."""
    sides = [side("a", {2000: {"level": 1}, 2001: {"level": 2}}), side("b", {2000: {"level": 1}})]
    found = compare_sides(sides, metrics=["MOOD", "level", "Level"], years=[2001])
    assert [metric.name for metric in found.metrics] == ["mood", "level"]
    assert found.years == (2001,)
    with pytest.raises(ConfigurationError) as caught:
        compare_sides(sides, metrics=["levle"])
    assert caught.value.to_fix == "write level; there are: level, share, mood"
    with pytest.raises(ConfigurationError) as caught:
        compare_sides(sides, years=[1999])
    assert caught.value.to_fix == "choose one of these years: 2000, 2001"


def test_one_side_is_no_comparison() -> None:
    """It is refused by its name."""
    with pytest.raises(ConfigurationError, match="nothing to compare a with"):
        require_several([side("a", {})])
    alone = Side("a", "sweep", COLUMNS, (), {}, notes=("Sweep s: 1 of 2 members are done (1 failed).",))
    with pytest.raises(ConfigurationError, match=r"compare a with\. Sweep s: 1 of 2 members are done"):
        require_several([alone])


def test_unpaired_sides_are_said() -> None:
    """Seeds that only some share are named."""
    years: list[Years] = [{2000: {"level": 1}}, {2000: {"level": 2}}]
    apart = compare_sides([side("a", *years), side("b", *years, seeds=(8, 9))])
    assert apart.notes == ("Differences to a are not paired where no seeds are shared: b.",)
    some = compare_sides([side("a", *years, {2000: {"level": 3}}), side("b", *years)])
    assert some.notes[0].startswith("Differences to a are over the seeds that both have (b 2), ")


def test_years_that_not_all_have_are_said() -> None:
    """Each side is named with its years; not where all years that are shown are there."""
    a, b, c = (
        side(name, {year: {"level": 1} for year in years})
        for name, years in (("a", (1, 2)), ("b", (1, 2)), ("c", (1,)))
    )
    assert compare_sides([a, b, c]).notes == ("Not all have the same years: a, b 1–2; c 1.",)
    assert compare_sides([a, b, c], years=[1]).notes == ()


def test_what_a_run_left_to_the_project_is_told_by_its_ledger_or_not_at_all() -> None:
    """A value that is recorded counts; what nothing tells any more is not called different."""
    now = side("now", {}, parameters={"vars.rain": 1, "vars.wind": 2})
    recorded = Side("r", "run", COLUMNS, now.repetitions, {"vars.wind": 2}, inputs={"var rain": "5"})
    forgotten = Side("f", "run", COLUMNS, now.repetitions, {"vars.wind": 3})
    named = [(one.name, one.values) for one in compare_sides([now, recorded, forgotten]).parameters]
    assert named == [("vars.rain", (1, 5, None)), ("vars.wind", (2, 2, 3))]
    assert [one.name for one in compare_sides([now, forgotten]).parameters] == ["vars.wind"]


def test_rows_that_are_no_years() -> None:
    """A year that stands there twice, and a row without a year, are left out and told."""
    columns = (SummaryColumn("year", "Year", "text"), SummaryColumn("level", "Level", "integer"))
    years, notes = years_of(Summary(columns, ((2000, 1), (2001, 2), (2001, 3), (None, 4), ("2002", 5))))
    assert years == {2000: {"level": 1}, 2002: {"level": 5}}
    assert notes == [
        "2001 is left out: its closing table has 2 rows of that year, and one is expected.",
        "1 row of its closing table has no year.",
    ]


def test_names_are_told_apart() -> None:
    """The same side twice has two names."""
    assert distinct_names(["a", "a", "a"]) == ["a", "a (2)", "a (3)"]


def test_documents() -> None:
    """JSON has a cell for each side and year, CSV a line, Markdown a table whose bars are escaped."""
    found = compare_sides([side("a|b", {2000: {"level": 1, "share": 0.5}}), side("<b>", {2000: {"level": 2}})])
    record = comparison_record(found)
    assert record["level"] == 0.95
    lines = list(comparison_csv(found))
    assert lines[0].startswith("metric,label,format,year,side,mean,low,high,count,text,difference,")
    assert lines[2] == "level,Level,integer,2000,<b>,2.0,,,1,,1.0,100.0,,,true,0,0,0"
    assert len(lines) == 1 + 3 * 2
    text = "\n".join(comparison_markdown(found))
    assert "| 2000 | 1 | 2 | +1 | +100.0% |" in text
    assert "### Share of \\| water" in text and "&lt;b&gt;" in text and "<b>" not in text
