"""Write the events of each run as JSON lines."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from orchestrator.core.events import Event, RunFinished, RunStarted, as_record
from orchestrator.core.permissions import described_owner, how_to_write, make_folder, nearest_there, opener, unwritable
from orchestrator.core.text import ascii_json

logger = logging.getLogger(__name__)


class JsonLinesListener:
    """Writes ``<runs_dir>/<run id>/events.jsonl`` from RunStarted to RunFinished, a line an event, unbuffered.

    Several runs may go on at once, each in a thread of its own. Where a file cannot be written, a warning is logged,
    and the rest of that run is left out.
    """

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._files: dict[str, TextIO] = {}

    def __call__(self, event: Event) -> None:
        """Write one event; those outside a run are not written."""
        if event.run_id is None:
            return
        place = self._runs_dir / event.run_id / "events.jsonl"
        try:
            self._write(event, event.run_id, place)
        except OSError as error:
            begun = self._files.pop(event.run_id, None)
            if begun is not None:
                with suppress(OSError):
                    begun.close()
            kept = "it has no events" if begun is None else "its later events are missing"
            reason = error.strerror or error
            logger.warning("%s cannot be written: %s; the run goes on, but %s%s", place, reason, kept, _remedy(place))

    def _write(self, event: Event, run_id: str, place: Path) -> None:
        if isinstance(event, RunStarted):
            make_folder(place.parent)
            self._files[run_id] = open(place, "a", encoding="utf-8", buffering=1, opener=opener)  # noqa: SIM115
        found = self._files.get(run_id)
        if found is None:
            return
        found.write(ascii_json(as_record(event)) + "\n")
        if isinstance(event, RunFinished):
            found.close()
            del self._files[run_id]


def _remedy(place: Path) -> str:
    """Say how the nearest folder that is there comes to be writable, where that is what is missing."""
    there = nearest_there(place)
    denied = unwritable([there])
    return f". {described_owner(there)}.\nTo fix: {how_to_write(denied)}" if denied else ""
