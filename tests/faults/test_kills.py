"""SIGKILL at every stage boundary, in every healing step, and in the middle of what is written."""

from __future__ import annotations

import subprocess

import pytest

from tests.faults.ground import Ground
from tests.faults.registry import KILLED, Fault, declared

Moment = dict[str, object]
ATTEMPTS = 5
TARGETS = ["parent", "dbt", "both"]
STEPS = ["check_tables", "load_seeds", "build_foundation", "create_state", "verify"]
STAGES = ["flows", "balance", "checks"]
BOUNDARIES = [(year, stage) for year in (2000, 2001, 2002) for stage in STAGES]


def stopped(ground: Ground, moment: Moment, target: str) -> None:
    """Kill at a moment and look at what is left."""
    judge(ground, ground.killed_at(moment, target), target)


def judge(ground: Ground, ended: subprocess.CompletedProcess[str], target: str) -> None:
    """Look at how a killed run ended, and at what is left."""
    if target == "dbt":
        assert ended.returncode == 1, ended
        assert "The dbt process" in ended.stderr, ended.stderr
        assert "To fix:" in ended.stderr, ended.stderr
    else:
        assert ended.returncode == -9, ended
    ground.wait_unlocked()
    ground.assert_nothing_left()


@declared(
    "Kills",
    Fault(
        "parent, dbt process or both, as each stage of each year begins",
        KILLED,
        check=None,
        afterwards="the next run goes on exactly there; no stage is repeated",
    ),
    Fault(
        "the dbt process alone, at any of these moments",
        1,
        "The dbt process",
        check=None,
        afterwards="the run ends at once, and the next one goes on",
    ),
)
@pytest.mark.parametrize("target", TARGETS)
def test_a_kill_at_every_stage_boundary_repeats_nothing(ground: Ground, target: str) -> None:
    """Killed as each stage begins, one after the other, every run goes on exactly there."""
    ground.empty()
    for number, (year, stage) in enumerate(BOUNDARIES):
        stopped(ground, {"event": "StageStarted", "year": year, "stage": stage}, target)
        stages = ground.sql("select year, stage from orchestrator.stages order by finished_at")
        assert stages == BOUNDARIES[:number]
    told = ground("simulate", "--json")
    assert told.document()["resumed_from"] == {"year": 2002, "stage": "checks"}
    assert ground.workspace.digests() == ground.undisturbed


@declared(
    "Kills",
    Fault(
        "parent, dbt process or both, in each step of the healing of an empty database",
        KILLED,
        check=None,
        afterwards="what was built stays, what was begun is `incomplete` and built again",
    ),
)
@pytest.mark.parametrize("target", TARGETS)
def test_a_kill_in_every_healing_step_is_healed(ground: Ground, target: str) -> None:
    """Killed in each step of the healing of an empty database, one after the other."""
    ground.empty()
    for step in STEPS:
        moment: Moment = {"event": "StepStarted", "step": step}
        if step == "check_tables":
            moment["times"] = 1
        stopped(ground, moment, target)
    ground.assert_recovers()


@declared(
    "Kills",
    Fault(
        "parent, dbt process or both, in the middle of a seed, a model, a commit or a ledger write",
        KILLED,
        check=None,
        afterwards="each table is as before or as after; the next run mends the year",
    ),
)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "moment",
    [
        {"event": "NodeStarted", "name": "rain", "seconds": 0.002},
        {"event": "NodeStarted", "name": "lake_shape", "seconds": 0.002},
        {"event": "NodeStarted", "name": "inflow", "times": 2, "seconds": 0.002},
        {"event": "StageStarted", "year": 2001, "stage": "balance", "wal": True},
        {"event": "NodeFinished", "name": "lake_level", "times": 2, "wal": True},
        {"event": "NodeFinished", "name": "lake_level", "times": 3, "seconds": 0.001},
    ],
    ids=["seed", "model", "yearly model", "commit of a model", "ledger write", "after a model"],
)
def test_a_kill_in_the_middle_loses_nothing(ground: Ground, moment: Moment, target: str) -> None:
    """Killed while something is written, the next run mends it and gives the undisturbed rows."""
    for _ in range(ATTEMPTS):
        ground.empty()
        ended = ground.killed_at(moment, target)
        if ended.returncode != 0:  # else the run was over before a second thread saw the moment
            break
    judge(ground, ended, target)
    ground.assert_recovers()
