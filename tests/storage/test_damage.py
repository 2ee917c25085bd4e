"""Values of a run history that somebody else has changed: SQLite takes any."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import StorageCorruptionError
from orchestrator.maintenance.doctor.history_check import check_history
from orchestrator.storage.factory import create_storage_backend
from orchestrator.storage.models import WorkflowRun, WorkflowStep

RUN, OTHER = "11111111-aaaa", "22222222-bbbb"
DAMAGE = {
    "workflow_runs.started_at": "'not a date'",
    "workflow_runs.completed_at": "5",
    "workflow_runs.inputs": "'{broken'",
    "workflow_runs.config_snapshot": "'null'",
    "workflow_runs.outputs": "'5'",
    "workflow_runs.versions": "x'ff'",
    "workflow_runs.duration_seconds": "'long'",
    "workflow_runs.scenario": "x'ff00'",
    "workflow_runs.workflow_name": "cast(x'ff' as text)",
    "workflow_steps.year": "'soon'",
    "workflow_steps.started_at": "''",
}


@pytest.mark.parametrize("place", DAMAGE)
def test_a_damaged_value_is_named(tmp_path: Path, place: str) -> None:
    """Whoever reads it learns file, run and remedy; so does whoever asks the doctor, who changes nothing."""
    table, column = place.split(".")
    file = tmp_path / "var" / "orchestrator.db"
    with create_storage_backend(f"sqlite:///{file}") as backend:
        for run in (RUN, OTHER):
            backend.runs.add(WorkflowRun("lakes", id=run))
            backend.runs.save([WorkflowStep(run, 1, "flows", "stage", "completed", utc_now(), 2000)])
    key = "id" if table == "workflow_runs" else "run_id"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"update {table} set {column} = {DAMAGE[place]} where {key} = ?", (RUN,))
        connection.commit()
    before = file.read_bytes()
    with create_storage_backend(f"sqlite:///{file}") as backend, pytest.raises(StorageCorruptionError) as caught:
        [backend.record(one) for one in backend.runs.list_runs()]
    (tmp_path / "simulation.yaml").write_text("dbt: {project_dir: .}\n")
    (found,) = check_history(SimulationConfig.load(tmp_path / "simulation.yaml", environ={}))
    texts = [(caught.value.message, caught.value.to_fix), (found.detail, found.remedy)]
    for message, remedy in texts:
        assert str(file) in message and remedy is not None
        assert "move the file away" in remedy and "`orchestrator runs import`" in remedy
        if "cast" not in DAMAGE[place]:  # of text that is no UTF-8 SQLite's driver does not say where it is
            assert f"{column} in {table}, of run {RUN}" in message
    assert found.status.value == "problem"
    assert file.read_bytes() == before


def test_a_sound_history_is_not_damaged(tmp_path: Path) -> None:
    """What was written is read again, without values that are not there."""
    with create_storage_backend(f"sqlite:///{tmp_path / 'var' / 'orchestrator.db'}") as backend:
        backend.runs.add(WorkflowRun("lakes", id=RUN, inputs={"a": [None, 1.5]}))
        backend.outputs.list_by_run(RUN)
        assert backend.runs.list_runs()[0].inputs == {"a": [None, 1.5]}
    (tmp_path / "simulation.yaml").write_text("dbt: {project_dir: .}\n")
    (found,) = check_history(SimulationConfig.load(tmp_path / "simulation.yaml", environ={}))
    assert found.status.value == "ok", found.detail
