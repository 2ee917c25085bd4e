"""What the database holds: relations with their columns, as one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from orchestrator.core.clocks import Deadline, pause
from orchestrator.core.errors import DatabaseLockedError
from orchestrator.database.errors import database_error, refuse_other_database
from orchestrator.database.shared_instance import AttachedFile, attach

SECONDS_TO_WAIT_FOR_OTHERS = 3.0
TEMPORARY_SUFFIXES = ("__dbt_tmp", "__dbt_backup")


@dataclass(frozen=True)
class RelationName:
    """A relation's full name; comparison ignores case, as DuckDB and dbt do.

    >>> RelationName.of("Db", "main", "T") == RelationName.of("db", "MAIN", "t")
    True
    """

    database: str
    schema: str
    name: str

    @classmethod
    def of(cls, database: str | None, schema: str | None, name: str) -> RelationName:
        """Make a name in the form in which names are compared."""
        return _relation_name(database, schema, name)

    def quoted(self) -> str:
        """Return the name for use in SQL, each part in double quotes.

        >>> RelationName.of(None, "main", "t").quoted()
        '"main"."t"'
        """
        parts = [part for part in (self.database, self.schema, self.name) if part]
        return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


@lru_cache(maxsize=10_000)  # every look at a database names the same relations
def _relation_name(database: str | None, schema: str | None, name: str) -> RelationName:
    return RelationName((database or "").lower(), (schema or "").lower(), name.lower())


@dataclass(frozen=True)
class Relation:
    """A table or view that exists; ``columns`` are (name, database type) in order."""

    kind: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Catalog:
    """The relations of one database at one moment, without dbt's leftover temporary ones."""

    relations: dict[RelationName, Relation] = field(default_factory=dict)

    def get(self, name: RelationName) -> Relation | None:
        """Return the relation of that name, None when there is none."""
        return self.relations.get(name)

    def drop_statement(self, name: RelationName) -> str:
        """Return the statement that drops the relation of that name as what it is; it may be gone by then."""
        relation = self.get(name)
        kind = relation.kind if relation is not None else "table"
        return f"drop {kind} if exists {name.quoted()} cascade"

    def tables_with_column(self, names: Iterable[RelationName], column: str) -> tuple[RelationName, ...]:
        """Return those of ``names`` that exist as a table and have ``column``, in the given order."""
        wanted = column.lower()
        return tuple(
            name
            for name in names
            if (relation := self.get(name)) is not None
            and relation.kind == "table"
            and any(found.lower() == wanted for found, _ in relation.columns)
        )


COLUMNS_SQL = """
select database_name, schema_name, table_name, column_name, data_type
from duckdb_columns()
where not internal and database_name <> 'temp'
order by database_name, schema_name, table_name, column_index
"""
VIEWS_SQL = "select database_name, schema_name, view_name from duckdb_views() where not internal and not temporary"
# All in one statement, and three times as slow: for who reads the columns of tables alone.
CATALOG_SQL = """
select t.database_name, t.schema_name, t.table_name, 'table' as kind, c.column_name, c.data_type, c.column_index
from duckdb_tables() t
join duckdb_columns() c using (database_oid, table_oid)
where not t.internal and not t.temporary
union all
select v.database_name, v.schema_name, v.view_name, 'view', c.column_name, c.data_type, c.column_index
from duckdb_views() v
left join duckdb_columns() c on c.database_oid = v.database_oid and c.table_oid = v.view_oid
where not v.internal and not v.temporary
order by 1, 2, 3, 7
"""


def read_catalog(query: Callable[[str], list[tuple[object, ...]]]) -> Catalog:
    """Take a snapshot of the relations of a DuckDB database, ordered by name.

    ``duckdb_tables()`` is left out, which counts the rows of every table: each has a column, and so is known by that.
    """
    columns: dict[tuple[object, ...], list[tuple[str, str]]] = {}
    for database, schema, name, column, data_type in query(COLUMNS_SQL):
        columns.setdefault((database, schema, name), []).append((column, data_type))  # type: ignore[arg-type]  # DuckDB's
    views = set(query(VIEWS_SQL))
    for view in sorted(views - columns.keys(), key=str):  # those whose columns cannot be told
        columns[view] = []
    return Catalog(
        {
            RelationName.of(*key): Relation("view" if key in views else "table", tuple(found))  # type: ignore[arg-type]
            for key, found in columns.items()
            if not str(key[2]).endswith(TEMPORARY_SUFFIXES)
        }
    )


def catalog_of_rows(rows: Iterable[Sequence[object]]) -> Catalog:
    """Build a snapshot out of rows (database, schema, relation, kind, column, type) in column order."""
    kinds: dict[tuple[object, object, object], object] = {}
    columns: dict[tuple[object, object, object], list[tuple[str, str]]] = {}
    for database, schema, name, kind, column, data_type, *_ in rows:
        key = (database, schema, name)
        if key not in kinds:
            kinds[key], columns[key] = kind, []
        if column is not None:
            columns[key].append((str(column), str(data_type)))
    return Catalog(
        {
            RelationName.of(str(database), str(schema), str(name)): Relation(str(kind), tuple(columns[key]))
            for key, kind in kinds.items()
            for database, schema, name in (key,)
            if not str(name).endswith(TEMPORARY_SUFFIXES)
        }
    )


class DuckDBReader:
    """A short read-only look at a DuckDB file, with no dbt; use as a context manager.

    A file that does not exist reads as an empty database and is not created. ``patience`` is how long to wait while
    somebody has it open for writing, such as the dbt process of a run that was just killed; None: not at all.
    ``shared`` attaches it to an instance that this process keeps, which is faster for all looks but the first.

    Raises:
        DatabaseLockedError: another process, or this one, has the file open for writing.
        DatabaseCorruptionError: the file is damaged or not a database.
        DatabasePermissionError: it may not be read.
        RunCancelledError: the run of ``patience`` was cancelled.
    """

    def __init__(self, path: Path, *, patience: Deadline | None = None, shared: bool = False) -> None:
        import duckdb  # slow to import, and not needed by a parent that only talks to the dbt process

        self._path = path
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._attached: AttachedFile | None = None
        if not path.exists():
            return
        refuse_other_database(path)
        self._attached = attach(path) if shared else None
        if self._attached is not None:
            self._connection = self._attached.cursor
        while self._connection is None:
            try:
                self._connection = duckdb.connect(str(path), read_only=True)
            except duckdb.Error as error:
                known = database_error(str(error), path)
                if not isinstance(known, DatabaseLockedError) or patience is None or patience.expired():
                    raise known from error
                pause(0.05)

    def __enter__(self) -> DuckDBReader:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._attached is not None:
            self._attached.close()
        elif self._connection is not None:
            self._connection.close()

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Return all rows of a query; of a database that does not exist, none."""
        if self._connection is None:
            return []
        import duckdb  # see __init__

        try:
            return self._connection.execute(sql).fetchall()
        except duckdb.Error as error:
            raise database_error(str(error), self._path) from error

    def interrupt(self) -> None:
        """Make the query that another thread runs here raise; does nothing while none runs."""
        if self._connection is not None:
            self._connection.interrupt()

    def catalog(self) -> Catalog:
        """Take a snapshot of the relations; about 1 ms for 40 tables, 15 ms for 2,000."""
        return read_catalog(self.query)
