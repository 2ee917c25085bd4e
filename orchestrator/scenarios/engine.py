"""Hand members to workers, try again what failed, and stop all of it when asked."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from distributed.scheduler import KilledWorker

from orchestrator.core.clocks import Deadline, utc_now
from orchestrator.core.errors import SweepError
from orchestrator.scenarios import worker
from orchestrator.scenarios.cluster import Cluster
from orchestrator.scenarios.happenings import MemberEnded, MemberReached, Tell, WorkersSeen
from orchestrator.scenarios.shipping import Shipping, WorkerLostError
from orchestrator.scenarios.state import MemberState
from orchestrator.scenarios.task import MemberReport, MemberTask

if TYPE_CHECKING:
    from distributed import Future

SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_BETWEEN_COUNTS = 2.0
SECONDS_WITHOUT_WORKERS = 120.0
SECONDS_TO_STOP = 3.0
SECONDS_TO_ASK = 0.5
SECONDS_FOR_RESULT = 10.0
MOST_NOT_SENT = 10

Take = Callable[[MemberTask, MemberReport], MemberState]
"""Takes over what a worker reports of a member; returns the state as it is kept."""


class SweepEngine:
    """Runs the members of one sweep on a cluster, once.

    ``take`` is handed each report, ``tell`` what happens, and ``stopped`` is asked whether to stop. A member that
    failed, or whose worker died, is tried ``retries`` times more.
    """

    def __init__(
        self,
        cluster: Cluster,
        shipping: Shipping,
        *,
        workers: int,
        retries: int,
        take: Take,
        tell: Tell,
        stopped: Callable[[], bool],
    ) -> None:
        self._cluster = cluster
        self._shipping = shipping
        self._workers = workers
        self._retries = retries
        self._take = take
        self._tell = tell
        self._stopped = stopped
        self._news: queue.SimpleQueue[Future | Mapping[str, object]] = queue.SimpleQueue()
        self._running: dict[str, tuple[MemberTask, Future]] = {}
        self._begun: set[tuple[str, int]] = set()
        self._stopping = False
        self._not_sent = 0
        self._next_count = Deadline.after(0)
        self._patience = Deadline.after(SECONDS_WITHOUT_WORKERS)

    def run(self, tasks: Sequence[MemberTask]) -> None:
        """Run the members; return when all of them have ended, or stopped.

        Raises:
            SweepError: the scheduler is gone, or has no workers for too long.
        """
        if not tasks:
            return
        topic = tasks[0].topic
        self._cluster.client.subscribe_topic(topic, lambda event: self._news.put(event[1]))
        try:
            if self._cluster.local is None:
                tasks = self._shipping.for_workers(tasks)
            for priority, task in enumerate(tasks):
                self._submit(task, -priority)
            while self._running:
                self._look()
        except BaseException:
            self._stop()
            raise

    def _submit(self, task: MemberTask, priority: int = 0) -> None:
        future = self._cluster.client.submit(
            worker.run_member,
            task,
            key=f"{task.member.key}-{uuid4().hex[:8]}",
            pure=False,
            retries=0,
            priority=priority,
        )
        self._running[future.key] = (task, future)
        future.add_done_callback(self._news.put)

    def _look(self) -> None:
        try:
            news = self._news.get(timeout=SECONDS_BETWEEN_LOOKS)
        except queue.Empty:
            news = None
        if isinstance(news, Mapping):
            self._tell_reached(news)
        elif news is not None:
            self._ended(news)
        if not self._stopping and self._stopped():
            self._stop()
        elif self._next_count.expired():
            self._count()

    def _tell_reached(self, news: Mapping[str, object]) -> None:
        key, attempt, year = news.get("key"), news.get("attempt"), news.get("year")
        stage, run_id = news.get("stage"), news.get("run_id")
        if isinstance(key, str) and isinstance(attempt, int):
            self._begun.add((key, attempt))
            self._tell(
                MemberReached(
                    key,
                    attempt,
                    year if isinstance(year, int) else None,
                    stage if isinstance(stage, str) else None,
                    run_id if isinstance(run_id, str) else None,
                )
            )

    def _ended(self, future: Future) -> None:
        task, _ = self._running.pop(future.key, (None, None))
        if task is None:
            return
        if future.status == "cancelled":
            raise SweepError(
                "The connection to the scheduler was lost.",
                to_fix="start the scheduler again, and run the same command again: what is finished is kept",
            )
        report = _report(task, future)
        if report.lost and not self._has_begun(task) and not self._stopping:
            self._submit(task)  # it waited for a worker that died over another member
            return
        if report.needs_project:
            self._send_project(task, report.worker)
            return
        report = self._fetched(task, report)
        state = self._take(task, report)
        again = state.status == "failed" and task.attempt <= self._retries and not self._stopping
        self._tell(MemberEnded(task.member.key, state, again))
        future.release()
        if again:
            self._submit(replace(task, attempt=task.attempt + 1))

    def _send_project(self, task: MemberTask, address: str) -> None:
        try:
            self._shipping.send(address)
        except WorkerLostError as error:  # another worker takes the member
            self._not_sent += 1
            if self._not_sent > MOST_NOT_SENT:
                raise SweepError(f"The project cannot be sent to the workers: {error}.") from error
        self._submit(self._shipping.with_bundle(task))

    def _fetched(self, task: MemberTask, report: MemberReport) -> MemberReport:
        """Return a report whose files are here; one of a failure where they cannot be fetched."""
        if not report.files:
            return report
        try:
            self._shipping.fetch(task, report)
        except (WorkerLostError, OSError) as error:
            return _failed(task, f"What the member left on its worker could not be fetched: {error}.")
        return report

    def _has_begun(self, task: MemberTask) -> bool:
        return (task.member.key, task.attempt) in self._begun

    def _count(self) -> None:
        """See how many workers there are; the sweep ends where there are none for long."""
        self._next_count = Deadline.after(SECONDS_BETWEEN_COUNTS)
        memory = self._cluster.ask(worker.memory, timeout=SECONDS_BETWEEN_COUNTS)
        if memory is not None:
            self._tell(WorkersSeen(len(memory), sum(one for one in memory.values() if isinstance(one, int))))
        if memory:
            self._patience = Deadline.after(SECONDS_WITHOUT_WORKERS)
        elif self._patience.expired():
            raise SweepError(
                f"The scheduler had no worker for {SECONDS_WITHOUT_WORKERS:g} seconds.",
                to_fix="start workers, and run the same command again: what is finished is kept",
            )
        self._cluster.keep_up(self._workers)

    def _stop(self) -> None:
        """Stop the members that run, and take over how far they came; nothing is waited for longer than a little."""
        self._stopping = True
        patience = Deadline.after(SECONDS_TO_STOP)
        waiting = [key for key, (task, _) in self._running.items() if not self._has_begun(task)]
        for key in waiting:
            self._cancelled(*self._running.pop(key))
        topics = {task.topic for task, _ in self._running.values()}
        for topic in topics:
            self._cluster.ask(worker.stop, topic, timeout=SECONDS_TO_ASK)
        while self._running and not patience.expired():
            try:
                news = self._news.get(timeout=SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                continue
            if not isinstance(news, Mapping):
                self._ended(news)
        for task, future in self._running.values():
            self._cancelled(task, future)
        self._running.clear()

    def _cancelled(self, task: MemberTask, future: Future) -> None:
        future.cancel()
        state = MemberState("cancelled", finished_at=utc_now().isoformat(), attempts=task.attempt)
        report = MemberReport(task.member.key, state, "")
        self._tell(MemberEnded(task.member.key, self._take(task, report)))


def _report(task: MemberTask, future: Future) -> MemberReport:
    """Return what a worker reports of a member, or what is to be said where it cannot."""
    if future.status == "finished":
        try:
            found = future.result(timeout=SECONDS_FOR_RESULT)
            assert isinstance(found, MemberReport)
            return found
        except (OSError, TimeoutError, CancelledError):
            return _lost(task, "The worker was lost just after the member had ended.")
    error = future.exception(timeout=SECONDS_FOR_RESULT)
    if isinstance(error, KilledWorker):
        return _lost(task, "The process of the worker ended in the middle of the member: it was killed, or crashed.")
    return _failed(task, f"Unexpected {type(error).__name__} on the worker: {error}")


def _lost(task: MemberTask, message: str) -> MemberReport:
    return replace(_failed(task, message), lost=True)


def _failed(task: MemberTask, message: str) -> MemberReport:
    now = utc_now().isoformat()
    fix = "run the same command again: what is finished is kept"
    state = MemberState("failed", finished_at=now, message=message, to_fix=fix, attempts=task.attempt)
    return MemberReport(task.member.key, state, "")
