"""Tables for people: no value is cut, however wide the table and narrow the place."""

from __future__ import annotations

import json
import logging
import re

import pytest
from rich.text import Text

from orchestrator.cli.error_output import document, failure_of, paragraph, report_error
from orchestrator.cli.options import CommonOptions
from orchestrator.cli.output import Output
from orchestrator.cli.progress.progress import Progress
from orchestrator.cli.summary import plain_table
from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import ConfigurationError, RunCancelledError
from orchestrator.core.events import DbtWarned
from orchestrator.core.text import ascii_json


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


def test_no_width_is_not_a_width(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Some editors set COLUMNS to 0, and nothing could be shown in that."""
    monkeypatch.setenv("COLUMNS", "0")
    assert shown(capsys)[1].startswith("da6aaa33  2026-11-26 16:55")


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


HOSTILE = "ev\x1b]0;PWNED\x07\x1b[2Jil\x9b31m\x7f\u202etxt\u2066\r\x00\ud800"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ANSI = re.compile("\x1b\\[[0-9;?]*[a-zA-Z]")  # what rich itself writes to a terminal


@pytest.mark.parametrize("terminal", [False, True])
def test_what_steers_a_terminal_is_written_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """Names from databases and files, however they are shown: results, tables, errors, logs, live lines, tracebacks."""
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
    output = Output(json=False, verbosity=1, quiet=False)
    output.say(HOSTILE)
    output.say(Text.assemble((HOSTILE, "bold red"), HOSTILE))
    table = plain_table()
    for heading in (HOSTILE, "Name"):
        table.add_column(heading, no_wrap=True)
    table.add_row(HOSTILE, Text(HOSTILE, "green"))
    output.show(table)
    Progress(output.people, detail=True)(DbtWarned(at=utc_now(), message=HOSTILE))
    logging.getLogger("orchestrator.somewhere").warning("a table %s", HOSTILE)
    report_error(ConfigurationError(HOSTILE, to_fix=HOSTILE), output, CommonOptions())
    report_error(ValueError(HOSTILE), output, CommonOptions())
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert "\\x1b]0;PWNED" in text
        assert RAW.findall(ANSI.sub("", text)) == []
    assert "\\u202etxt\\u2066" in told.out
    assert "\x1b[" not in told.out or terminal


def test_colours_stay_around_what_is_written_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The filter tells our own colours from those of a name."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    Output(json=False, verbosity=0, quiet=False).say(Text.assemble(("a\x1b[31mb", "green"), "c"))
    assert capsys.readouterr().out == "\x1b[32ma\x1b[0m\\x1b\x1b[32m[31mb\x1b[0mc\n"


def test_json_is_plain() -> None:
    """It is valid, says exactly what was meant, and holds no byte that a terminal obeys."""
    told = ascii_json({HOSTILE: [HOSTILE, None]}, indent=2)
    assert json.loads(told) == {HOSTILE: [HOSTILE, None]}
    assert RAW.findall(told) == []
    assert told.isascii()
