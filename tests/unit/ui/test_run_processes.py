"""What is kept of a command that a page started, and with what it is started again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.errors import OrchestratorError
from orchestrator.ui.run_processes import arguments_of, newest_job, read_job, start_command
from orchestrator.ui.settings import UiSettings
from tests.support.processes import wait_until

TYPED = 'vars.note="password=hunter2"'


def test_a_secret_is_kept_in_memory_alone(tmp_path: Path) -> None:
    """A command is started again with what was typed, and never with the mask that stands for it on disk."""
    arguments = ["simulate", "--config", str(tmp_path / "nothing.yaml"), "--set", TYPED]
    started = start_command(UiSettings(folder=tmp_path), tmp_path, arguments)
    job = read_job(tmp_path, started.job)
    assert job is not None
    assert not any("hunter2" in file.read_text() for file in tmp_path.rglob("job.json"))
    assert arguments_of(job) == tuple(arguments)
    assert newest_job(tmp_path, "simulate", arguments[1:]) is not None
    assert newest_job(tmp_path, "simulate", ["--config", "another.yaml"]) is None
    with pytest.raises(OrchestratorError, match="secret value, which is kept nowhere"):
        arguments_of(replace(job, name="of-another-server"))
    wait_until(lambda: not is_running(tmp_path, started.job), "the command has ended")


def is_running(root: Path, name: str) -> bool:
    """Tell whether a command that was started goes on."""
    job = read_job(root, name)
    return job is not None and job.running
