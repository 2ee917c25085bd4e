"""Runs of the history as JSON documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.reports.run_history import ComparedRuns, FullRun, ListedRun, RunList

if TYPE_CHECKING:
    from orchestrator.storage.models import SweepRecord, WorkflowRun, WorkflowStep


def reached(step: WorkflowStep | None) -> dict[str, object] | None:
    """Return the year and stage of the stage that a run began last, None where it began none."""
    return None if step is None else {"year": step.year, "stage": step.stage}


def last_stage(steps: Sequence[WorkflowStep]) -> WorkflowStep | None:
    """Return the stage that was begun last."""
    return next((step for step in reversed(steps) if step.kind == "stage"), None)


def list_record(runs: RunList) -> dict[str, object]:
    """Return a list of runs, each in short."""
    return {"runs": [run_record(listed) for listed in runs.runs], "sweeps": [_sweep_record(one) for one in runs.sweeps]}


def _sweep_record(sweep: SweepRecord) -> dict[str, object]:
    return {
        "name": sweep.name,
        "workflow": sweep.workflow_name,
        "status": sweep.status,
        "counts": sweep.counts,
        "varied": sweep.plan.get("varied"),
        "years": sweep.plan.get("years"),
        "started_at": sweep.started_at,
        "completed_at": sweep.completed_at,
        "seconds": sweep.duration_seconds,
    }


def scenario_label(run: WorkflowRun) -> str | None:
    """Return a run's scenario with the values that were set beside it, such as ``baseline + growth=0.05``."""
    given = [f"{name.removeprefix('vars.')}={_short(value)}" for name, value in overrides_of(run).items()]
    return " + ".join([run.scenario, *([", ".join(given)] if given else [])]) if run.scenario else None


def overrides_of(run: WorkflowRun) -> dict[str, object]:
    """Return the values that a run set beside its files, by dotted key."""
    found = run.config_snapshot.get("overrides")
    return found if isinstance(found, dict) else {}


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def run_record(listed: ListedRun) -> dict[str, object]:
    """Return a run in short."""
    run = listed.run
    return {
        "run_id": run.id,
        "workflow": run.workflow_name,
        "scenario": run.scenario,
        "overrides": overrides_of(run),
        "status": listed.status,
        "years": run.inputs.get("years"),
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "seconds": run.duration_seconds,
        "database": run.database,
        "sweep": run.sweep,
        "member": run.member,
        "fingerprint": run.fingerprint,
        "resumed_from": run.resumed_from,
        "reached": reached(listed.last_stage),
        "error": run.error_message,
        "note": listed.annotations.note,
        "tags": listed.annotations.tags,
    }


def full_record(found: FullRun) -> dict[str, object]:
    """Return a run with all that belongs to it."""
    record, run = found.record, found.record.run
    return {
        **run_record(ListedRun(run, found.status, last_stage(record.steps), record.annotations)),
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


def comparison_record(compared: ComparedRuns) -> dict[str, object]:
    """Return two runs, whether they left the same rows, and what differs between them."""
    return {
        "a": compared.a.id,
        "b": compared.b.id,
        "same_result": compared.comparison.same_result,
        "differences": compared.comparison,
    }
