"""Move a database aside and build a new one; nothing is ever deleted."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import ConfigurationError, DatabaseError, DatabaseLockedError, DatabasePermissionError
from orchestrator.core.events import DatabaseSetAside, Emit, ignore
from orchestrator.core.files import flush_folder
from orchestrator.database.errors import folder_error, known_database_error, refuse_other_database
from orchestrator.pipeline.orchestrator import PipelineOrchestrator
from orchestrator.self_healing.evidence import Missing
from orchestrator.self_healing.healing_plan import HealingPlan, make_plan
from orchestrator.self_healing.initialization_state import InitializationResult, TableFinding


@dataclass(frozen=True)
class Recreation:
    """The outcome of :func:`recreate_database`; ``moved_to`` is None where there was no file."""

    database: Path
    moved_to: Path | None
    initialization: InitializationResult


def recreate_database(orchestrator: PipelineOrchestrator, *, emit: Emit = ignore) -> Recreation:
    """Move the database of an orchestrator aside and heal the empty place, under one hold of the mutex.

    Raises:
        ConfigurationError: the database is no file.
        DatabaseLockedError: somebody holds the mutex, or has the file open.
        DatabaseError: it is a folder, the file cannot be moved, or the new one cannot be built.
        InitializationError: the new one cannot be built; the old one stays where it was moved.
    """
    database = database_file(orchestrator)
    with orchestrator.mutex.held(orchestrator.config.self_healing.lock_timeout_seconds):
        orchestrator.runner.release()
        moved_to = set_aside(database)
        if moved_to is not None:
            emit(DatabaseSetAside(at=utc_now(), database=str(database), moved_to=str(moved_to)))
        return Recreation(database, moved_to, orchestrator.initialize())


def database_file(orchestrator: PipelineOrchestrator) -> Path:
    """Return the file that an orchestrator works on; may need a parse of the project.

    Raises:
        ConfigurationError: it works on a server.
        DatabaseError: a folder or a device has its name, or another program's database is in it.
    """
    database = orchestrator.config.database_path or _file_of_profile(orchestrator)
    if database.is_dir():
        raise folder_error(database)
    refuse_other_database(database)
    return database


def _file_of_profile(orchestrator: PipelineOrchestrator) -> Path:
    facts = orchestrator.runner.current_facts()
    if facts.database_path is None:
        raise ConfigurationError(
            f"Profile {facts.profile!r} with target {facts.target!r} names no database file, so there is none to "
            "move aside.",
            to_fix="recreate the database with the tools of its server",
        )
    return facts.database_path


def empty_plan(orchestrator: PipelineOrchestrator) -> HealingPlan:
    """Return what would be built where no database is; nothing is written."""
    facts = orchestrator.runner.current_facts()
    checker = orchestrator.initializer.checker(facts)
    required, facts = checker.required, checker.facts
    findings = [TableFinding(table, Missing()) for table in required]
    return make_plan(findings, required, facts, lambda node: False, lambda node: False)


def set_aside(database: Path) -> Path | None:
    """Rename a database file to ``<name>.corrupt-<UTC time>`` and its ``.wal`` with it; return the new path.

    The caller holds the mutex. None where there is neither file. A crash in between loses nothing: the ``.wal``
    gets its new name as a second one before the database is renamed, so both are always whole under one name.

    Raises:
        DatabaseLockedError: another process has the file open.
        DatabasePermissionError: the file may not be opened, or its folder not be written.
        DatabaseError: it is a folder.
    """
    file = database.resolve()
    if file.is_dir():
        raise folder_error(database)
    logs = [log for log in dict.fromkeys((_log_of(file), _log_of(database))) if log.exists()]
    if not file.exists() and not logs:
        return None
    aside = _free_name(file)
    try:
        _refuse_open(file)
        for log in logs:
            _give_second_name(log, _log_of(aside))
        if file.exists():
            file.rename(aside)
        for log in logs:
            log.unlink(missing_ok=True)
        flush_folder(file.parent)
    except PermissionError as error:
        raise DatabasePermissionError(
            f"The database {file} cannot be moved aside: {error.strerror} ({error.filename}).",
            to_fix="give this user read and write permission on the file and its folder",
        ) from error
    except OSError as error:
        if isinstance(error, DatabaseError):
            raise
        raise DatabaseError(
            f"The database {file} cannot be moved aside: {error}.",
            to_fix=f"make the folder {file.parent} writable for you, or move the file yourself",
        ) from error
    return aside


def _log_of(database: Path) -> Path:
    return Path(f"{database}.wal")


def _free_name(file: Path) -> Path:
    stem = f"{file.name}.corrupt-{utc_now():%Y%m%dT%H%M%SZ}"
    number, aside = 1, file.with_name(stem)
    while aside.exists() or _log_of(aside).exists():
        number += 1
        aside = file.with_name(f"{stem}-{number}")
    return aside


def _give_second_name(log: Path, new: Path) -> None:
    try:
        os.link(log, new)
    except FileExistsError:
        raise
    except OSError:  # no hard links on this disk: then the log goes first, which DuckDB survives best
        log.rename(new)


def _refuse_open(file: Path) -> None:
    """Raise when another process has the file open; DuckDB locks it as :func:`fcntl.lockf` does."""
    if not file.is_file():
        return
    with file.open("r+b") as stream:
        try:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _holder_of(file) from error


def _holder_of(file: Path) -> DatabaseError:
    """Ask DuckDB who holds the file: its message names the pid."""
    import duckdb  # slow to import, and needed here alone

    try:
        duckdb.connect(str(file), read_only=True).close()
    except duckdb.Error as error:
        known = known_database_error(str(error), file)
        if isinstance(known, DatabaseLockedError):
            return known
    return DatabaseLockedError(
        f"The database {file} is open in another program.",
        to_fix=f"close it there (`fuser {file}` names the process), and run again",
    )
