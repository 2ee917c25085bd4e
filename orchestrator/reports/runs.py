"""Runs of the history as JSON documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.storage.base import RunRecord

if TYPE_CHECKING:
    from orchestrator.storage.models import WorkflowRun, WorkflowStep


def reached(step: WorkflowStep | None) -> dict[str, object] | None:
    """Return the year and stage of the stage that a run began last, None where it began none."""
    return None if step is None else {"year": step.year, "stage": step.stage}


def last_stage(steps: Sequence[WorkflowStep]) -> WorkflowStep | None:
    """Return the stage that was begun last."""
    return next((step for step in reversed(steps) if step.kind == "stage"), None)


def run_record(run: WorkflowRun, status: str, last: WorkflowStep | None) -> dict[str, object]:
    """Return a run in short; ``last`` is the stage that it began last."""
    return {
        "run_id": run.id,
        "workflow": run.workflow_name,
        "scenario": run.scenario,
        "status": status,
        "years": run.inputs.get("years"),
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "seconds": run.duration_seconds,
        "database": run.database,
        "fingerprint": run.fingerprint,
        "resumed_from": run.resumed_from,
        "reached": reached(last),
        "error": run.error_message,
    }


def full_record(record: RunRecord, status: str) -> dict[str, object]:
    """Return a run with all that belongs to it."""
    run = record.run
    return {
        **run_record(run, status, last_stage(record.steps)),
        "inputs": run.inputs,
        "config": run.config_snapshot,
        "versions": run.versions,
        "traceback": run.traceback,
        "steps": [
            {
                "number": step.number,
                "name": step.name,
                "kind": step.kind,
                "year": step.year,
                "stage": step.stage,
                "status": step.status,
                "started_at": step.started_at,
                "completed_at": step.completed_at,
                "seconds": step.seconds,
                "detail": step.detail,
                "error": step.error,
            }
            for step in record.steps
        ],
        "checkpoints": [
            {"node_id": state.node_id, "created_at": state.created_at, **state.state_data} for state in record.states
        ],
        "outputs": {output.key: output.value for output in record.outputs},
    }
