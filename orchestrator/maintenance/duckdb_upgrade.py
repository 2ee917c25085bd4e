"""Write a DuckDB file anew in the newest shape, beside the old one, and make sure that both hold the same."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.errors import BackupError, DatabaseError
from orchestrator.database.duckdb_file import ConnectionReader, storage_version
from orchestrator.database.errors import known_database_error
from orchestrator.database.names import SchemaName
from orchestrator.database.sql import literal, quoted_name
from orchestrator.ledger.layouts import LAYOUTS, ledger_places, ledger_version, upgrade_statements

if TYPE_CHECKING:
    import duckdb

OLD, NEW = "old", "new"
TABLES_SQL = """
select schema_name, table_name from duckdb_tables() where not internal and not temporary and database_name = '{name}'
order by all
"""
SHAPES_SQL = """
select 'column', schema_name, table_name, column_name, data_type from duckdb_columns()
where not internal and database_name = '{name}' and coalesce(schema_name not in ({ledgers}), true)
union all
select 'view', schema_name, view_name, '', '' from duckdb_views() where not internal and database_name = '{name}'
union all
select 'index', schema_name, index_name, table_name, expressions from duckdb_indexes() where database_name = '{name}'
union all
select 'sequence', schema_name, sequence_name, '', '' from duckdb_sequences() where database_name = '{name}'
union all
select 'macro', schema_name, function_name, '', macro_definition from duckdb_functions()
where not internal and database_name = '{name}'
order by all
"""


def needed_by_file(path: Path) -> tuple[str, ...]:
    """Say what a DuckDB file lacks of the newest shape; nothing is written.

    Raises:
        DatabaseError: it cannot be opened.
    """
    import duckdb  # slow to import

    try:
        with closing(duckdb.connect(str(path), read_only=True)) as connection:
            reader = ConnectionReader(connection)
            layouts = [ledger_version(reader, place) for place in ledger_places(reader, "")]
            storage = _storage(reader)
    except duckdb.Error as error:
        raise _known(path, error) from error
    newest = _newest_storage()
    changes = []
    changes += [f"ledger: layout {layout} to {len(LAYOUTS)}" for layout in layouts if 0 < layout < len(LAYOUTS)]
    if storage != newest:
        changes.append(f"storage: {storage} to {newest}")
    return tuple(changes)


def rewrite(path: Path, new: Path) -> None:
    """Copy everything into a file of the newest storage version, and bring its ledger to the newest layout."""
    import duckdb

    try:
        with closing(duckdb.connect()) as connection:
            connection.execute(f"attach {literal(path)} as {OLD} (read_only)")
            connection.execute(f"attach {literal(new)} as {NEW} (storage_version 'latest')")
            connection.execute(f"copy from database {OLD} to {NEW}")
            connection.execute(f"detach {OLD}")
            connection.execute(f"use {NEW}")
            reader = ConnectionReader(connection)
            for place in ledger_places(reader, NEW):
                layout = ledger_version(reader, place)
                if layout:
                    connection.execute("begin")
                    for statement in upgrade_statements(layout, place):
                        connection.execute(statement)
                    connection.execute("commit")
            connection.execute("checkpoint")
    except duckdb.Error as error:
        raise _known(path, error) from error


def require_equal(path: Path, new: Path) -> None:
    """Make sure that the new file holds every table of the old one, row by row, and everything else by name.

    Raises:
        BackupError: it does not.
    """
    import duckdb

    try:
        with closing(duckdb.connect()) as connection:
            connection.execute(f"attach {literal(path)} as {OLD} (read_only)")
            connection.execute(f"attach {literal(new)} as {NEW} (read_only)")
            ledgers = [place.schema for place in ledger_places(ConnectionReader(connection), OLD)]
            wrong = [*_differing_shapes(connection, ledgers), *_differing_tables(connection, ledgers)]
            reader = ConnectionReader(connection)
            for place in ledger_places(reader, OLD):
                new_layout = ledger_version(reader, SchemaName(NEW, place.schema))
                if ledger_version(reader, place) and new_layout != len(LAYOUTS):
                    wrong.append("its ledger does not have the newest layout")
    except duckdb.Error as error:
        raise _known(path, error) from error
    if wrong:
        raise BackupError(f"The migrated copy of {path} differs from the original: {'; '.join(wrong[:5])}.")


def _differing_shapes(connection: duckdb.DuckDBPyConnection, ledgers: Sequence[str]) -> list[str]:
    places = ", ".join(literal(schema) for schema in ledgers) or "null"
    question = SHAPES_SQL.replace("{ledgers}", places)
    old, new = (set(connection.execute(question.format(name=name)).fetchall()) for name in (OLD, NEW))
    return [f"{kind} {schema}.{name} {column} differs".strip() for kind, schema, name, column, _ in sorted(old - new)]


def _differing_tables(connection: duckdb.DuckDBPyConnection, ledgers: Sequence[str]) -> list[str]:
    wrong = []
    for schema, table in connection.execute(TABLES_SQL.format(name=OLD)).fetchall():
        if schema in ledgers and table == "ledger_version":
            continue
        columns = connection.execute(  # an upgrade of the ledger adds columns; what was there stays
            "select column_name from duckdb_columns() where database_name = ? and schema_name = ? and table_name = ? "
            "order by column_index",
            [OLD, schema, table],
        ).fetchall()
        names = ", ".join(quoted_name(name) for (name,) in columns)
        question = f"select count(*), coalesce(sum(hash({names})), 0) from "
        relations = (quoted_name(database, schema, table) for database in (OLD, NEW))
        old, new = (connection.execute(question + relation).fetchall()[0] for relation in relations)
        if old != new:
            wrong.append(f"table {schema}.{table} has {new[0]} rows instead of {old[0]}, or different values")
    return wrong


def _newest_storage() -> str:
    """Return the storage version that this DuckDB writes."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder, closing(duckdb.connect()) as connection:
        connection.execute(f"attach {literal(Path(folder) / 'fresh.duckdb')} as {NEW} (storage_version 'latest')")
        connection.execute(f"use {NEW}")
        return _storage(ConnectionReader(connection))


def _storage(reader: ConnectionReader) -> str:
    return storage_version(reader) or "unknown"


def _known(path: Path, error: Exception) -> DatabaseError:
    return known_database_error(str(error), path) or DatabaseError(f"The database {path} cannot be migrated: {error}")
