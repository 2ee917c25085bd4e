"""Layouts of the ledger, by version, and how its schema is told from somebody else's."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.core.errors import ConfigurationError, DatabaseError
from orchestrator.database.catalog import Catalog
from orchestrator.database.names import RelationName, SchemaName
from orchestrator.database.reader import QueryReader
from orchestrator.database.sql import literal

# LAYOUTS[N-1] makes layout N out of layout N-1. Never change one that was released: append the next.
LAYOUTS: tuple[tuple[str, ...], ...] = (
    (
        "create schema if not exists {place}",
        "create table if not exists {place}.ledger_version (version integer not null)",
        "create table if not exists {place}.built_tables (node varchar, code varchar, inputs varchar, "
        "row_count bigint, built_at timestamp, state varchar)",
    ),
    (
        "create table if not exists {place}.runs (run_id varchar not null, scenario varchar, fingerprint varchar, "
        "components varchar, first_year integer, last_year integer, status varchar, started_at timestamp, "
        "finished_at timestamp, resumed_year integer, resumed_stage varchar)",
        "create table if not exists {place}.stages (run_id varchar, scenario varchar, fingerprint varchar, "
        "year integer, stage varchar, nodes varchar, row_count bigint, seconds double precision, "
        "finished_at timestamp, hooks_done boolean)",
        "create table if not exists {place}.carried_rows (year integer, node varchar, row_count bigint)",
    ),
    (
        "alter table {place}.built_tables add column if not exists relation varchar",
        "alter table {place}.carried_rows add column if not exists relation varchar",
        "create table if not exists {place}.earlier_rows (relation varchar, row_count bigint)",
    ),
    (
        "create table if not exists {place}.table_contents (relation varchar, row_count bigint, digest varchar, "
        "read_count bigint, read_digest varchar, changes integer)",
        "alter table {place}.carried_rows add column if not exists digest varchar",
        "alter table {place}.carried_rows add column if not exists reaches_back boolean",
    ),
    ("alter table {place}.stages add column if not exists changed_files varchar",),
)
YEARS_SINCE_LAYOUT, RELATIONS_SINCE_LAYOUT, CONTENTS_SINCE_LAYOUT, FILES_SINCE_LAYOUT = 2, 3, 4, 5
TABLES_SINCE = (
    ("ledger_version", "built_tables"),
    ("runs", "stages", "carried_rows"),
    ("earlier_rows",),
    ("table_contents",),
    (),
)
TABLES = tuple(name for names in TABLES_SINCE for name in names)
MARKS = {
    "ledger_version": {"version"},
    "built_tables": {"node", "code", "inputs", "row_count", "built_at", "state"},
    "runs": {"run_id", "scenario", "fingerprint", "components", "first_year", "last_year", "status"},
    "stages": {"run_id", "scenario", "fingerprint", "year", "stage", "nodes"},
    "carried_rows": {"year", "node", "row_count"},
    "earlier_rows": {"relation", "row_count"},
    "table_contents": {"relation", "row_count", "digest", "changes"},
}
"""Columns by which each table of the ledger is told from somebody else's of that name."""


def is_ledger(name: RelationName, place: SchemaName) -> bool:
    """Tell whether a relation is one of the ledger's own."""
    return place.holds(name) and name.name in TABLES


def ledger_version(reader: QueryReader, place: SchemaName, catalog: Catalog | None = None) -> int:
    """Return the layout of the ledger in a schema, 0 where there is none or a part of it is gone.

    ``catalog`` is a snapshot of all of the database, which spares the question for the names of its tables.

    Raises:
        ConfigurationError: the schema is somebody else's.
        DatabaseError: a newer version of this program wrote the ledger.
    """
    there = _columns_by_table(reader, place, catalog)
    _require_ours(there, place)
    if "ledger_version" not in there:
        return 0
    newest = reader.query(f"select max(version) from {place.quoted()}.ledger_version")[0][0]
    version = 0 if newest is None else as_number(newest)
    if version > len(LAYOUTS):
        raise DatabaseError(
            f"The ledger in this database (schema {place.schema}) has layout {version}, and this version of the "
            f"orchestrator knows layouts up to {len(LAYOUTS)}.",
            to_fix="use the newer version of the orchestrator that wrote it",
        )
    wanted = {name for names in TABLES_SINCE[:version] for name in names}
    return version if wanted <= there.keys() else 0


def ledger_places(reader: QueryReader, database: str) -> tuple[SchemaName, ...]:
    """Return the schemas of a database in which ledgers lie; ``database`` empty means the connection's own."""
    rows = reader.query(
        "select distinct table_schema from information_schema.columns where lower(table_name) = 'ledger_version' "
        "and lower(column_name) = 'version' and table_catalog = "
        + (literal(database) if database else "current_database()")
        + " order by 1"
    )
    return tuple(SchemaName(database, str(schema)) for (schema,) in rows)


def upgrade_statements(version: int, place: SchemaName) -> tuple[str, ...]:
    """Return what brings a ledger of an older layout (0: none at all) to the newest; none when it is new."""
    if version == len(LAYOUTS):
        return ()
    statements = [text.format(place=place.quoted()) for layout in LAYOUTS[version:] for text in layout]
    table = f"{place.quoted()}.ledger_version"
    return (*statements, f"delete from {table}", f"insert into {table} values ({len(LAYOUTS)})")


def _columns_by_table(reader: QueryReader, place: SchemaName, catalog: Catalog | None) -> dict[str, set[str]]:
    """Return the names of the columns of every relation in a schema, in lower case."""
    found: dict[str, set[str]] = {}
    if catalog is not None and place.database:
        for name, relation in catalog.relations.items():
            if place.holds(name):
                found[name.name] = {column.lower() for column, _ in relation.columns}
        return found
    rows = reader.query(
        f"select table_name, column_name from information_schema.columns where lower(table_schema) = "
        f"{literal(place.schema.lower())}"
        + (f" and lower(table_catalog) = {literal(place.database.lower())}" if place.database else "")
    )
    for table, column in rows:
        found.setdefault(str(table).lower(), set()).add(str(column).lower())
    return found


def _require_ours(there: Mapping[str, set[str]], place: SchemaName) -> None:
    """Make sure that a schema is the ledger's, or empty: tables of ours are recognized by their columns."""
    foreign = sorted(name for name, columns in there.items() if name in MARKS and not MARKS[name] <= columns)
    if not foreign and there and not any(name in MARKS for name in there):
        foreign = sorted(there)
    if foreign:
        raise clash_error(place, f"it already holds {', '.join(foreign[:3])}, which the orchestrator did not make")


def clash_error(place: SchemaName, why: str) -> ConfigurationError:
    """Return the error that the ledger's schema is not its own."""
    return ConfigurationError(
        f"The orchestrator keeps its ledger in the schema {place.schema} of the database, and {why}.",
        to_fix="name another schema in the configuration, such as `ledger: {schema: orchestrator_ledger}`",
    )


def as_number(value: object) -> int:
    """Return a number that a database answered."""
    assert isinstance(value, int)
    return value
