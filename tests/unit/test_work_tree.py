"""The tree of what began and ended in a run, made of its events."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from orchestrator.core.events import (
    Event,
    NodeFinished,
    NodeStarted,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    StepStarted,
    YearFinished,
    YearStarted,
)
from orchestrator.listeners.work import Begun, Ended, WorkTree

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
RUN = "0b7e4a52-6b0f-4b5e-9f0a-3d1c5a8e7f10"


def at(seconds: float) -> datetime:
    """Return a moment of the story."""
    return START + timedelta(seconds=seconds)


def begin(run_id: str = RUN, **more: object) -> RunStarted:
    """Make the beginning of a run of one year."""
    return RunStarted(
        at=START,
        run_id=run_id,
        scenario="baseline",
        database="d",
        years=(2025, 2026),
        stages=("flows",),
        command="c",
        pid=1,
        config={"root": "/work/my lakes"},
        versions={"dbt-core": "1.11.16"},
        **more,  # type: ignore[arg-type]
    )


def node(name: str, seconds: float, run_id: str = RUN) -> NodeStarted:
    """Make the beginning of a node."""
    return NodeStarted(at=at(seconds), run_id=run_id, unique_id=f"model.lakes.{name}", name=name, resource_type="model")


def done(name: str, seconds: float, status: str = "success", error: str | None = None, run_id: str = RUN) -> Event:
    """Make the end of a node."""
    return NodeFinished(
        at=at(seconds),
        run_id=run_id,
        unique_id=f"model.lakes.{name}",
        name=name,
        resource_type="model",
        status=status,
        seconds=1.0,
        sql_seconds=0.5,
        error=error,
    )


def story(*, failing: bool = False, run_id: str = RUN) -> list[Event]:
    """Make the events of a run that heals a node, and then runs a stage of two nodes, of which one may fail."""
    error = "column rain does not exist" if failing else None
    found: list[Event] = [
        begin(run_id),
        StepStarted(at=at(1), run_id=run_id, step="build_foundation", nodes=1),
        node("shore", 1, run_id),
        done("shore", 2, run_id=run_id),
        YearStarted(at=at(3), run_id=run_id, year=2025),
        StageStarted(at=at(3), run_id=run_id, year=2025, stage="flows", command="run"),
        node("inflow", 4, run_id),
        node("outflow", 4, run_id),
        done("outflow", 5, run_id=run_id),
        done("inflow", 6, "error" if failing else "success", error, run_id=run_id),
        StageFinished(
            at=at(7),
            run_id=run_id,
            year=2025,
            stage="flows",
            started_at=at(3),
            seconds=4.0,
            dbt_seconds=3.0,
            nodes=2,
            replayed=False,
            success=not failing,
            error=error,
        ),
    ]
    if not failing:
        found.append(YearFinished(at=at(8), run_id=run_id, year=2025, seconds=5.0))
    status = "failed" if failing else "completed"
    found.append(RunFinished(at=at(9), run_id=run_id, status=status, seconds=9.0, error=error))
    return found


def told(events: list[Event]) -> list[str]:
    """Say in words what a tree makes of events."""
    tree = WorkTree()
    changes = [change for event in events for change in tree.take(event)]
    return [f"{f'+{one.work.kind}' if isinstance(one, Begun) else one.status} {one.work.name}" for one in changes]


def test_what_begins_ends_in_its_place() -> None:
    """A run holds its years, a year its stages, a stage its nodes; a node of healing lies right below the run."""
    assert told(story()) == [
        "+run baseline",
        "+node shore",
        "completed shore",
        "+year 2025",
        "+stage flows",
        "+node inflow",
        "+node outflow",
        "completed outflow",
        "completed inflow",
        "completed flows",
        "completed 2025",
        "completed baseline",
    ]
    tree = WorkTree()
    ended = [change for event in story() for change in tree.take(event) if isinstance(change, Ended)]
    above = {change.work.name: change.work.above.name if change.work.above else None for change in ended}
    assert above == {"shore": "baseline", "inflow": "flows", "outflow": "flows", "flows": "2025"} | {
        "2025": "baseline",
        "baseline": None,
    }


def test_what_is_under_way_ends_with_the_run() -> None:
    """A year that a failure cut off fails with the run, and one that was interrupted is aborted."""
    assert told(story(failing=True))[-4:] == ["failed inflow", "failed flows", "failed 2025", "failed baseline"]
    cut_off = [*story()[:7], RunFinished(at=at(9), run_id=RUN, status="interrupted", seconds=9.0, error="Interrupted.")]
    assert told(cut_off)[-4:] == ["aborted inflow", "aborted flows", "aborted 2025", "aborted baseline"]


def test_a_node_says_why_it_failed() -> None:
    """The error of a node is dbt's message, or its status where there is none."""
    tree = WorkTree()
    changes = [change for event in [*story()[:7], done("inflow", 5, "error")] for change in tree.take(event)]
    assert isinstance(changes[-1], Ended) and changes[-1].error == "dbt says: error"
    assert told([*story()[:7], done("inflow", 5, "skipped")])[-1] == "skipped inflow"
