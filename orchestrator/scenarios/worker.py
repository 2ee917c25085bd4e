"""What a Dask worker does for a sweep: it runs members, one at a time, and stops when it is told to.

Dask itself cannot stop a task that runs. A member is therefore asked again and again whether somebody still wants it:
the sweep says so to each worker (:func:`stop`), and a scheduler that lost its client takes its tasks away.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import dask
from distributed import get_worker

from orchestrator.core.events import Event, RunStarted, StageStarted
from orchestrator.core.permissions import make_folder
from orchestrator.core.versions import installed_versions
from orchestrator.scenarios.bundle import unpack
from orchestrator.scenarios.environment import BEFORE, put_back
from orchestrator.scenarios.member_run import MemberRunner
from orchestrator.scenarios.memory import memory_below
from orchestrator.scenarios.state import MemberState
from orchestrator.scenarios.task import MemberReport, MemberTask

if TYPE_CHECKING:
    from distributed import Worker

WANTED = ("executing", "long-running", "ready", "waiting")
MUST_AGREE = ("dbt-year-orchestrator", "dbt-core", "dbt-duckdb", "duckdb")
BUNDLES = "sweeps"

_runner: MemberRunner | None = None
_swept: str | None = None
_stopped: set[str] = set()
_one_at_a_time = threading.Lock()


def dask_setup(worker: Worker) -> None:
    """Keep Ctrl-C in a terminal from a worker: who started the sweep decides. Dask calls this as a preload.

    dbt processes have the environment of a simulation alone, so that a zygote can fork them.
    """
    put_back(dask.config.get(BEFORE, {}))
    atexit.register(_exit_fast)  # long before what others register, so that it is called after it
    with suppress(OSError):
        os.setsid()
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _exit_fast() -> None:
    """End without taking the heap apart: threads of Dask still hold DuckDB's modules, which complain of it."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


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

    def cancelled() -> bool:
        if task.topic in _stopped:
            return True
        found = worker.state.tasks.get(key)
        return found is None or found.state not in WANTED

    if cancelled():
        return MemberReport(task.member.key, MemberState("cancelled", attempts=task.attempt), worker.address)
    refused = _other_versions(task)
    if refused is not None:
        return MemberReport(task.member.key, refused, worker.address)
    local = task if sees_project(task) else _in_bundle(task, _bundles(worker))
    if local is None:
        return MemberReport(task.member.key, MemberState(), worker.address, needs_project=True)
    with _one_at_a_time:
        _forget_modules(local, _bundles(worker))
        tell = _teller(worker, task)
        tell()
        state = _member_runner().run(local, emit=lambda event: _tell_event(tell, event), cancelled=cancelled)
    state = replace(state, foreign=local is not task)
    files = () if local is task or state.status == "cancelled" else _left(local, state)
    return MemberReport(task.member.key, state, worker.address, files)


def receive(digest: str, start: int, piece: bytes, size: int, *, dask_worker: Worker) -> str | None:
    """Take a piece of a bundle of ``size`` bytes, and unpack it with the last; return why it cannot, None where it can.

    Dask itself gives ``dask_worker``, here and below.
    """
    place = _bundles(dask_worker) / digest
    part = place.with_name(f"{digest}.part")
    try:
        make_folder(part.parent)
        with part.open("wb" if start == 0 else "ab") as file:
            file.write(piece)
        if start + len(piece) < size:
            return None
        if not place.is_dir():
            unpack(part.read_bytes(), digest, place)
        part.unlink()
    except (OSError, ValueError) as error:
        part.unlink(missing_ok=True)
        return str(error)
    return None


def piece(name: str, bundle: str, start: int, size: int, *, dask_worker: Worker) -> bytes | None:
    """Return a piece of a file that a member left, None where it cannot be read."""
    try:
        with (_bundles(dask_worker) / bundle / name).open("rb") as file:
            file.seek(start)
            return file.read(size)
    except OSError:
        return None


def forget(names: Sequence[str], bundle: str, folder: str | None, *, dask_worker: Worker) -> bool:
    """Remove files that were fetched, and the folder of a member that is done."""
    for name in names:
        with suppress(OSError):
            (_bundles(dask_worker) / bundle / name).unlink(missing_ok=True)
    if folder is not None:
        shutil.rmtree(_bundles(dask_worker) / bundle / folder, ignore_errors=True)
    return True


def sees_project(task: MemberTask) -> bool:
    """Tell whether the project's folder of whoever asked is here: the same, not one of the same name."""
    try:
        return task.folder.topic.read_text(encoding="utf-8") == task.topic
    except (OSError, ValueError):
        return False


def _bundles(worker: Worker) -> Path:
    return Path(worker.local_directory) / BUNDLES


def _in_bundle(task: MemberTask, bundles: Path) -> MemberTask | None:
    """Return the task as it is in the unpacked bundle, None where that is not here yet."""
    if task.bundle is None or not (bundles / task.bundle).is_dir():
        return None
    root = bundles / task.bundle
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    file = root / task.project.file.relative_to(task.root)
    project = replace(task.project, file=file, environ={**ours, **dict(task.environment)})
    return replace(task, root=root, project=project)


def _other_versions(task: MemberTask) -> MemberState | None:
    """Return what is to be said where this worker would make other rows than whoever asked."""
    here = {name: str(value) for name, value in installed_versions().items()}
    wrong = [
        f"{name} {here.get(name, 'missing')} instead of {wanted}"
        for name, wanted in task.versions
        if name in MUST_AGREE and here.get(name) != wanted
    ]
    if not wrong:
        return None
    return MemberState(
        "failed",
        message=f"The worker {get_worker().address} has other versions: {', '.join(wrong)}.",
        to_fix="install the same versions for all workers",
        attempts=task.attempt,
    )


def _teller(worker: Worker, task: MemberTask) -> Callable[..., None]:
    def tell(run_id: str | None = None, year: int | None = None, stage: str | None = None) -> None:
        message = {"key": task.member.key, "attempt": task.attempt, "run_id": run_id, "year": year, "stage": stage}
        worker.log_event(task.topic, message)

    return tell


def _tell_event(tell: Callable[..., None], event: Event) -> None:
    if isinstance(event, StageStarted):
        tell(event.run_id, event.year, event.stage)
    elif isinstance(event, RunStarted):
        tell(event.run_id)


def _forget_modules(task: MemberTask, bundles: Path) -> None:
    """Forget the project's own modules when another sweep begins: its hooks may have changed since."""
    global _swept
    if _swept == task.topic:
        return
    _swept = task.topic
    places = (task.root, bundles)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is None or "site-packages" in file or name.partition(".")[0] in ("orchestrator", "__main__"):
            continue
        if any(Path(file).is_relative_to(place) for place in places):
            del sys.modules[name]


def _left(task: MemberTask, state: MemberState) -> tuple[tuple[str, int], ...]:
    """Return what a member left here that belongs to whoever asked: names and sizes."""
    key, folder = task.member.key, task.folder
    found = [*folder.results.glob(f"*/*/*/{key}.parquet")] if state.status == "done" else []
    if task.databases == "all" or (task.databases == "failed" and state.status == "failed"):
        found += [file for file in task.database.parent.glob(f"{task.database.name}*") if ".lock" not in file.name]
    if state.run_id is not None:
        found += (task.root / "var" / "runs" / state.run_id).glob("events.jsonl")
    return tuple((file.relative_to(task.root).as_posix(), file.stat().st_size) for file in found if file.is_file())


def _member_runner() -> MemberRunner:
    global _runner
    if _runner is None:
        _runner = MemberRunner()
    return _runner
