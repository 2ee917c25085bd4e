"""What every store does, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from orchestrator.core.annotations import Annotations
from orchestrator.core.errors import RunNotFoundError, StorageError
from orchestrator.storage import base
from orchestrator.storage.base import RunRecord, StorageBackend
from orchestrator.storage.models import (
    RunTag,
    SessionState,
    WorkflowOutput,
    WorkflowRun,
    WorkflowStep,
)

START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone.utc)
ABSTRACT = [cls for name, cls in vars(base).items() if name.startswith("Abstract")]


def add_run(backend: StorageBackend, number: int = 0, **fields: object) -> WorkflowRun:
    """Store a run that started ``number`` minutes later."""
    values: dict[str, object] = {"workflow_name": "lakes", "started_at": START + timedelta(minutes=number), **fields}
    return backend.runs.add(WorkflowRun(**values))  # type: ignore[arg-type]


@pytest.mark.parametrize("cls", ABSTRACT)
def test_abstract_repositories_cannot_be_made(cls: type) -> None:
    """They say what a store can do, and do nothing."""
    with pytest.raises(TypeError, match="abstract"):
        cls()


def test_a_run_comes_back_as_it_was_stored(backend: StorageBackend) -> None:
    """Every field, JSON and times with it; times in another zone come back in UTC."""
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    run = add_run(
        backend,
        scenario="hot summer",
        status="running",
        config_snapshot={"z": 1, "a": {"deep": [1, 2.5, None, True, "ü"]}},
        inputs={"years": [2025, 2026]},
        outputs={"empty": {}, "list": []},
        versions={"dbt": "1"},
        error_message="it broke\nbadly",
        traceback="Traceback …",
        fingerprint="ab" * 32,
        resumed_from="another",
        database="/var/lakes.duckdb",
        completed_at=START.astimezone(elsewhere) + timedelta(hours=1),
        duration_seconds=1.25,
    )
    found = backend.runs.get(run.id)
    assert found == run
    assert found is not run
    assert found.completed_at == START + timedelta(hours=1)
    assert found.completed_at.utcoffset() == timedelta(0)
    assert list(found.config_snapshot) == ["z", "a"]


def test_what_json_and_text_cannot_say_is_made_sayable(backend: StorageBackend) -> None:
    """No value of a hook or an error message may break a store: NaN, NUL, lone surrogates, dates, paths."""
    run = add_run(
        backend,
        error_message="a\0b\udc80",
        inputs={"nan": float("nan"), "date": START, "path": Path("a/b"), "money": Decimal("1.5"), "n\0": "\ud800x"},
    )
    found = backend.runs.get(run.id)
    assert found is not None
    assert found.error_message == "a\ufffdb\ufffd"
    assert found.inputs["nan"] is None
    assert (found.inputs["date"], found.inputs["path"], found.inputs["money"]) == (START.isoformat(), "a/b", 1.5)
    assert "n\ufffd" in found.inputs


def test_a_time_without_zone_is_refused(backend: StorageBackend) -> None:
    """Nobody could say later which moment it was."""
    with pytest.raises(StorageError, match="no time zone"):
        add_run(backend, started_at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_an_id_is_taken_once(backend: StorageBackend) -> None:
    """A second run of the same id is refused, and the first one stays."""
    run = add_run(backend, scenario="first")
    with pytest.raises(StorageError, match=run.id):
        add_run(backend, id=run.id, scenario="second")
    found = backend.runs.get(run.id)
    assert found is not None
    assert found.scenario == "first"


def test_runs_are_listed_newest_first(backend: StorageBackend) -> None:
    """Of one workflow, or of all with filters."""
    runs = [add_run(backend, number, scenario=f"s{number % 2}", status="completed") for number in (2, 0, 3, 1)]
    other = add_run(backend, 9, workflow_name="mountains")
    by_start = [run.id for run in sorted(runs, key=lambda run: run.started_at, reverse=True)]
    assert [run.id for run in backend.runs.list_by_workflow("lakes")] == by_start
    assert [run.id for run in backend.runs.list_by_workflow("lakes", limit=2)] == by_start[:2]
    assert backend.runs.list_by_workflow("nobody") == []
    assert [run.id for run in backend.runs.list_runs()] == [other.id, *by_start]
    assert {run.scenario for run in backend.runs.list_runs(scenario="s1")} == {"s1"}
    assert [run.id for run in backend.runs.list_runs(statuses=["pending"])] == [other.id]
    since = backend.runs.list_runs(since=START + timedelta(minutes=2), statuses=["completed"])
    assert [run.id for run in since] == by_start[:2]


def test_a_run_is_found_by_the_beginning_of_its_id(backend: StorageBackend) -> None:
    """Wildcards of SQL are letters like others."""
    add_run(backend, id="abc-1")
    add_run(backend, 1, id="abd-2")
    assert [run.id for run in backend.runs.find("ab")] == ["abd-2", "abc-1"]
    assert [run.id for run in backend.runs.find("abc")] == ["abc-1"]
    assert backend.runs.find("%") == []
    assert backend.runs.find("a_c") == []


@pytest.mark.parametrize("status", base.ENDED)
def test_an_end_has_its_time(backend: StorageBackend, status: str) -> None:
    """``completed_at`` and the duration are set with the status; outputs and error only where given."""
    run = add_run(backend, outputs={"kept": 1})
    assert backend.runs.update_status(run.id, "running").completed_at is None
    updated = backend.runs.update_status(run.id, status, error_message="no")
    assert updated == backend.runs.get(run.id)
    assert updated.completed_at is not None
    assert updated.duration_seconds == (updated.completed_at - START).total_seconds()
    assert (updated.outputs, updated.error_message) == ({"kept": 1}, "no")


def test_a_wrong_update_is_refused(backend: StorageBackend) -> None:
    """Neither an unknown run nor an unknown status."""
    run = add_run(backend)
    with pytest.raises(ValueError, match="no status 'done'"):
        backend.runs.update_status(run.id, "done")
    with pytest.raises(RunNotFoundError):
        backend.runs.update_status("nobody", "failed")


def test_children_go_with_their_run(backend: StorageBackend) -> None:
    """Steps, states, outputs and session of a deleted run are gone; those of others stay."""
    runs = [add_run(backend, number) for number in range(2)]
    for run in runs:
        backend.runs.save(
            [
                WorkflowStep(run.id, 1, "seeds", "healing", "running", START),
                WorkflowOutput(run.id, "rows", 3, "number"),
                SessionState(run.id, 1, "here", None, START),
            ]
        )
        backend.states.save_state(run.id, {"x": 1})
    assert backend.runs.delete(runs[0].id) is True
    assert backend.runs.delete(runs[0].id) is False
    assert backend.runs.get(runs[0].id) is None
    gone, kept = (backend.record(run) for run in runs)
    assert (gone.steps, gone.states, gone.outputs, gone.session) == ((), (), (), None)
    assert (len(kept.steps), len(kept.states), len(kept.outputs)) == (1, 1, 1)
    assert kept.session is not None


def test_states_keep_their_order(backend: StorageBackend) -> None:
    """The last one is the latest; a run without states, and one that is not known, have none."""
    run = add_run(backend)
    assert backend.states.get_latest_state(run.id) is None
    assert backend.states.get_latest_state("nobody") is None
    assert backend.states.get_state_history("nobody") == []
    for number in range(3):
        backend.states.save_state(run.id, {"number": number}, node_id=f"2025/{number}")
    assert backend.states.get_latest_state(run.id) == {"number": 2}
    history = backend.states.get_state_history(run.id)
    assert [(state.node_id, state.state_data["number"]) for state in history] == [
        ("2025/0", 0),
        ("2025/1", 1),
        ("2025/2", 2),
    ]
    with pytest.raises(RunNotFoundError):
        backend.states.save_state("nobody", {})


def test_saving_twice_leaves_one(backend: StorageBackend) -> None:
    """A record takes the place of the one with its key, so that a write may be tried again."""
    run = WorkflowRun("lakes", started_at=START)
    step = WorkflowStep(run.id, 1, "seeds", "healing", "running", START)
    backend.runs.save([step, run])
    step.status, step.seconds = "completed", 2.5
    run.status = "completed"
    backend.runs.save([run, step])
    record = backend.record(run)
    assert [(one.status, one.seconds) for one in record.steps] == [("completed", 2.5)]
    assert [one.status for one in backend.runs.list_runs()] == ["completed"]


def test_what_belongs_to_a_run_stays_when_it_is_saved_again(backend: StorageBackend) -> None:
    """The run is changed in its place; nothing is saved for a run that is not there, if that is asked for."""
    run = WorkflowRun("lakes", started_at=START, config_snapshot={"a": [1, None]})
    steps = [WorkflowStep(run.id, number, "s", "stage", "running", START) for number in (1, 2)]
    assert not backend.runs.save([run, *steps], of=run.id)
    assert backend.runs.list_runs() == []
    assert backend.runs.save([run, *steps])
    run.status, run.outputs = "completed", {"rows": 3}
    steps[1].status = "completed"
    assert backend.runs.save([WorkflowOutput(run.id, "rows", None, "null"), run, steps[1]], of=run.id)
    record = backend.record(run)
    assert [one.status for one in record.steps] == ["running", "completed"]
    assert [(one.key, one.value) for one in record.outputs] == [("rows", None)]
    [stored] = backend.runs.list_runs()
    assert (stored.status, stored.outputs, stored.config_snapshot) == ("completed", {"rows": 3}, {"a": [1, None]})


def test_replacing_leaves_nothing_of_before(backend: StorageBackend) -> None:
    """A run is stored as a whole in the place of what was there."""
    run = add_run(backend)
    backend.runs.save([WorkflowStep(run.id, number, "old", "stage", "running", START) for number in range(5)])
    new = WorkflowRun("lakes", id=run.id, started_at=START, status="failed")
    backend.runs.replace(RunRecord(new, (WorkflowStep(run.id, 1, "new", "stage", "failed", START),), (), (), None))
    found = backend.runs.get(run.id)
    assert found is not None
    assert found.status == "failed"
    assert [step.name for step in backend.steps.list_by_run(run.id)] == ["new"]


def test_notes_and_tags(backend: StorageBackend) -> None:
    """They are changed as a whole, found by run, chosen by tag, and go with the run."""
    a, b, c = (add_run(backend, number) for number in range(3))
    backend.annotations.set_note(a.id, "first")
    backend.annotations.set_note(a.id, "se\0cond ✓")
    backend.annotations.set_tags(a.id, ["y", "x"])
    backend.annotations.set_tags(b.id, ["x"])
    assert backend.annotations.of_runs([a.id, b.id, c.id, "nobody"]) == {
        a.id: Annotations("se\ufffdcond ✓", ("x", "y")),
        b.id: Annotations(None, ("x",)),
    }
    assert [run.id for run in backend.runs.list_runs(tag="x")] == [b.id, a.id]
    assert [run.id for run in backend.runs.list_runs(tag="x", limit=1)] == [b.id]
    assert backend.runs.list_runs(tag="X") == []
    backend.annotations.set_note(a.id, None)
    backend.annotations.set_tags(a.id, [])
    assert backend.record(a).annotations == Annotations()
    assert backend.runs.delete(b.id)
    assert backend.annotations.of_runs([a.id, b.id]) == {}
    with pytest.raises(RunNotFoundError):
        backend.annotations.set_note("nobody", "x")
    with pytest.raises(RunNotFoundError):
        backend.annotations.set_tags("nobody", ["x"])


def test_what_people_wrote_outlives_a_replacement(backend: StorageBackend) -> None:
    """A run that is imported anew keeps its note and tags; one that is not stored yet gets those of its events."""
    record = RunRecord(WorkflowRun("lakes", started_at=START), (), (), (), None, Annotations("told", ("told",)))
    backend.runs.replace(record)
    assert backend.record(record.run).annotations == Annotations("told", ("told",))
    backend.annotations.set_note(record.run.id, "written")
    backend.annotations.set_tags(record.run.id, [])
    again = WorkflowRun("lakes", id=record.run.id, started_at=START, status="failed")
    backend.runs.replace(RunRecord(again, (), (), (), None, Annotations("told", ("told",))))
    found = backend.runs.get(record.run.id)
    assert found is not None and found.status == "failed"
    assert backend.record(found).annotations == Annotations("written", ())
    backend.runs.save([RunTag(record.run.id, "a")])
    backend.runs.save([RunTag(record.run.id, "a")])
    assert backend.record(found).annotations == Annotations("written", ("a",))


def test_seconds_of_stages_come_from_runs_of_a_kind(backend: StorageBackend) -> None:
    """Only completed stages, of the newest runs of the same workflow and scenario."""
    for number, scenario in enumerate(["a", "a", "b", "a"]):
        run = add_run(backend, number, scenario=scenario)
        backend.runs.save(
            [
                WorkflowStep(run.id, 1, "flows", "stage", "completed", START, 2025, "flows", seconds=float(number)),
                WorkflowStep(run.id, 2, "flows", "stage", "failed", START, 2026, "flows", seconds=99.0),
                WorkflowStep(run.id, 3, "verify", "healing", "completed", START, seconds=98.0),
            ]
        )
    assert sorted(backend.steps.stage_seconds("lakes", "a", 2)) == [(2025, "flows", 1.0), (2025, "flows", 3.0)]
    assert backend.steps.stage_seconds("elsewhere", "a", 2) == []


def test_the_last_stage_of_many_runs(backend: StorageBackend) -> None:
    """In a few questions, whatever their number; a run without stages has none."""
    runs = [add_run(backend, number) for number in range(3)]
    for run in runs[:2]:
        backend.runs.save(
            [
                WorkflowStep(run.id, 1, "a", "stage", "completed", START, 2025, "a"),
                WorkflowStep(run.id, 2, "b", "stage", "running", START, 2026, "b"),
                WorkflowStep(run.id, 3, "h", "hook", "running", START, 2026, "b"),
            ]
        )
    found = backend.steps.last_stages([run.id for run in runs])
    assert {run_id: (step.year, step.stage) for run_id, step in found.items()} == {
        run.id: (2026, "b") for run in runs[:2]
    }
