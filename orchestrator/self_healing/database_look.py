"""Open a database for a look at it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from orchestrator.core.clocks import Deadline
from orchestrator.core.errors import DatabaseLockedError
from orchestrator.database.duckdb_file import DuckDBReader
from orchestrator.database.reader import DatabaseReader
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts

if TYPE_CHECKING:
    from orchestrator.database.mutex import DatabaseMutex


def open_reader(
    runner: DbtRunner, facts: ProjectFacts, *, patience: Deadline | None = None
) -> AbstractContextManager[DatabaseReader]:
    """Open the database for looking: the file itself where that is possible, else through the dbt process.

    ``patience`` is how long to wait while another process has the file open; None: not at all.
    """
    if facts.database_path is None or runner.database_open:
        return nullcontext(runner)
    return DuckDBReader(facts.database_path, patience=patience, shared=True)


def open_or_name_holder(
    runner: DbtRunner, facts: ProjectFacts, mutex: Callable[[], DatabaseMutex]
) -> AbstractContextManager[DatabaseReader]:
    """Open the database for a look; when a run has it open, say which one, not which dbt process."""
    try:
        return open_reader(runner, facts)
    except DatabaseLockedError as error:
        in_use = mutex().in_use()
        raise (in_use or error) from error
