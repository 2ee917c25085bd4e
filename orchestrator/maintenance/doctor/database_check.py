"""Checks of the database: its file, its ledger, the required tables and the finished years."""

from __future__ import annotations

from collections.abc import Callable, Set
from pathlib import Path

from orchestrator.core.clocks import stopwatch
from orchestrator.core.errors import (
    ConfigurationError,
    DatabaseError,
    DatabaseLockedError,
    InitializationError,
    OrchestratorError,
)
from orchestrator.core.permissions import how_to_write, unwritable
from orchestrator.core.text import plural
from orchestrator.database.names import SchemaName
from orchestrator.database.reader import DatabaseReader
from orchestrator.ledger.layouts import ledger_version
from orchestrator.ledger.reading import read_built_tables, read_ledger
from orchestrator.maintenance.doctor.diagnosis import (
    Diagnosis,
    check_passed,
    from_error,
    problem_found,
    size,
    worth_noting,
)
from orchestrator.maintenance.doctor.scan import scan_database
from orchestrator.pipeline.resume import Start
from orchestrator.self_healing.initialization_state import TableFinding, heal_advice

RESTORE = (
    "restore a backup, or run `orchestrator init --recreate`, which moves the file aside and builds a new one; "
    "what is readable can still be copied out of it"
)


def check_file(path: Path, *, simulates: bool) -> list[Diagnosis]:
    """Look at the database file from outside; ``simulates`` when the project has years to run."""
    if not path.exists():
        return [
            problem_found("database", "there is no database yet", heal_advice(simulates=simulates), subject=str(path))
        ]
    if not path.is_file():
        remedy = "set `database:` to the path of a file"
        return [problem_found("database", "is a folder, not a file", remedy, subject=str(path))]
    file = path.resolve()
    locked = unwritable([path, file.parent, Path(f"{file}.lock")])
    if locked:
        detail = f"{' and '.join(map(str, locked))} {'is' if len(locked) == 1 else 'are'} not writable"
        return [
            problem_found(
                "database", detail, f"{how_to_write(locked)}; or set `database:` to another place", subject=str(path)
            )
        ]
    return [check_passed("database", f"{path}, {size(path.stat().st_size)}")]


def scan_file(path: Path, busy: Callable[[str], None]) -> list[Diagnosis]:
    """Read every column of every table; say what cannot be read.

    Raises:
        DatabaseLockedError: another program has the file open for writing.
    """
    seconds = stopwatch()
    try:
        scan = scan_database(path, busy)
    except DatabaseLockedError:
        raise
    except DatabaseError as error:
        return [from_error("scan", error, RESTORE, subject=str(path))]
    if scan.unreadable:
        return [
            problem_found(
                "scan", f"cannot be read whole: {_first_line(error.message)}", RESTORE, subject=f"table {name.name}"
            )
            for name, error in scan.unreadable
        ]
    read = f"{plural(scan.tables, 'table')} and {plural(scan.rows, 'row')}"
    return [check_passed("scan", f"read every column of {read} in {seconds():.1f} s")]


def check_ledger(reader: DatabaseReader, place: SchemaName) -> list[Diagnosis]:
    """Tell which layout the ledger has, and whether all of it can be read."""
    try:
        layout = ledger_version(reader, place)
        read_built_tables(reader, place)
        read_ledger(reader, place)
    except (ConfigurationError, DatabaseError) as error:
        return [from_error("ledger", error)]
    return [check_passed("ledger", f"layout {layout}" if layout else "none yet; the first repair or run creates it")]


def check_tables(
    findings: tuple[TableFinding, ...],
    required: int,
    refused: InitializationError | None = None,
    *,
    simulates: bool,
) -> list[Diagnosis]:
    """Turn what the table checker found into diagnoses; ``refused`` is why healing would not mend it."""
    if not required:
        return [check_passed("tables", "the project requires none")]
    if not findings:
        return [check_passed("tables", f"{plural(required, 'required table')} ready")]
    found = []
    for finding in findings:
        refuses = refused is not None and finding.table.name in refused.tables
        remedy = refused.to_fix if refused is not None and refuses else heal_advice(simulates=simulates)
        subject = f"{finding.table.tier.value} {finding.table.name}"
        detail = f"{finding.problem.value}: {finding.detail}"
        found.append(problem_found("tables", detail, remedy, subject=subject, about=finding))
    if refused is not None and not any(finding.table.name in refused.tables for finding in findings):
        found.append(from_error("tables", refused))
    return found


def check_years(start: Start, reported: Set[str]) -> list[Diagnosis]:
    """Say what finished years do not hold any more, by where a run of all years would begin.

    ``reported`` are the names of tables that another check reports as missing.
    """
    if start.changed:
        return []  # all of them are built again
    remedy = f"run `orchestrator simulate`, which resumes at {start.stage} of {start.year}"
    if not start.resumed:
        remedy = f"run `orchestrator simulate`, which starts at {start.year} again"
    gone = [
        problem_found("ledger", "a finished stage built it, and it is gone", remedy, subject=f"table {name}")
        for name in start.gone
        if name not in reported
    ]
    lost = [loss for loss in start.losses if loss.table not in start.gone]
    return gone + [
        problem_found("ledger", loss.words(), remedy, subject=f"year {loss.year}", about=loss) for loss in lost
    ]


def unexamined(reason: str, *checks: str) -> list[Diagnosis]:
    """Say of checks that they could not be made, and why."""
    return [worth_noting(check, f"not examined: {reason}") for check in checks]


def failed(check: str, error: OrchestratorError, *, explained: bool) -> Diagnosis:
    """Say that a check could not be made; ``explained`` when another diagnosis already tells what is wrong."""
    if explained:
        return worth_noting(check, f"not examined: {_first_line(error.message)}")
    return from_error(check, error, RESTORE)


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0]
