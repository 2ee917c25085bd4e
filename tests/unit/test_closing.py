"""What a run says at its end beside its numbers."""

from __future__ import annotations

from orchestrator.dbt_runner.project.results import NOTHING_FITS, NodeResult
from orchestrator.pipeline.workflow import SimulationResult, StageResult, TestWarning, YearResult
from orchestrator.reports.closing import not_replayed, recorded_years, told_warnings


def run(*years: YearResult) -> SimulationResult:
    """Make the result of a run."""
    return SimulationResult("r", "completed", "s", "f", None, 1.0, years, None, None, None)


def year(number: int, *stages: StageResult) -> YearResult:
    """Make a finished year."""
    return YearResult(number, 1.0, stages)


def test_each_reason_is_told_once_with_its_years() -> None:
    """A year that was merely recorded has none; a stage that was never tried has one."""
    first = year(
        2001, StageResult("load", 1, 1, not_replayed="never"), StageResult("births", 1, 1, not_replayed=NOTHING_FITS)
    )
    later = [
        year(n, StageResult("load", 1, 1, not_replayed="never"), StageResult("births", 1, 1, replayed=True))
        for n in (2002, 2003)
    ]
    result = run(first, *later)
    (told,) = not_replayed(result)
    assert str(told) == "2001–2003, load (3.0 s): never"
    assert recorded_years(result) == (2001,)


def test_a_reason_of_several_stages_is_told_once() -> None:
    """With all of their years, and how long they took."""
    stages = [StageResult(name, 0.5, 1, not_replayed="the project is parsed again") for name in "abcde"]
    (told,) = not_replayed(run(year(2001, *stages), year(2002, *stages[1:])))
    assert str(told) == "2001–2002, a, b, c and 2 more (4.5 s): the project is parsed again"


def test_a_warning_says_rows_years_and_where_to_see_them() -> None:
    """One line a test, whatever the number of years."""
    one = StageResult("checks", 1, 1, warnings=(TestWarning("few", 3, "/r/few_2001.sql"),))
    two = StageResult("checks", 1, 1, warnings=(TestWarning("few", 1, "/r/few_2002.sql"), TestWarning("old", 2, None)))
    assert told_warnings(run(year(2001, one))) == ("test few found 3 rows in 2001. The query: /r/few_2001.sql",)
    assert told_warnings(run(year(2001, one), year(2002, two))) == (
        "test few found 3 rows in 2001, 1 row in 2002. The query: /r/few_*.sql",
        "test old found 2 rows in 2002",
    )


def test_a_long_name_of_a_test_makes_a_file() -> None:
    """Generic tests are named after all their values; two that begin alike get different files."""
    names = ["accepted_" + "value_" * 60 + end for end in ("a", "b")]
    found = {NodeResult(f"test.p.{n}", n, "test", "warn", 0.1, 1, None, "f").file_name for n in names}
    assert len(found) == 2 and max(map(len, found)) < 200
    assert NodeResult("test.p.short", "short", "test", "warn", 0.1, 1, None, "f").file_name == "short"
