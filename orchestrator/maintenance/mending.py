"""Mend what is safe to mend without asking: notes and folders of processes that are gone, dbt's leftover relations."""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestrator.config import backups_dir
from orchestrator.dbt_runner.catalog import DuckDBReader, RelationName
from orchestrator.events import Emit
from orchestrator.maintenance.backup import copy_all
from orchestrator.maintenance.database_check import FoundRelation, relations_of, without_rows
from orchestrator.maintenance.surroundings import dead_folders
from orchestrator.maintenance.workspace import DUCKDB, WorkspaceDatabase, shown_name
from orchestrator.pipeline_orchestrator import PipelineOrchestrator


def mend(orchestrator: PipelineOrchestrator, *, emit: Emit) -> tuple[str, ...]:
    """Remove what nobody needs, and say each thing that was done; where tables are touched, after a backup.

    Raises:
        DatabaseLockedError: a run, or another program, has the database.
        DatabaseError: it cannot be read.
    """
    done = []
    for folder in dead_folders(orchestrator.runner.settings.cache_dir):
        shutil.rmtree(folder, ignore_errors=True)
        done.append(f"removed {folder}, left by a dbt process that is gone")
    mutex, timeout = orchestrator.mutex, orchestrator.config.self_healing.lock_timeout_seconds
    note = mutex.abandoned_note()
    if note is not None:
        with mutex.held(timeout):  # its release removes the note
            done.append(f"removed {mutex.note_path}, left by a process that is gone")
    facts = orchestrator.runner.known_facts() or orchestrator.runner.facts()
    path = facts.database_path
    if path is None or not path.is_file():
        return tuple(done)
    orchestrator.runner.release()
    with mutex.held(timeout):
        with DuckDBReader(path) as reader:
            leftovers = without_rows(relations_of(reader), facts)
        if leftovers:
            done += _drop(orchestrator, path, leftovers, emit)
    return tuple(done)


def _drop(orchestrator: PipelineOrchestrator, path: Path, leftovers: list[FoundRelation], emit: Emit) -> list[str]:
    root = orchestrator.config.root
    backups_dir(root).mkdir(parents=True, exist_ok=True)
    database = WorkspaceDatabase(shown_name(path, root), DUCKDB, path)
    backup = copy_all([database], root, reason="before doctor --fix", emit=emit)
    try:
        statements = [f"drop {one.kind} if exists {_local(one.name)} cascade" for one in leftovers]
        orchestrator.runner.execute(statements)
    finally:
        orchestrator.runner.release()
    done = [f"made backup {backup.name}"]
    return done + [f"dropped {one.kind} {one.name.name}, left by a dbt command that was killed" for one in leftovers]


def _local(name: RelationName) -> str:
    return RelationName("", name.schema, name.name).quoted()
