"""Sweeps as JSON documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.scenarios.forecast import Forecast
    from orchestrator.scenarios.plan import Member, SweepPlan
    from orchestrator.scenarios.state import MemberState
    from orchestrator.scenarios.status import SweepStatus
    from orchestrator.scenarios.sweeping import PreparedSweep, SweepOutcome


def outcome_status(outcome: SweepOutcome) -> str:
    """Return what became of a sweep in a word: done, failed or stopped."""
    if outcome.stopped:
        return "stopped"
    return "done" if len(outcome.with_status("done")) == len(outcome.states) else "failed"


def outcome_record(outcome: SweepOutcome, tables: tuple[str, ...]) -> dict[str, object]:
    """Return what became of a sweep; ``tables`` are those with rows in its results."""
    return {
        "status": outcome_status(outcome),
        "name": outcome.plan.name,
        "seconds": outcome.seconds,
        "kept": len(outcome.kept),
        "removed": outcome.removed,
        "databases_removed": outcome.emptied,
        "changed_files": outcome.changed,
        "folder": str(outcome.folder.path),
        "results": str(outcome.folder.results_database),
        "tables": tables,
        **_plan_record(outcome.plan, outcome.states),
    }


def status_record(found: SweepStatus, tables: tuple[str, ...]) -> dict[str, object]:
    """Return a sweep as it is now."""
    holder = found.holder
    assert found.plan is not None
    return {
        "status": found.status,
        "name": found.name,
        "folder": str(found.folder.path),
        "results": str(found.folder.results_database),
        "tables": tables,
        "created_at": found.plan.created_at,
        "held_by": None
        if holder is None
        else {"pid": holder.pid, "host": holder.host, "command": holder.command, "since": holder.since},
        **_plan_record(found.plan, found.states),
    }


def listed_record(found: SweepStatus, size: int) -> dict[str, object]:
    """Return a sweep in short; ``size`` is that of its folder, in bytes."""
    plan = found.plan
    return {
        "name": found.name,
        "status": found.status,
        "created_at": None if plan is None else plan.created_at,
        "years": None if plan is None else [plan.first_year, plan.last_year],
        "members": len(found.states),
        "counts": found.counts,
        "bytes": size,
    }


def preview_record(sweep: PreparedSweep, expected: Forecast) -> dict[str, object]:
    """Return what a sweep would do."""
    return {
        "name": sweep.plan.name,
        "folder": str(sweep.folder.path),
        "to_run": expected.to_run,
        "again": sweep.again,
        "expected_seconds": expected.seconds,
        "expected_seconds_a_member": expected.seconds_a_member,
        "expected_bytes": expected.bytes,
        "free_bytes": expected.free,
        "dropped": [member.key for member in sweep.dropped],
        **_plan_record(sweep.plan, dict(sweep.states)),
    }


def _plan_record(plan: SweepPlan, states: dict[str, MemberState]) -> dict[str, object]:
    counts: dict[str, int] = {}
    for state in states.values():
        counts[state.status] = counts.get(state.status, 0) + 1
    return {
        "years": [plan.first_year, plan.last_year],
        "scenarios": plan.scenarios,
        "varied": {one.key: one.values for one in plan.variations},
        "seeds": plan.seeds,
        "set": plan.overrides,
        "databases": plan.databases,
        "counts": counts,
        "members": [_member_record(member, states[member.key]) for member in plan.members],
    }


def _member_record(member: Member, state: MemberState) -> dict[str, object]:
    return {
        "key": member.key,
        "scenario": member.scenario,
        "seed": member.seed,
        "values": member.values,
        "status": state.status,
        "run_id": state.run_id,
        "seconds": state.seconds,
        "attempts": state.attempts,
        "started_at": state.started_at,
        "finished_at": state.finished_at,
        "message": state.message,
        "to_fix": state.to_fix,
    }
