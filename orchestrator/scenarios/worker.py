"""What a Dask worker does for a sweep: it runs members, one at a time, and stops when it is told to.

Dask itself cannot stop a task that runs. A member is therefore asked again and again whether somebody still wants it:
the sweep says so to each worker (:func:`stop`), and a scheduler that lost its client takes its tasks away.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from distributed import get_worker

from orchestrator.core.events import Event, RunStarted, StageStarted
from orchestrator.scenarios.member_run import MemberRunner
from orchestrator.scenarios.memory import memory_below
from orchestrator.scenarios.task import MemberReport, MemberTask

if TYPE_CHECKING:
    from distributed import Worker

WANTED = ("executing", "long-running", "ready", "waiting")

_runner: MemberRunner | None = None
_stopped: set[str] = set()
_one_at_a_time = threading.Lock()


def dask_setup(worker: Worker) -> None:
    """Keep Ctrl-C in a terminal from a worker: who started the sweep decides. Dask calls this as a preload."""
    with suppress(OSError):
        os.setsid()
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def stop(topic: str) -> None:
    """Let the members of a sweep that this worker runs end."""
    _stopped.add(topic)


def memory() -> int:
    """Return the bytes of memory that this worker and the processes below it take."""
    return memory_below(os.getpid())


def run_member(task: MemberTask) -> MemberReport:
    """Run one member; return what became of it."""
    worker = get_worker()
    key = worker.get_current_task()

    def tell(run_id: str | None = None, year: int | None = None, stage: str | None = None) -> None:
        message = {"key": task.member.key, "attempt": task.attempt, "run_id": run_id, "year": year, "stage": stage}
        worker.log_event(task.topic, message)

    def emit(event: Event) -> None:
        if isinstance(event, StageStarted):
            tell(event.run_id, event.year, event.stage)
        elif isinstance(event, RunStarted):
            tell(event.run_id)

    def cancelled() -> bool:
        if task.topic in _stopped:
            return True
        found = worker.state.tasks.get(key)
        return found is None or found.state not in WANTED

    tell()
    with _one_at_a_time:
        state = _member_runner().run(task, emit=emit, cancelled=cancelled)
    return MemberReport(task.member.key, state, worker.address)


def _member_runner() -> MemberRunner:
    global _runner
    if _runner is None:
        _runner = MemberRunner()
    return _runner
