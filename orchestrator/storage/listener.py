"""Keep the history of runs while they run, in a thread of its own.

A slow store slows no run, and a broken one stops none.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.clocks import Deadline
from orchestrator.core.events import Event, RunFinished, RunStarted

if TYPE_CHECKING:
    from orchestrator.storage.base import StorageBackend
    from orchestrator.storage.models import Base
    from orchestrator.storage.recorder import RunRecorder

logger = logging.getLogger(__name__)

SECONDS_TO_FINISH = 20.0
SECONDS_BETWEEN_TRIES = 2.0


class RunHistoryListener:
    """Writes every run to the store at ``url``; ``runs_dir`` holds their JSON lines, which are what is left else.

    Several runs may go on at once, each in a thread of its own.
    What could not be written is tried again, and at the end of a run once more. If that fails, or takes longer than
    ``SECONDS_TO_FINISH``, it is said once, as a warning of the log.
    """

    def __init__(self, url: str, runs_dir: Path) -> None:
        self._url = url
        self._runs_dir = runs_dir
        self._writers: dict[str, _Writer] = {}

    def __call__(self, event: Event) -> None:
        """Hand an event to the thread that writes."""
        if isinstance(event, RunStarted):
            self._writers[event.run_id] = _Writer(self._url)
            self._writers[event.run_id].start()
        writer = None if event.run_id is None else self._writers.get(event.run_id)
        if writer is None:
            return
        writer.events.put(event)
        if isinstance(event, RunFinished):
            del self._writers[event.run_id]
            self._finish(writer, self._runs_dir / event.run_id)

    def _finish(self, writer: _Writer, folder: Path) -> None:
        writer.join(SECONDS_TO_FINISH)
        if writer.is_alive():
            reason = f"It takes longer than {SECONDS_TO_FINISH:g} seconds to write it."
        elif writer.error is not None:
            reason = str(writer.error)
        else:
            return
        missing = "This run is missing from the run history, or incomplete there."
        if not os.path.isfile(folder / "events.jsonl"):  # noqa: PTH113 - Path.is_file raises in a folder that is closed
            logger.warning("%s %s", missing, reason)
            return
        logger.warning(
            "%s %s\nIts events are kept in %s: once the problem is fixed, `orchestrator runs import` imports it.",
            missing,
            reason,
            folder,
        )


class _Writer(threading.Thread):
    """Writes one run; ``error`` is why something of it is not written, None when all of it is."""

    def __init__(self, url: str) -> None:
        super().__init__(name="run history", daemon=True)
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.error: Exception | None = None
        self._url = url
        self._backend: StorageBackend | None = None
        self._recorder: RunRecorder | None = None
        self._unwritten: dict[int, Base] = {}
        self._began = False
        self._next_try = Deadline.after(0)

    def run(self) -> None:
        """Write until the run is finished."""
        try:
            self._write_all()
        except Exception as error:  # noqa: BLE001 - a watcher: whatever it is, the run goes on without a history
            self.error = error
        finally:
            self._close()

    def _write_all(self) -> None:
        from orchestrator.storage.recorder import RECORDED, RunRecorder  # SQLAlchemy: while dbt starts

        recorder = self._recorder = RunRecorder()
        ended = False
        while not ended:
            for event in self._waiting():
                ended = ended or isinstance(event, RunFinished)
                if isinstance(event, RECORDED):
                    self._unwritten |= {id(record): record for record in recorder.take(event)}
            if self._unwritten and (ended or self.error is None or self._next_try.expired()):
                self._write()

    def _waiting(self) -> list[Event]:
        """Return all events that wait, at least one."""
        found = [self.events.get()]
        while not self.events.empty():
            found.append(self.events.get())
        return found

    def _write(self) -> None:
        try:
            if self._backend is None:
                from orchestrator.storage.factory import create_storage_backend

                self._backend = create_storage_backend(self._url)
            record = None if self._recorder is None else self._recorder.record()
            begun = record.run.id if self._began and record is not None else None
            if not self._backend.runs.save(list(self._unwritten.values()), of=begun) and record is not None:
                self._backend.runs.replace(record)  # somebody took the history away meanwhile
            self._began = True
        except Exception as error:  # noqa: BLE001 - a watcher: whatever it is, the run goes on without a history
            self.error = error
            self._close()
            self._next_try = Deadline.after(SECONDS_BETWEEN_TRIES)
        else:
            self.error = None
            self._unwritten.clear()

    def _close(self) -> None:
        if self._backend is not None:
            self._backend.close()
            self._backend = None
