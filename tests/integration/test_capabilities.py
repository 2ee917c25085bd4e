"""What is claimed of a database is true: each claim is tried on a real one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest

from orchestrator.core.errors import DatabaseLockedError, DbtError
from orchestrator.database.capabilities import Capabilities, capabilities_of
from orchestrator.database.catalog import Catalog, Relation
from orchestrator.database.duckdb_file import DuckDBReader, read_catalog
from orchestrator.database.names import RelationName
from tests.support.postgres import running_server
from tests.support.programs import start_python
from tests.support.workspaces import WarmWorkspace

DUCKDB, POSTGRES = capabilities_of("duckdb"), capabilities_of("postgres")
OPEN_FOR_WRITING = "import duckdb, sys; db = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
TABLE, VIEW = RelationName.of(None, "public", "t"), RelationName.of(None, "public", "v")


@pytest.fixture(scope="module")
def postgres() -> Iterator[psycopg.Connection]:
    """A connection to an empty database of a PostgreSQL server."""
    with running_server() as server, psycopg.connect(server.make_database()) as connection:
        yield connection


def test_a_duckdb_file_has_a_single_writer(tmp_path: Path) -> None:
    """While one process has the file open for writing, another cannot even read it."""
    path = tmp_path / "db.duckdb"
    writer = start_python(["-c", OPEN_FOR_WRITING, str(path)], stdin=subprocess.PIPE, stderr=None)
    assert writer.stdout is not None and writer.stdout.readline() == "open\n"
    try:
        with pytest.raises(DatabaseLockedError):
            DuckDBReader(path)
    finally:
        writer.communicate()
    assert DUCKDB.file_backed and DUCKDB.single_writer and path.is_file()


def test_duckdb_attaches_databases_and_reads_them_whole(tmp_path: Path) -> None:
    """An exact name begins with the database, and one look finds the relations of every schema."""
    with duckdb.connect(str(tmp_path / "one.duckdb")) as connection:
        connection.execute(f"attach '{tmp_path}/other.duckdb' as other; create schema other.s")
        connection.execute("create table other.s.t (a integer); create table one.main.t (b integer)")
        found = read_catalog(lambda sql: connection.execute(sql).fetchall())
    assert DUCKDB.attaches_databases and DUCKDB.reads_whole_catalog
    assert list(found.relations) == [RelationName.of("one", "main", "t"), RelationName.of("other", "s", "t")]


def test_duckdb_counts_changed_rows_in_its_answer(warm: WarmWorkspace) -> None:
    """The answer to a statement that changes rows is their number; of others it is not known."""
    change = "update lakes set lake = lake"
    assert DUCKDB.counts_in_result
    assert warm.warm.runner.execute(["create table passing as select 1 as a", change]) == [-1, 2]


def test_statements_run_all_or_none_also_those_that_create_and_drop(warm: WarmWorkspace) -> None:
    """What made and dropped tables before a statement failed is taken back with the rest."""
    before = warm.tables()
    with pytest.raises(DbtError):
        warm.warm.runner.execute(["create table passing (a integer)", "drop table rain cascade", "select gone"])
    assert warm.tables() == before


@pytest.mark.parametrize(("declared", "name"), [("string", "VARCHAR"), ("int8", "BIGINT"), ("text[]", "VARCHAR[]")])
def test_duckdb_names_types(declared: str, name: str) -> None:
    """A type goes by many names, and the database tells its own."""
    assert DUCKDB.type_name_sql is not None
    with duckdb.connect() as connection:
        assert connection.execute(DUCKDB.type_name_sql.format(type=declared)).fetchall() == [(name,)]


def test_duckdb_digests_rows_in_any_order() -> None:
    """The digest tells rows from others, also from the same row twice, and not one order from another."""
    digest = f"select {DUCKDB.row_digest_sql.format(row='t')} from ({{}}) as t"
    rows = ["values (1, 'a'), (2, null)", "values (2, null), (1, 'a')", "values (1, 'a'), (1, 'a')", "values (1, 'a')"]
    with duckdb.connect() as connection:
        first, again, twice, once = (connection.execute(digest.format(row)).fetchall() for row in rows)
    assert first == again
    assert len({str(one) for one in (first, twice, once)}) == 3


def dropped_with_what_depends(capabilities: Capabilities) -> str:
    """Return the statement that drops a table on which a view depends."""
    return Catalog({TABLE: Relation("table", ())}).drop_statement(TABLE, cascade=capabilities.drop_cascade)


def test_duckdb_understands_cascade() -> None:
    """A table is dropped although a view reads it."""
    with duckdb.connect() as connection:
        connection.execute("create schema public; create table public.t (a integer)")
        connection.execute("create view public.v as select a from public.t")
        connection.execute(dropped_with_what_depends(DUCKDB))
        tables = connection.execute("select table_name from duckdb_tables()").fetchall()
    assert DUCKDB.drop_cascade and tables == []


def test_postgresql_understands_cascade_and_needs_it(postgres: psycopg.Connection) -> None:
    """Without cascade a table that a view reads is not dropped; and a drop is taken back with its transaction."""
    postgres.execute("create table t (a integer)")
    postgres.execute("create view v as select a from t")
    postgres.commit()
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        postgres.execute(dropped_with_what_depends(Capabilities()).encode())
    postgres.rollback()
    postgres.execute(dropped_with_what_depends(POSTGRES).encode())
    assert names(postgres) == []
    postgres.rollback()
    assert names(postgres) == ["t", "v"]


def test_on_postgresql_the_cursor_counts_rows_and_names_have_no_database(postgres: psycopg.Connection) -> None:
    """A change answers with no rows, and a schema's name that begins with the database is no name."""
    assert not POSTGRES.counts_in_result and not POSTGRES.attaches_databases
    with postgres.cursor() as cursor:
        cursor.execute("create temporary table counted as select generate_series(1, 3) as a")
        cursor.execute("delete from counted where a > 1")
        assert (cursor.rowcount, cursor.description) == (2, None)
    with pytest.raises(psycopg.errors.SyntaxError):
        postgres.execute('create schema "db"."s"')
    postgres.rollback()


def names(postgres: psycopg.Connection) -> list[str]:
    """Return the names of what is in the schema."""
    sql = "select relname from pg_class where relnamespace = 'public'::regnamespace order by 1"
    return [str(name) for (name,) in postgres.execute(sql)]
