"""Bring runs into the history from their JSON lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.errors import (
    RunNotFoundError,
    StorageCorruptionError,
    StorageError,
    StorageFullError,
    StoragePermissionError,
    StorageUnavailableError,
    StorageVersionError,
)
from orchestrator.core.events import from_record
from orchestrator.core.untrusted import is_file_name, parsed_json, read_limited
from orchestrator.storage.base import ENDED, RunRecord, StorageBackend
from orchestrator.storage.crashes import status_of
from orchestrator.storage.recorder import RunRecorder

EVENTS = "events.jsonl"
MOST_BYTES = 256 * 1024 * 1024
MOST_OF_A_LINE = 8 * 1024 * 1024
NAME_SHOWN = 80
UNUSABLE = (  # what is wrong with the history itself, and so with every import
    StorageCorruptionError,
    StorageFullError,
    StoragePermissionError,
    StorageUnavailableError,
    StorageVersionError,
)
IMPORTED, KNOWN, GOING_ON, UNREADABLE = "imported", "already there", "still running", "unreadable"


@dataclass(frozen=True)
class ImportedRun:
    """The outcome for one run; ``detail`` says why it was not imported, where that is not clear."""

    run_id: str
    outcome: str
    detail: str | None = None


def import_runs(backend: StorageBackend, runs_dir: Path, run_ids: Sequence[str] = ()) -> tuple[ImportedRun, ...]:
    """Import runs from ``<runs_dir>/<run id>/events.jsonl``, by default all of them; oldest names first.

    A run that the history holds with all its steps and states is left alone, any other is written anew as a whole.

    Raises:
        RunNotFoundError: a run of ``run_ids`` has no JSON lines.
        StorageError: the history cannot be written.
    """
    wanted = [runs_dir / run_id / EVENTS for run_id in run_ids] or sorted(runs_dir.glob(f"*/{EVENTS}"))
    missing = [file for run_id, file in zip(run_ids, wanted, strict=False) if not _is_there(run_id, file)]
    if missing:
        raise RunNotFoundError(
            f"There are no events of run {missing[0].parent.name[:NAME_SHOWN]} in {runs_dir}.",
            to_fix=f"name one of the folders in {runs_dir}",
        )
    return tuple(_import(backend, file) for file in wanted)


def _is_there(run_id: str, file: Path) -> bool:
    return is_file_name(run_id) and file.is_file()


def _import(backend: StorageBackend, file: Path) -> ImportedRun:
    run_id = file.parent.name
    try:
        record = read_run(file)
        if record.run.id != run_id:
            return ImportedRun(run_id, UNREADABLE, f"{file} is of another run: {record.run.id!r}")
        if record.run.status not in ENDED and status_of(record.run, record.session) == record.run.status:
            return ImportedRun(run_id, GOING_ON)
        if _is_known(backend, record):
            return ImportedRun(run_id, KNOWN)
        backend.runs.replace(record)
    except UNUSABLE:
        raise
    except (StorageError, ArithmeticError, ValueError, RecursionError) as error:
        return ImportedRun(run_id, UNREADABLE, error.message if isinstance(error, StorageError) else f"{file}: {error}")
    return ImportedRun(run_id, IMPORTED)


def read_run(file: Path) -> RunRecord:
    """Read the record of a run from its JSON lines; a last line that was cut off is left out.

    Raises:
        StorageError: the file cannot be read, or is not of a run.
    """
    recorder = RunRecorder()
    try:
        lines = read_limited(file, MOST_BYTES).decode("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise StorageError(f"{file} is not imported: {error}.") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(line) > MOST_OF_A_LINE:
            raise StorageError(f"{file}, line {number}, is longer than {MOST_OF_A_LINE:,} characters.")
        try:
            found = parsed_json(line)
            event = from_record(found) if isinstance(found, dict) else None
        except ValueError as error:
            if number == len(lines) and isinstance(error, json.JSONDecodeError):
                break  # it was cut off
            raise StorageError(f"{file}, line {number}, is not an event of this version: {error}") from error
        if event is not None:
            recorder.take(event)
    record = recorder.record()
    if record is None:
        raise StorageError(f"{file} does not begin with the start of a run.")
    return record


def _is_known(backend: StorageBackend, record: RunRecord) -> bool:
    stored = backend.runs.get(record.run.id)
    if stored is None or stored.status != record.run.status:
        return False
    return _content(backend.record(stored)) == _content(record)


def _content(record: RunRecord) -> object:
    steps = [(step.number, step.name, step.status, step.seconds) for step in record.steps]
    return steps, [state.node_id for state in record.states], sorted(output.key for output in record.outputs)
