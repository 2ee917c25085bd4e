"""What stages are expected to take, and the table that tells it."""

from __future__ import annotations

import pytest

from orchestrator.cli.expected_table import show_expected
from orchestrator.cli.output import Output
from orchestrator.pipeline.stage_history import StageHistory, StageTime
from orchestrator.reports.preview import StagePreview, YearPreview, with_expected


def took(year: int, stage: str, seconds: float) -> StageTime:
    """A stage that is finished."""
    return StageTime(year, stage, seconds)


LEDGER = (
    took(2025, "events", 9.0),
    took(2026, "events", 1.0),
    took(2027, "events", 8.0),
    took(2028, "events", 2.0),
    took(2025, "checks", 0.5),
    took(2026, "checks", 0.25),
)
HISTORY = StageHistory(LEDGER, 2025)


def years(
    *wanted: int, stages: tuple[str, ...] = ("events", "checks"), history: StageHistory = HISTORY
) -> list[YearPreview]:
    """Plan years with what they are expected to take."""
    previews = [YearPreview(year, tuple(StagePreview(name, "run", (), ()) for name in stages)) for year in wanted]
    return list(with_expected(previews, history))


def test_ordinary_years_take_their_median_and_the_first_what_it_took() -> None:
    """One slow year does not decide what is expected, and the first year stands alone."""
    assert HISTORY.expected_seconds(2025, "events") == 9.0
    assert HISTORY.expected_seconds(2030, "events") == HISTORY.expected_seconds(2027, "events") == 2.0
    assert HISTORY.expected_seconds(2030, "reports") is None


def test_an_earlier_first_year_is_expected_as_the_old_one_was() -> None:
    """A simulation that is to begin earlier than before finds its history all the same."""
    earlier = StageHistory(LEDGER, 2020)
    assert (earlier.expected_seconds(2020, "events"), earlier.expected_seconds(2025, "events")) == (9.0, 2.0)


def test_a_first_year_alone_tells_nothing_of_the_others() -> None:
    """Later years are not guessed from the first one."""
    only = StageHistory(LEDGER[:1], 2025)
    assert only.expected_seconds(2026, "events") is None
    assert [year.expected_seconds for year in years(2025, 2026, stages=("events",), history=only)] == [9.0, None]


def shown(planned: list[YearPreview], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a person is told."""
    monkeypatch.setenv("COLUMNS", "80")
    show_expected(Output(json=False, verbosity=0, quiet=False), planned)
    return capsys.readouterr().out


def test_years_that_are_alike_share_a_column(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """First year, later years and the sum stand side by side; it says what is not in it."""
    assert shown(years(2025, 2026, 2027, 2028), capsys, monkeypatch).splitlines() == [
        "",
        "Expected seconds  2025  each of 2026–2028  in all",
        "events             9.0                2.0    15.0",
        "checks             0.5                0.2     1.2",
        "total              9.5                2.2    16.2",
        "",
        "Medians of past runs. Start-up, healing and hooks are not included.",
    ]


def test_what_has_no_history_is_not_guessed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new stage leaves the sums open; a year that goes on in its middle shows only what is left."""
    left = years(2028, stages=("checks", "new")) + years(2029, stages=("events", "checks", "new"))
    assert shown(left, capsys, monkeypatch).splitlines()[1:6] == [
        "Expected seconds  2028  2029  in all",
        "events                   2.0     2.0",
        "checks             0.2   0.2     0.5",
        "new                  –     –       –",
        "total                –     –       –",
    ]
    assert "(–: no history yet)" in shown(left, capsys, monkeypatch)
    assert shown(years(2025, stages=("new",)), capsys, monkeypatch) == "\nExpected seconds: no history yet.\n"
    assert shown([], capsys, monkeypatch) == ""
