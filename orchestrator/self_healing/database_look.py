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


def only_dbt_sees(facts: ProjectFacts) -> bool:
    """Tell whether a node builds in a database that the profile attaches and a look without dbt cannot."""
    unseen = {one.name for one in facts.attachments if one.why is not None}
    return bool(unseen) and any(node.builds and node.relation.database in unseen for node in facts.nodes)


def import_reader() -> None:
    """Import what :func:`open_reader` needs, 0.15 seconds of a parent that has to wait for dbt anyway."""
    import duckdb  # noqa: F401 - slow to import


def open_reader(
    runner: DbtRunner, facts: ProjectFacts, *, patience: Deadline | None = None, through_dbt: bool = False
) -> AbstractContextManager[DatabaseReader]:
    """Open the database for looking: the file itself where that is possible, else through the dbt process.

    ``patience`` is how long to wait while another process has the file open; None: not at all. What the profile
    attaches is attached as well; with ``through_dbt``, the dbt process looks where nobody else sees all of it.
    """
    if facts.database_path is None or runner.database_open or (through_dbt and only_dbt_sees(facts)):
        return nullcontext(runner)
    writes_files = any(node.external_file is not None for node in facts.nodes)
    folder = runner.settings.cwd if writes_files else None
    return DuckDBReader(facts.database_path, patience=patience, shared=True, beside=facts.attachments, folder=folder)


def open_or_name_holder(
    runner: DbtRunner, facts: ProjectFacts, mutex: Callable[[], DatabaseMutex]
) -> AbstractContextManager[DatabaseReader]:
    """Open the database for a look; when a run has it open, say which one, not which dbt process."""
    try:
        return open_reader(runner, facts)
    except DatabaseLockedError as error:
        in_use = mutex().in_use()
        raise (in_use or error) from error
