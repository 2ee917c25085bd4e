"""The database of a dbt project, over the connections of dbt's own adapter; lives in the dbt process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from dbt.adapters.base.impl import BaseAdapter
from dbt.adapters.factory import get_adapter_by_type
from dbt.contracts.graph.nodes import ManifestNode

from orchestrator.core.clocks import Deadline
from orchestrator.core.errors import DbtError, OrchestratorError
from orchestrator.database.catalog import Catalog, catalog_of_rows
from orchestrator.database.duckdb_file import SECONDS_TO_WAIT_FOR_OTHERS, open_when_free, read_catalog
from orchestrator.database.errors import known_database_error, refuse_other_database
from orchestrator.database.names import RelationName
from orchestrator.database.sql import quoted_name
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts


class Cursor(Protocol):
    """Cursor of a database driver, as far as DuckDB's and psycopg's are alike."""

    rowcount: int

    def execute(self, sql: str) -> object:
        """Run one statement."""

    def fetchall(self) -> list[tuple[object, ...]]:
        """Return the rows of the last statement."""

    def interrupt(self) -> None:
        """Make what another thread runs here raise."""


class ProjectDatabase:
    """Queries, statements and the catalog; opened by the first use and closed by :meth:`release`."""

    def __init__(self, facts: ProjectFacts) -> None:
        self._facts = facts
        self._capabilities = facts.capabilities
        self._open = False
        self._apart: list[Cursor] = []

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Return all rows of a query, values as the driver gives them."""
        with self.cursor() as cursor:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]

    def execute(self, statements: Sequence[str]) -> list[int]:
        """Run statements in one transaction, all or none; return the rows that each affected, -1 where unknown."""
        affected = []
        with self.cursor(transaction=True) as cursor:
            for statement in statements:
                cursor.execute(statement)
                affected.append(self._affected(cursor, statement))
        return affected

    def catalog(self) -> Catalog:
        """Take a snapshot of the relations in the schemas that the project uses."""
        if self._capabilities.reads_whole_catalog:
            return read_catalog(self.query)
        adapter = self._adapter()
        rows: list[tuple[object, ...]] = []
        nodes = [(node.database, node.schema) for node in self._facts.nodes]
        sources = [(source.database, source.schema) for source in self._facts.sources]
        with adapter.connection_named("orchestrator"):
            for database, schema in sorted({*nodes, *sources}):
                for relation in adapter.list_relations(database, schema):
                    kind = "view" if relation.is_view else "table"
                    for column in adapter.get_columns_in_relation(relation):
                        name = (database, schema, relation.identifier, kind)
                        rows.append((*name, column.name, column.data_type))
        return catalog_of_rows(rows)

    def described(self, sql: str) -> tuple[tuple[str, str], ...]:
        """Return name and type of each column of a query.

        Raises:
            DbtError: the database refuses the query.
        """
        describe = self._capabilities.describe_sql
        assert describe is not None, "asked where it can"
        return tuple((str(name), str(kind)) for name, kind in self.query(describe.replace("{sql}", sql)))

    def create_empty(self, node: ManifestNode, described: Sequence[tuple[str, str]] | None = None) -> None:
        """Create a model's table without rows: of ``described`` columns, else by its contract and its constraints."""
        adapter = self._adapter()
        if described is not None:
            relation = adapter.Relation.create_from(adapter.config, node)
            lines = [f"{quoted_name(name)} {data_type}" for name, data_type in described]
            schema = relation.without_identifier()
            self.execute([f"create schema if not exists {schema}", f"create table {relation} ({', '.join(lines)})"])
            return
        columns = {name: column.to_dict(omit_none=True) for name, column in node.columns.items()}
        lines = adapter.render_raw_columns_constraints(raw_columns=columns)
        lines += adapter.render_raw_model_constraints([c.to_dict(omit_none=True) for c in node.constraints])
        relation = adapter.Relation.create_from(adapter.config, node)
        schema = relation.without_identifier()
        self.execute(
            [f"create schema if not exists {schema}", f"create table {relation} (\n  " + ",\n  ".join(lines) + "\n)"]
        )

    def create_schemas(self, nodes: Iterable[NodeFacts]) -> None:
        """Create the schemas in which these nodes build, where they are not there, as dbt does before it runs nodes."""
        places = sorted({RelationName("", node.database, node.schema).quoted() for node in nodes})
        if places:
            self.execute([f"create schema if not exists {place}" for place in places])

    def open(self) -> None:
        """Open a database that has a single writer, waiting out a short look of another process.

        Raises:
            DatabaseError: the file is locked for longer, damaged or not permitted.
        """
        if self._open or not self._capabilities.single_writer:
            return
        if self._facts.database_path is not None:
            refuse_other_database(self._facts.database_path)
        adapter = self._adapter()

        def connect() -> bool:
            with adapter.connection_named("orchestrator"):
                return adapter.connections.get_thread_connection().handle is not None

        # dbt-duckdb lets the driver's own errors through
        path, patience = self._facts.database_path, Deadline.after(SECONDS_TO_WAIT_FOR_OTHERS)
        self._open = open_when_free(connect, Exception, path, patience=patience)

    @contextmanager
    def cursors_apart(self, number: int) -> Iterator[list[Cursor]]:
        """Open cursors that no command of dbt closes; their temporary tables go when they are closed.

        Only where statements are replayable.
        """
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # only where it is installed

        self.open()
        environment = DuckDBConnectionManager.env()
        handles = [environment.handle() for _ in range(number)]
        self._apart = [handle.cursor() for handle in handles]
        try:
            yield list(self._apart)
        finally:
            self._apart = []
            for handle in handles:
                handle.close()

    def cancel(self) -> None:
        """Interrupt the queries of other threads."""
        for cursor in self._apart:
            cursor.interrupt()
        adapter = self._adapter()
        if adapter.is_cancelable():
            list(adapter.cancel_open_connections())

    def release(self) -> None:
        """Close the database for certain: dbt-duckdb keeps the file's lock after an invocation."""
        self._open = False
        self._adapter().cleanup_connections()
        if self._capabilities.single_writer:
            from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # only where it is installed

            environment = DuckDBConnectionManager._ENV
            DuckDBConnectionManager.close_all_connections()
            if environment is not None:
                environment.close()

    def _adapter(self) -> BaseAdapter:
        return get_adapter_by_type(self._facts.adapter)

    @contextmanager
    def cursor(self, *, transaction: bool = False) -> Iterator[Cursor]:
        """Open a connection of its own; its temporary tables go when it is closed.

        Raises:
            DatabaseError, DbtError: whatever the database raises while it is open.
        """
        self.open()
        adapter = self._adapter()
        manager = adapter.connections
        with adapter.connection_named("orchestrator"):
            try:
                connection = manager.get_thread_connection()
                if transaction:
                    manager.begin()
                yield connection.handle.cursor()
                if transaction:
                    manager.commit()
            except OrchestratorError:
                manager.rollback_if_open()
                raise
            except Exception as error:  # every driver has errors of its own
                manager.rollback_if_open()
                known = known_database_error(str(error), self._facts.database_path)
                raise (known or DbtError(f"The database refused a statement: {error}")) from error

    def _affected(self, cursor: Cursor, statement: str) -> int:
        if not self._capabilities.counts_in_result:
            return cursor.rowcount
        changes_rows = statement.lstrip()[:6].lower() in ("delete", "insert", "update")
        counts = cursor.fetchall() if changes_rows else []
        return int(str(counts[0][0])) if counts else -1
