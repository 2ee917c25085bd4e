"""Results as the JSON documents that scripts read."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestrator.core.events import jsonable
from orchestrator.reports.time_spent import RunTime, Seconds

if TYPE_CHECKING:
    from orchestrator.pipeline.workflow import SimulationResult, Summary
    from orchestrator.self_healing.initialization_state import InitializationResult
    from orchestrator.storage.base import RunRecord


def initialization_record(result: InitializationResult) -> dict[str, object]:
    """Return an initialization with all its fields and its ``seconds``."""
    record = jsonable(result)
    assert isinstance(record, dict)
    return {"state": record["state"], "seconds": result.seconds, **record}


def simulation_record(result: SimulationResult, time: RunTime) -> dict[str, object]:
    """Return a run; ``summary`` is a list of rows, each by column name, ``time`` where its seconds went."""
    healed = result.initialization
    return {
        "run_id": result.run_id,
        "status": result.status,
        "scenario": result.scenario,
        "fingerprint": result.fingerprint,
        "database": result.database,
        "seconds": result.seconds,
        "years": result.years,
        "initialization": None if healed is None else initialization_record(healed),
        "resumed_from": result.resumed_from,
        "left_out": result.left_out,
        "nothing_to_do": result.nothing_to_do,
        "not_compared": result.not_compared,
        "changed_files": result.changed_files,
        "edited_files": result.edited_files,
        "summary": None if result.summary is None else _rows(result.summary),
        "time": {
            **_seconds(time.seconds),
            "years": [{"year": year.year, **_seconds(year.seconds)} for year in time.years],
        },
    }


def stored_summary(record: RunRecord) -> Summary | None:
    """Return the summary that a run left in the history, None where it left none."""
    from orchestrator.pipeline.workflow import Summary, SummaryColumn  # slow to import

    found = {output.key: output.value for output in record.outputs}
    rows, columns = found.get("summary"), found.get("summary_columns")
    if not isinstance(rows, list) or not isinstance(columns, list):
        return None
    labels = tuple(SummaryColumn(column["name"], column["label"], column["format"]) for column in columns)
    return Summary(labels, tuple(tuple(row.get(label.name) for label in labels) for row in rows))


def _seconds(seconds: Seconds) -> dict[str, object]:
    return {"total": seconds.total, **asdict(seconds)}


def _rows(summary: Summary) -> list[dict[str, object]]:
    names = [column.name for column in summary.columns]
    return [dict(zip(names, row, strict=True)) for row in summary.rows]


def summary_record(summary: Summary | None) -> dict[str, object]:
    """Return a closing table for JSON: its columns with label and format, and its rows by column name."""
    if summary is None:
        return {"columns": [], "rows": []}
    return {"columns": list(summary.columns), "rows": _rows(summary)}
