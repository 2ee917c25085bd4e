"""Results as the JSON documents that scripts read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.events import jsonable

if TYPE_CHECKING:
    from orchestrator.pipeline.workflow import SimulationResult, Summary
    from orchestrator.self_healing.initialization_state import InitializationResult


def initialization_record(result: InitializationResult) -> dict[str, object]:
    """Return an initialization with all its fields and its ``seconds``."""
    record = jsonable(result)
    assert isinstance(record, dict)
    return {"state": record["state"], "seconds": result.seconds, **record}


def simulation_record(result: SimulationResult) -> dict[str, object]:
    """Return a run; ``summary`` is a list of rows, each by column name."""
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
        "summary": None if result.summary is None else _rows(result.summary),
    }


def _rows(summary: Summary) -> list[dict[str, object]]:
    names = [column.name for column in summary.columns]
    return [dict(zip(names, row, strict=True)) for row in summary.rows]
