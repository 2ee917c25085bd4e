"""A statement of the user's own on the database of a project, which can only read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.database.duckdb_select import ReadOnlyDuckDB, read_only
from orchestrator.database.names import RelationName
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.places import shown_place
from orchestrator.ledger.places import left_behind
from orchestrator.ledger.reading import read_ledger
from orchestrator.reports.table_rows import holder_named, require_database


@contextmanager
def open_for_query(
    config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts, *, writes: Path | None = None
) -> Iterator[ReadOnlyDuckDB]:
    """Open the database so that a statement reaches nothing but it, what the profile attaches, and external models.

    ``writes`` is the one file that may be written.

    Raises:
        ConfigurationError: the database is not a DuckDB file.
        TableNotFoundError: there is no database yet.
        DatabaseLockedError: a run is in progress.
    """
    path = facts.database_path
    if path is None:
        raise ConfigurationError(
            f"`query` needs a DuckDB file, and this project's database ({facts.adapter}) is none: "
            "a statement could not be kept from changing it.",
            to_fix="use the database's own client, or `orchestrator show` for the rows of one table",
        )
    require_database(config, facts)
    external = [Path(node.external_file) for node in facts.nodes if node.external_file is not None]
    reached = external if writes is None else [*external, writes]
    with (
        holder_named(config, runner),
        read_only(path, beside=facts.attachments, folder=runner.settings.cwd, only=reached) as database,
    ):
        yield database


def left_notes(database: ReadOnlyDuckDB, facts: ProjectFacts, statement: str) -> tuple[str, ...]:
    """Say which tables in a statement no node of the project builds any more: earlier runs have left them.

    What views of the statement read is not looked at.

    Raises:
        ConfigurationError, DatabaseError: the ledger cannot be read.
    """
    names = [name.partition(" AS ")[0].replace('"', "").lower() for name in database.tables_in(statement)]
    if not names:
        return ()
    read = [one for one in database.catalog().relations if any(_is_named(one, name) for name in names)]
    left = left_behind(database, facts, read_ledger(database, facts.ledger, facts), read)
    return tuple(
        f"No node of the project builds {shown_place(one)} as the project is now, with these variables: its rows are "
        "those that an earlier run left."
        for one in sorted(left, key=RelationName.quoted)
    )


def _is_named(relation: RelationName, name: str) -> bool:
    full = f".{relation.database}.{relation.schema}.{relation.name}"
    return full.endswith(f".{name}")
