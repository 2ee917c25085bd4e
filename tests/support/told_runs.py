"""Runs that are told by their events alone: a history and JSON lines without any dbt."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Self

from orchestrator.core.events import Event, RunFinished, RunStarted, StageFinished, StageStarted
from orchestrator.core.processes import ProcessIdentity
from orchestrator.storage.factory import create_storage_backend
from orchestrator.storage.json_lines import JsonLinesListener
from orchestrator.storage.listener import RunHistoryListener
from tests.support.cli_project import Told
from tests.support.processes import wait_until
from tests.support.programs import start_python
from tests.support.workspaces import REPOSITORY

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
STAGES = ("flows", "balance")


class ToldRuns:
    """A project folder whose history and JSON lines are written by the events that a test tells."""

    def __init__(self, root: Path) -> None:
        root.mkdir(exist_ok=True)
        self.root = root
        (root / "orchestrator.yaml").write_text("dbt: {project_dir: .}\n")
        self.url = f"sqlite:///{root / 'var' / 'orchestrator.db'}"
        self._listeners = (
            JsonLinesListener(root / "var" / "runs"),
            RunHistoryListener(self.url, root / "var" / "runs"),
        )

        self._going_on: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.tell(*(ended(run_id) for run_id in tuple(self._going_on)))

    def tell(self, *events: Event) -> None:
        """Let runs tell these events, and wait until the history has them."""
        for event in events:
            for listener in self._listeners:
                listener(event)
            match event:
                case RunStarted():
                    self._going_on[event.run_id] = 0
                case RunFinished():
                    del self._going_on[event.run_id]
                case StageStarted():
                    self._going_on[str(event.run_id)] += 1
                case _:
                    pass
        wait_until(self._is_stored, "the history has what was told", 60)

    def _is_stored(self) -> bool:
        with create_storage_backend(self.url) as history:
            return all(
                history.runs.get(run_id) is not None and len(history.steps.list_by_run(run_id)) == steps
                for run_id, steps in self._going_on.items()
            )

    def run(self, run_id: str, *, seconds: float = 10.0, note: str | None = None, tags: tuple[str, ...] = ()) -> None:
        """Tell a whole run that completed; each stage takes so many seconds."""
        self.tell(replace(started(run_id), note=note, tags=tags))
        for year in (2000, 2001):
            for stage in STAGES:
                self.tell(*stage_events(run_id, year, stage, seconds))
        self.tell(ended(run_id))

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start a command."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        environment |= {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "120"}
        return start_python(["-m", "orchestrator", *args], cwd=self.root, env=environment)

    def __call__(self, *args: str) -> Told:
        """Run a command to its end."""
        process = self.start(*args)
        out, err = process.communicate(timeout=60)
        return Told(process.returncode, out, err)


def started(run_id: str, *, process: ProcessIdentity | None = None, at: datetime = START) -> RunStarted:
    """Make the start of a run of 2000 and 2001, by default in this very process."""
    process = process or ProcessIdentity.of_this()
    return RunStarted(
        at=at,
        run_id=run_id,
        scenario="baseline",
        database="d",
        years=(2000, 2001),
        stages=STAGES,
        command="c",
        pid=process.pid,
        host=process.host,
        process_started=process.started,
        config={"simulation": {"start_year": 2000}, "root": "/somewhere"},
    )


def stage_events(run_id: str, year: int, stage: str, seconds: float, *, at: datetime = START) -> tuple[Event, Event]:
    """Make the start and the end of a stage."""
    begun = StageStarted(at=at, run_id=run_id, year=year, stage=stage, command="run")
    finished = StageFinished(
        at=at + timedelta(seconds=seconds),
        run_id=run_id,
        year=year,
        stage=stage,
        started_at=at,
        seconds=seconds,
        dbt_seconds=seconds,
        nodes=3,
        replayed=False,
        success=True,
    )
    return begun, finished


def ended(run_id: str, status: str = "completed", error: str | None = None) -> RunFinished:
    """Make the end of a run."""
    return RunFinished(at=START, run_id=run_id, status=status, seconds=40.0, error=error)


def somebody_gone() -> ProcessIdentity:
    """Return a process of this host that has ended."""
    return replace(ProcessIdentity.of_this(), started="another boot/1")
