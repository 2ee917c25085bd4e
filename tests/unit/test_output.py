"""Tables for people: no value is cut, however wide the table and narrow the place."""

from __future__ import annotations

import pytest
from rich.text import Text

from orchestrator.cli.error_output import document, failure_of, paragraph
from orchestrator.cli.output import Output
from orchestrator.cli.summary import plain_table
from orchestrator.core.errors import RunCancelledError


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Show a table of two rows; return its lines without colours."""
    table = plain_table()
    for heading in ("Run", "Started", "Reached"):
        table.add_column(heading, no_wrap=heading == "Started")
    table.add_row("da6aaa33", "2026-11-26 16:55", Text("2025 event_generation", "green"))
    table.add_row("8449264c", "2026-11-26 16:54", "")
    Output(json=False, verbosity=0, quiet=False).show(table)
    return [Text.from_ansi(line).plain.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_file_has_no_edge(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A row stays one line for those who search it by line."""
    monkeypatch.setenv("COLUMNS", "40")
    assert shown(capsys)[1:] == [
        "da6aaa33  2026-11-26 16:55  2025 event_generation",
        "8449264c  2026-11-26 16:54",
    ]


def test_a_narrow_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Words are wrapped as long as that is enough; then each value gets a line."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "46")
    assert shown(capsys)[1:] == [
        "da6aaa33  2026-11-26 16:55  2025",
        "                            event_generation",
        "8449264c  2026-11-26 16:54",
    ]
    monkeypatch.setenv("COLUMNS", "40")
    assert shown(capsys) == [
        "Run      da6aaa33",
        "Started  2026-11-26 16:55",
        "Reached  2025 event_generation",
        "",
        "Run      8449264c",
        "Started  2026-11-26 16:54",
        "Reached",
        "",
    ]


def test_a_cancelled_run_is_told_as_interrupted_ones_are() -> None:
    """A program that cancels its own run gets exit code 130, a status that says so, and no word of an error."""
    error = RunCancelledError("The run was cancelled.", run_id="r")
    error.add_note("in stage flows of 2001")
    failure = failure_of(error)
    assert paragraph(failure).plain == "The run was cancelled. (in stage flows of 2001)"
    told = document(failure)
    assert (told["status"], told["exit_code"]) == ("cancelled", 130)
