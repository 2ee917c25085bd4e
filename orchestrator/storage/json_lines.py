"""Write the events of each run as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

from orchestrator.core.events import Event, RunFinished, RunStarted, as_record


class JsonLinesListener:
    """Writes ``<runs_dir>/<run id>/events.jsonl`` from RunStarted to RunFinished, a line an event, unbuffered."""

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._file: TextIO | None = None

    def __call__(self, event: Event) -> None:
        """Write one event; those outside a run are not written."""
        if isinstance(event, RunStarted):
            folder = self._runs_dir / event.run_id
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / "events.jsonl").open("a", encoding="utf-8", buffering=1)
        if self._file is None:
            return
        self._file.write(json.dumps(as_record(event), default=str) + "\n")
        if isinstance(event, RunFinished):
            self._file.close()
            self._file = None
