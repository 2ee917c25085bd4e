"""Write the events of each run as JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from orchestrator.core.events import Event, RunFinished, RunStarted, as_record
from orchestrator.core.permissions import make_folder, opener
from orchestrator.core.text import ascii_json


class JsonLinesListener:
    """Writes ``<runs_dir>/<run id>/events.jsonl`` from RunStarted to RunFinished, a line an event, unbuffered.

    Several runs may go on at once, each in a thread of its own.
    """

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._files: dict[str, TextIO] = {}

    def __call__(self, event: Event) -> None:
        """Write one event; those outside a run are not written."""
        if isinstance(event, RunStarted):
            folder = self._runs_dir / event.run_id
            make_folder(folder)
            file = open(folder / "events.jsonl", "a", encoding="utf-8", buffering=1, opener=opener)  # noqa: SIM115
            self._files[event.run_id] = file
        found = None if event.run_id is None else self._files.get(event.run_id)
        if found is None:
            return
        found.write(ascii_json(as_record(event)) + "\n")
        if isinstance(event, RunFinished):
            found.close()
            del self._files[event.run_id]
