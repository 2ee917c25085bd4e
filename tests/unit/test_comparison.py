"""The differences between two runs, and how they are shown."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from orchestrator.cli.output import Output
from orchestrator.cli.runs.comparison import show_comparison
from orchestrator.reports.comparison import compare
from orchestrator.reports.run_history import ComparedRuns
from orchestrator.storage.base import RunRecord
from orchestrator.storage.models import ExecutionState, WorkflowOutput, WorkflowRun

COLUMNS = [
    {"name": "year", "label": "Year", "format": "text"},
    {"name": "hires", "label": "New people", "format": "integer"},
    {"name": "pay", "label": "Pay", "format": "money"},
    {"name": "share", "label": "Share", "format": "percent"},
]


def record(hires: int, share: float, rows: int, digest: str) -> RunRecord:
    """Make a run of one year with a summary and the rows of one table."""
    run = WorkflowRun("lakes", started_at=datetime(2026, 1, 1, tzinfo=timezone.utc))
    summary = [{"year": 2000, "hires": hires, "pay": 1_000_000.0 + hires, "share": share}]
    outputs = [
        WorkflowOutput(run_id=run.id, key="summary", value=summary, type="array"),
        WorkflowOutput(run_id=run.id, key="summary_columns", value=COLUMNS, type="array"),
    ]
    tables = [{"table": "people", "rows": rows, "digest": digest}]
    states = [
        ExecutionState(run_id=run.id, number=number, node_id=f"{year}/all", state_data={"tables": tables})
        for number, year in enumerate((2000, 2001))
    ]
    return RunRecord(run=run, steps=(), states=tuple(states), outputs=tuple(outputs), session=None)


def test_results_say_by_how_much_they_differ() -> None:
    """The first run against the second, as a value and in percent of it; what is equal is not listed."""
    found = compare(record(150, 0.5, 10, "x"), record(120, 0.5, 10, "x"))
    hires, pay = found.results
    assert (hires.name, hires.year, hires.label, hires.a, hires.b) == ("2000 hires", "2000", "New people", 150, 120)
    assert (hires.difference, hires.percent) == (30.0, 25.0)
    assert pay.percent == pytest.approx(30 / 1_000_120 * 100)
    assert found.rows == () and found.same_result


def test_the_comparison_is_shown_with_labels_and_whole_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """No machine names, no number cut; a table stands once, where it differs first."""
    a, b = record(1500, 0.52, 1234, "x"), record(1200, 0.5, 1200, "y")
    show_comparison(Output(json=False, verbosity=0, quiet=False), ComparedRuns(a.run, b.run, compare(a, b)))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "2000 New people 1,500 1,200 +300 +25.0%" in lines
    assert "Share 52.00% 50.00% +2.00 pt +4.0%" in lines
    assert "people 2000 all 1,234 1,200 +34" in lines
    assert not any("2001 all" in line for line in lines)
    assert lines[-1].startswith("The rows differ first at 2000/all/people")


def test_rows_of_the_same_number_differ_in_their_values(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the numbers are equal, it is said that the values are not."""
    a, b = record(1, 0.5, 3, "x"), record(1, 0.5, 3, "y")
    found = compare(a, b)
    assert [(one.a, one.b) for one in found.rows] == [(3, 3), (3, 3)]
    assert not found.same_result
    show_comparison(Output(json=False, verbosity=0, quiet=False), ComparedRuns(a.run, b.run, found))
    assert "other values" in capsys.readouterr().out
