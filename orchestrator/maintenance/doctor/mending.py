"""Mend what is safe to mend without asking: notes and folders of processes that are gone, dbt's leftover relations."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestrator.config.paths import backups_dir, in_project
from orchestrator.core.errors import DatabaseLockedError, OrchestratorError
from orchestrator.core.events import Emit
from orchestrator.core.permissions import make_folder
from orchestrator.database.duckdb_file import DuckDBReader
from orchestrator.database.names import RelationName
from orchestrator.ledger.places import in_all_places
from orchestrator.maintenance.backup.backup import copy_all
from orchestrator.maintenance.backup.workspace import DUCKDB, WorkspaceDatabase
from orchestrator.maintenance.doctor.environment_check import dead_folders
from orchestrator.maintenance.doctor.leftovers import FoundRelation, relations_of, undecided, without_rows
from orchestrator.pipeline.orchestrator import PipelineOrchestrator


@dataclass(frozen=True)
class Mended:
    """The outcome of mending: what was ``done``, and what was ``left`` alone and why."""

    done: tuple[str, ...]
    left: tuple[str, ...]


def mend(orchestrator: PipelineOrchestrator, *, emit: Emit) -> Mended:
    """Remove what nobody needs, and say each thing that was done; where tables are touched, after a backup.

    What cannot be mended keeps nothing else from being mended.

    Raises:
        DatabaseLockedError: a run, or another program, has the database.
    """
    done: list[str] = []
    left: list[str] = []
    for what, work in (("folders", _folders), ("notes of locks", _note), ("tables", partial(_relations, emit=emit))):
        try:
            mended = work(orchestrator)
            done += mended.done
            left += mended.left
        except DatabaseLockedError:
            raise
        except (OrchestratorError, OSError) as error:
            reason = error.message if isinstance(error, OrchestratorError) else str(error)
            left.append(f"leftover {what}: {reason}")
    return Mended(tuple(done), tuple(left))


def _folders(orchestrator: PipelineOrchestrator) -> Mended:
    done = []
    for folder in dead_folders(orchestrator.runner.settings.cache_dir):
        shutil.rmtree(folder)
        done.append(f"removed {folder}, left by a dbt process that is gone")
    return Mended(tuple(done), ())


def _note(orchestrator: PipelineOrchestrator) -> Mended:
    mutex = orchestrator.mutex
    if mutex.abandoned_note() is None:
        return Mended((), ())
    with mutex.held(orchestrator.config.self_healing.lock_timeout_seconds):  # its release removes the note
        return Mended((f"removed {mutex.note.path}, left by a process that is gone",), ())


def _relations(orchestrator: PipelineOrchestrator, emit: Emit) -> Mended:
    facts = orchestrator.runner.current_facts()
    path = facts.database_path
    if path is None or not path.is_file():
        return Mended((), ())
    orchestrator.runner.release()
    with orchestrator.mutex.held(orchestrator.config.self_healing.lock_timeout_seconds):
        with DuckDBReader(path) as reader:
            relations, facts = relations_of(reader), in_all_places(reader, facts)
        leftovers = without_rows(relations, facts)
        done = _drop(orchestrator, path, leftovers, emit) if leftovers else ()
        return Mended(done, undecided(relations, facts))


def _drop(
    orchestrator: PipelineOrchestrator, path: Path, leftovers: list[FoundRelation], emit: Emit
) -> tuple[str, ...]:
    root = orchestrator.config.root
    make_folder(backups_dir(root))
    database = WorkspaceDatabase(in_project(path, root), DUCKDB, path)
    backup = copy_all([database], root, reason="before doctor --fix", emit=emit)
    try:
        statements = [f"drop {one.kind} if exists {_local(one.name)} cascade" for one in leftovers]
        orchestrator.runner.execute(statements)
    finally:
        orchestrator.runner.release()
    dropped = (f"dropped {one.kind} {one.name.name}, left by a dbt command that was killed" for one in leftovers)
    return (f"made backup {backup.name}", *dropped)


def _local(name: RelationName) -> str:
    return RelationName("", name.schema, name.name).quoted()
