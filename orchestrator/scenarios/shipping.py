"""Send the project to workers that do not see it, and fetch what their members left, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from orchestrator.core.errors import SweepError
from orchestrator.core.permissions import make_folder, opener
from orchestrator.scenarios import worker
from orchestrator.scenarios.bundle import Bundle
from orchestrator.scenarios.cluster import Cluster
from orchestrator.scenarios.tables import remove_tables
from orchestrator.scenarios.task import MemberReport, MemberTask

PIECE = 4 * 1024 * 1024  # bytes of a message
SECONDS_FOR_A_PIECE = 60.0


class WorkerLostError(Exception):
    """Signals that a worker does not answer any more."""


class Shipping:
    """What goes to one cluster's workers and comes back; ``make_bundle`` is called when the first of them needs it."""

    def __init__(self, cluster: Cluster, make_bundle: Callable[[], Bundle]) -> None:
        self._cluster = cluster
        self._make_bundle = make_bundle
        self._bundle: Bundle | None = None

    def for_workers(self, tasks: Sequence[MemberTask]) -> list[MemberTask]:
        """Return the tasks with the project's bundle where some worker needs that; they get it at once.

        Raises:
            SweepError: the project cannot be packed, or a worker cannot keep it.
        """
        found = self._cluster.ask(worker.sees_project, tasks[0], timeout=SECONDS_FOR_A_PIECE) or {}
        blind = [address for address, sees in found.items() if not sees]
        for address in blind:
            with suppress(WorkerLostError):  # it gets it when it comes back
                self.send(address)
        return [self.with_bundle(task) for task in tasks] if blind else list(tasks)

    def with_bundle(self, task: MemberTask) -> MemberTask:
        """Return a task that names the project's bundle."""
        self._bundle = self._bundle or self._make_bundle()
        return replace(task, bundle=self._bundle.digest)

    def send(self, address: str) -> None:
        """Send the project to a worker.

        Raises:
            WorkerLostError: it does not answer.
            SweepError: the project cannot be packed, or the worker cannot keep it.
        """
        self._bundle = bundle = self._bundle or self._make_bundle()
        for start in range(0, len(bundle.content), PIECE):
            piece = bundle.content[start : start + PIECE]
            refused = self._ask(address, worker.receive, bundle.digest, start, piece, len(bundle.content))
            if refused is not None:
                raise SweepError(f"The worker {address} cannot keep the project: {refused}.")

    def fetch(self, task: MemberTask, report: MemberReport) -> None:
        """Fetch the files that a member left on another machine, each all or nothing.

        Raises:
            WorkerLostError: it does not answer, or a file is not what it was.
            OSError: a file cannot be written here.
        """
        for name, size in report.files:
            place = _place(task, report, name)
            make_folder(place.parent)
            part = place.with_name(f".{place.name}.part")
            try:
                with open(part, "wb", opener=opener) as file:
                    for start in range(0, size, PIECE):
                        found = self._ask(report.worker, worker.piece, name, task.bundle, start, PIECE)
                        if not isinstance(found, bytes) or not found:
                            raise WorkerLostError(f"{name} cannot be read there any more")
                        file.write(found)
                if part.stat().st_size != size:
                    raise WorkerLostError(f"{name} has changed")
                part.replace(place)
            finally:
                part.unlink(missing_ok=True)
        if report.state.status == "done":
            remove_tables(task.folder, task.member, but=[_place(task, report, name) for name, _ in report.files])
        member = task.folder.member(task.member.key).path.relative_to(task.root)
        names = [name for name, _ in report.files]
        gone = str(member) if report.state.status == "done" else None
        self._ask(report.worker, worker.forget, names, task.bundle, gone)

    def _ask(self, address: str, function: Callable[..., object], *args: object) -> object:
        found = self._cluster.ask(function, *args, timeout=SECONDS_FOR_A_PIECE, workers=[address])
        if not found or address not in found:
            raise WorkerLostError(f"the worker {address} does not answer")
        return found[address]


def _place(task: MemberTask, report: MemberReport, name: str) -> Path:
    """Return the place of a file of a member here; a name that leads elsewhere is refused, for a worker sent it."""
    parts = PurePosixPath(name).parts
    folder, root = task.folder, task.root
    run = ("var", "runs", report.state.run_id or "")
    own = [
        (*folder.results.relative_to(root).parts,),
        (*folder.member(task.member.key).path.relative_to(root).parts,),
        run,
    ]
    good = not name.startswith("/") and ".." not in parts and any(parts[: len(one)] == one for one in own)
    if not good:
        raise WorkerLostError(f"the worker names a file that is not of this member: {name!r}")
    return root / name
