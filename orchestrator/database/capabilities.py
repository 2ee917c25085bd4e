"""Capabilities of a kind of database, as a value: the one place that knows databases by the names of dbt's adapters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Capabilities:
    """Capabilities of a database over dbt's adapter for it; the defaults claim nothing.

    ``file_backed``: the profile's ``path`` names the one file that holds it, unless that is a URL or in memory.
    ``attaches_databases``: a connection reaches several databases, so an exact name begins with the database.
    ``single_writer``: one process at a time has it open, so opening waits for others and closing must be certain.
    ``reads_whole_catalog``: a query of ours reads the relations of all schemas, also those no node of the project uses.
    ``counts_in_result``: a statement that changes rows answers with their number; else the driver's cursor counts.
    ``drop_cascade``: ``drop … cascade`` is understood.
    ``replayable``: what dbt sends is known well enough to be sent again without dbt.
    ``type_name_sql``: a query that gives the database's own name of ``{type}``, None where there is none.
    ``describe_sql``: a query that gives name and type of each column of the query ``{sql}``, None where there is none.
    ``functions_sql``: a query that gives database, schema and name of every function that somebody made, None where
    there is none.
    ``views_sql``: a query that gives ``database``, ``schema`` and ``name`` of every view that somebody made, its
    ``definition`` and a ``digest`` of that, behind the version of the database and the word ``view``; None where there
    is none, or where a definition may read otherwise although nobody has replaced the view.
    ``row_digest_sql``: an aggregate over the rows of ``{row}``, the same for the same rows in any order; ``null`` where
    there is none.
    ``row_shape_sql``: the same for rows with the same columns and types; ``null`` where there is none.
    ``row_nested_sql``: whether ``{row}`` has columns that hold several values.
    ``session_variables``: environment variables by which its library decides what a statement gives, whatever dbt says.
    ``zone_variable``: one more, which says in which time zone times are shown.
    """

    file_backed: bool = False
    attaches_databases: bool = False
    single_writer: bool = False
    reads_whole_catalog: bool = False
    counts_in_result: bool = False
    drop_cascade: bool = False
    replayable: bool = False
    type_name_sql: str | None = None
    describe_sql: str | None = None
    functions_sql: str | None = None
    views_sql: str | None = None
    row_digest_sql: str = "null"
    row_shape_sql: str = "null"
    row_nested_sql: str = "false"
    session_variables: tuple[str, ...] = ()
    zone_variable: str | None = None


_DUCKDB = Capabilities(
    file_backed=True,
    attaches_databases=True,
    single_writer=True,
    reads_whole_catalog=True,
    counts_in_result=True,
    drop_cascade=True,
    replayable=True,
    type_name_sql="select typeof(cast(null as {type}))",
    describe_sql="select column_name, column_type from (describe {sql})",
    functions_sql="select database_name, schema_name, function_name from duckdb_functions() where not internal",
    views_sql="select database_name as database, schema_name as schema, view_name as name, sql as definition, "
    "version() || ' view ' || md5(sql) as digest from duckdb_views() where not internal",
    row_digest_sql="coalesce(sum(hash({row})), 0)::varchar",
    row_shape_sql="md5(any_value(typeof({row})))",
    row_nested_sql=r"regexp_matches(typeof({row}), '\]|MAP\(|UNION\(|VARIANT|JSON|STRUCT\(.*STRUCT\(')",
    zone_variable="TZ",
)
_POSTGRES = Capabilities(
    drop_cascade=True,
    functions_sql="select routine_catalog, routine_schema, routine_name from information_schema.routines",
    session_variables=("PGDATESTYLE", "PGOPTIONS"),
    zone_variable="PGTZ",
)
_OF_ADAPTER = {"duckdb": _DUCKDB, "postgres": _POSTGRES}
_UNKNOWN = Capabilities()


def capabilities_of(adapter: str) -> Capabilities:
    """Return what the database of a dbt adapter can do; of an adapter that is not known here, nothing is claimed.

    >>> capabilities_of("duckdb").single_writer, capabilities_of("some_new_one") == Capabilities()
    (True, True)
    """
    return _OF_ADAPTER.get(adapter, _UNKNOWN)
