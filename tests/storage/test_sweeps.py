"""Sweeps in the history, on every engine."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from orchestrator.storage.base import StorageBackend
from orchestrator.storage.models import SweepRecord, WorkflowRun
from orchestrator.storage.sweeps import member_of

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_a_sweep_is_kept_as_it_was_run_last(backend: StorageBackend) -> None:
    """In the place of the one of its name and workflow; newest first."""
    backend.sweeps.save(SweepRecord("lakes", "a", "running", {"years": [1, 2]}, {"pending": 2}, START))
    backend.sweeps.save(SweepRecord("rivers", "a", "running", {}, {}, START + timedelta(days=1)))
    backend.sweeps.save(SweepRecord("lakes", "a", "completed", {"years": [1, 2]}, {"done": 2}, START, START, 1.5))
    found = backend.sweeps.list_sweeps()
    assert [(one.workflow_name, one.status, one.counts) for one in found] == [
        ("rivers", "running", {}),
        ("lakes", "completed", {"done": 2}),
    ]
    assert found[1].started_at == START and found[1].duration_seconds == 1.5
    assert len(backend.sweeps.list_sweeps(1)) == 1
    assert backend.sweeps.delete("lakes", "a") and not backend.sweeps.delete("lakes", "a")


def test_runs_are_listed_with_members_without_them_and_by_sweep(backend: StorageBackend) -> None:
    """A sweep does not flood the list of runs."""
    for number in range(3):
        backend.runs.add(WorkflowRun("lakes", id=f"m{number}", sweep="a", member=f"k{number}"))
    backend.runs.add(WorkflowRun("lakes", id="alone"))
    assert len(backend.runs.list_runs()) == 4
    assert [run.id for run in backend.runs.list_runs(members=False)] == ["alone"]
    assert {run.member for run in backend.runs.list_runs(sweep="a")} == {"k0", "k1", "k2"}


def test_a_member_is_known_by_the_place_of_its_database() -> None:
    """Anything else is no member's."""
    assert member_of("/x/var/sweeps/s/members/k/simulation.duckdb") == ("s", "k")
    assert member_of("/x/var/sweeps/s/other/k/simulation.duckdb") == (None, None)
    assert member_of("members/k/simulation.duckdb") == (None, None)
    assert member_of("a server") == (None, None)
