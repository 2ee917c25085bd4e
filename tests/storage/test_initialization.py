"""A run history that makes itself: first use, many at once, older, newer and broken ones."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import (
    ConfigurationError,
    StorageCorruptionError,
    StorageError,
    StoragePermissionError,
    StorageUnavailableError,
    StorageVersionError,
)
from orchestrator.storage.engine import opened, read_url
from orchestrator.storage.error_translation import storage_error
from orchestrator.storage.factory import create_storage_backend, open_existing
from orchestrator.storage.head import HEAD, TABLES, VERSION_TABLE, VERSIONS
from orchestrator.storage.initialization import ensure_initialized, is_ready
from orchestrator.storage.models import Base, WorkflowRun
from orchestrator.storage.schema import MIGRATIONS
from tests.faults.ground import DROP_RIGHTS
from tests.support.postgres import PostgresServer
from tests.support.programs import run_python, start_python

REPOSITORY = Path(__file__).parents[2]
RUNS = 10_000
OLD_RUNS = """
insert into workflow_runs (id, workflow_name, status, config_snapshot, inputs, started_at, scenario)
select 'run-' || n, 'lakes', 'completed', '{}', '{"years": [2025]}', '2026-01-01 00:00:00', 'old'
from (with recursive t(n) as (select 1 union all select n + 1 from t where n < :count) select n from t) as numbers
"""
OLD_STEPS = """
insert into workflow_steps (run_id, number, name, kind, status, started_at)
select id, 1, 'verify', 'healing', 'completed', started_at from workflow_runs
"""
MANY_RUNS = """
import sys
from orchestrator.storage.factory import create_storage_backend
from orchestrator.storage.models import WorkflowRun, WorkflowStep
url, count = sys.argv[1], int(sys.argv[2])
sys.stdin.readline()
with create_storage_backend(url) as backend:
    for number in range(count):
        run = backend.runs.add(WorkflowRun("lakes", status="running"))
        backend.runs.save([WorkflowStep(run.id, 1, "s", "stage", "completed", run.started_at)])
        backend.states.save_state(run.id, {"number": number})
        backend.runs.update_status(run.id, "completed")
        print(run.id)
"""


def file_of(url: str) -> Path:
    """Return the file of a SQLite URL."""
    return Path(url.removeprefix("sqlite:///"))


def make_old(url: str, *, runs: int = 0) -> None:
    """Make a store of the first version, with runs in it."""
    if url.startswith("sqlite"):
        file_of(url).parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with opened(read_url(url), migrating=True) as engine, engine.begin() as connection:
        config.attributes.update(connection=connection, version_table=VERSION_TABLE)
        command.upgrade(config, VERSIONS[0])
        connection.execute(sa.text(OLD_RUNS), {"count": runs}) if runs else None
        connection.execute(sa.text(OLD_STEPS))


def ask(url: str, question: str) -> list[tuple[object, ...]]:
    """Ask a store from outside."""
    with opened(read_url(url)) as engine, engine.begin() as connection:
        return [tuple(row) for row in connection.execute(sa.text(question))]


def tell(url: str, *statements: str) -> None:
    """Change a store from outside."""
    with opened(read_url(url)) as engine, engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_first_use_makes_folder_and_tables(url: str) -> None:
    """And later uses change nothing."""
    assert ensure_initialized(url) is True
    assert ask(url, f"select version_num from {VERSION_TABLE}") == [(HEAD,)]
    with create_storage_backend(url) as backend:
        backend.runs.add(WorkflowRun("lakes"))
    assert ensure_initialized(url, show_progress=False) is True
    assert ask(url, "select count(*) from workflow_runs") == [(1,)]


def test_sqlite_is_settled_for_many_processes(tmp_path: Path) -> None:
    """Readers and a writer do not wait for each other (WAL), and foreign keys hold."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    with create_storage_backend(url):
        assert ask(url, "pragma journal_mode") == [("wal",)]
        assert ask(url, "pragma foreign_keys") == [(1,)]
        assert ask(url, "pragma busy_timeout") == [(5000,)]


def test_the_migrations_make_what_the_models_say(url: str) -> None:
    """Alembic finds no difference, and the version that the quick look knows is its newest."""
    ensure_initialized(url)
    with opened(read_url(url)) as engine, engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": False})
        found = compare_metadata(context, Base.metadata)
        assert set(sa.inspect(connection).get_table_names()) == {*TABLES[HEAD], VERSION_TABLE}
    assert [difference for difference in found if difference[0] != "modify_default"] == []
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert [step.revision for step in script.walk_revisions()] == list(reversed(VERSIONS))


def test_a_ready_file_is_known_without_imports(tmp_path: Path) -> None:
    """Neither SQLAlchemy nor Alembic nor Rich is imported, so that every command may ask."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    ensure_initialized(url)
    code = (
        "import sys; from orchestrator.storage.initialization import ensure_initialized; "
        f"ensure_initialized({url!r}); print(sorted({{'sqlalchemy', 'alembic', 'rich'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"


def start_many(url: str, processes: int, count: int) -> list[subprocess.Popen[str]]:
    """Start processes that write ``count`` runs each, and let them begin at the same moment."""
    started = [
        start_python(["-c", MANY_RUNS, url, str(count)], cwd=REPOSITORY, stdin=subprocess.PIPE)
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return started


def outcomes(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[str, str]]:
    """Wait for processes; return what each said."""
    with ThreadPoolExecutor(len(processes)) as pool:
        said = list(pool.map(lambda process: process.communicate(timeout=240), processes))
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return said


def test_eight_processes_meet_at_the_first_use(url: str) -> None:
    """One of them makes the store, all write their 50 runs, nothing is lost and nothing is there twice."""
    said = outcomes(start_many(url, 8, 50))
    written = [run_id for out, _ in said for run_id in out.split()]
    assert len(set(written)) == len(written) == 400
    stored = ask(url, "select id, status from workflow_runs")
    assert {run_id for run_id, _ in stored} == set(written)
    assert {status for _, status in stored} == {"completed"}
    assert ask(url, "select count(*) from workflow_steps") == [(400,)]
    assert ask(url, "select count(*), count(distinct run_id) from execution_states") == [(400, 400)]


def test_an_older_store_is_upgraded_with_all_its_runs(url: str) -> None:
    """10,000 runs of the first version are all there, and so is a backup of the file beside it."""
    make_old(url, runs=RUNS)
    assert ensure_initialized(url) is True
    assert ask(url, f"select version_num from {VERSION_TABLE}") == [(HEAD,)]
    with create_storage_backend(url) as backend:
        runs = backend.runs.list_runs()
        assert len(runs) == RUNS
        assert (runs[0].scenario, runs[0].inputs, runs[0].versions) == ("old", {"years": [2025]}, {})
        assert len(backend.steps.list_by_run(runs[-1].id)) == 1
    if url.startswith("sqlite"):
        backups = list(file_of(url).parent.glob(f"*.version-{VERSIONS[0]}.*.db"))
        assert len(backups) == 1
        with closing(sqlite3.connect(backups[0])) as connection:
            assert connection.execute("select count(*) from workflow_runs").fetchone() == (RUNS,)
            assert connection.execute(f"select version_num from {VERSION_TABLE}").fetchone() == (VERSIONS[0],)


def test_a_failed_upgrade_changes_nothing(url: str) -> None:
    """A table in the way makes the second change of shape fail; the first one is taken back with it."""
    make_old(url, runs=50)
    tell(url, "create table session_state (run_id integer)")
    before = everything(url)
    with pytest.raises(StorageError) as caught:
        ensure_initialized(url)
    assert "session_state" in caught.value.message
    assert everything(url) == before


def everything(url: str) -> object:
    """Return all there is of a store: the bytes of a file and its neighbours, or shapes and rows on a server."""
    if url.startswith("sqlite"):
        folder = file_of(url).parent
        return {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if not file.name.endswith(".lock")}
    columns = ask(
        url,
        "select table_name, column_name, data_type from information_schema.columns "
        "where table_schema = 'public' order by 1, 2",
    )
    return columns, ask(url, "select * from workflow_runs order by id"), ask(url, f"select * from {VERSION_TABLE}")


def test_an_upgrade_that_loses_rows_is_taken_back(tmp_path: Path) -> None:
    """What the new shape would not hold is seen before it counts: a trigger of somebody's deletes rows."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    make_old(url, runs=5)
    tell(
        url,
        f"create trigger eats after update on {VERSION_TABLE} begin delete from workflow_steps; end",
    )
    before = everything(url)
    with pytest.raises(StorageCorruptionError, match="workflow_steps had 5 rows and has 0"):
        ensure_initialized(url)
    assert everything(url) == before


def test_a_newer_store_is_refused(url: str) -> None:
    """It is not touched by a program that does not know it."""
    ensure_initialized(url)
    tell(url, f"update {VERSION_TABLE} set version_num = '9999'")
    with pytest.raises(StorageVersionError, match="9999") as caught:
        ensure_initialized(url)
    assert "newer version" in str(caught.value.to_fix)


def test_a_store_without_one_of_its_tables_is_refused(url: str) -> None:
    """It is named; nothing is made in its place, for its rows are somewhere else."""
    ensure_initialized(url)
    tell(url, "drop table workflow_outputs")
    with pytest.raises(StorageCorruptionError, match="workflow_outputs"):
        ensure_initialized(url)


def test_tables_of_another_program_are_left_alone(url: str) -> None:
    """A database that has such a table, but not from us, is not the place."""
    if url.startswith("sqlite"):
        file_of(url).parent.mkdir()
    tell(url, "create table workflow_runs (mine integer)")
    with pytest.raises(StorageCorruptionError, match="table workflow_runs that does not belong to a run history"):
        ensure_initialized(url)
    assert ask(url, "select count(*) from workflow_runs") == [(0,)]


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """It is named, and stays as it is."""
    file = tmp_path / "a.db"
    file.write_text("my notes, a long text that is no database at all\n" * 50)
    before = file.read_bytes()
    with pytest.raises(StorageCorruptionError, match=r"a\.db is not a SQLite database") as caught:
        ensure_initialized(f"sqlite:///{file}")
    assert "name another in storage.url" in str(caught.value.to_fix)  # it may be somebody's, such as a DuckDB file
    assert file.read_bytes() == before


def test_the_log_of_a_file_that_was_taken_away_is_not_replayed(tmp_path: Path) -> None:
    """A killed process leaves a log; whoever removes the file alone gets an empty history, not the old rows."""
    file = tmp_path / "a.db"
    code = (
        "import os, sys; from orchestrator.storage.factory import create_storage_backend as c; "
        "from orchestrator.storage.models import WorkflowRun; b = c(sys.argv[1]); "
        "k = __import__('sqlite3').connect(sys.argv[1][10:]); k.execute('select * from workflow_runs').fetchall(); "
        "[b.runs.add(WorkflowRun('lakes')) for _ in range(30)]; os._exit(0)"
    )
    run_python(["-c", code, f"sqlite:///{file}"], check=True, cwd=REPOSITORY)
    assert Path(f"{file}-wal").stat().st_size > 0
    file.unlink()
    with create_storage_backend(f"sqlite:///{file}") as backend:
        assert backend.runs.list_runs() == []
    assert len(list(tmp_path.glob("a.db-wal.left-*"))) == 1


def test_a_path_is_a_path(tmp_path: Path) -> None:
    """Percent signs and question marks in the name of a folder are none of the URL's."""
    root = tmp_path / "50%20off? yes"
    root.mkdir()
    config = SimulationConfig.from_mapping({"dbt": {"project_dir": "."}}, root=root)
    with create_storage_backend(config) as backend:
        backend.runs.add(WorkflowRun("lakes"))
    assert (root / "var" / "orchestrator.db").is_file()
    assert is_ready(config.storage_url)
    with open_existing(config) as found:
        assert found is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == [root.name]


def test_options_of_a_server_url_are_heeded(server: PostgresServer) -> None:
    """A search path in the URL decides where the tables are."""
    url = server.make_database()
    tell(url, "create schema elsewhere")
    with create_storage_backend(f"{url}?options=-csearch_path%3Delsewhere") as backend:
        backend.runs.add(WorkflowRun("lakes"))
    assert ask(url, "select count(*) from elsewhere.workflow_runs") == [(1,)]
    assert ask(url, "select count(*) from information_schema.tables where table_schema = 'public'") == [(0,)]


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    """A file of no bytes is what ``touch`` leaves, and SQLite takes it for an empty database."""
    file = tmp_path / "a.db"
    file.touch()
    assert ensure_initialized(f"sqlite:///{file}") is True
    assert ask(f"sqlite:///{file}", "select count(*) from workflow_runs") == [(0,)]


@pytest.mark.parametrize("place", ["var/a.db", "a.db"])
def test_a_folder_that_may_not_be_written(tmp_path: Path, place: str) -> None:
    """The place is named, and what to do; root's rights are dropped for it."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    url = f"sqlite:///{folder / place}"
    code = f"from orchestrator.storage.initialization import ensure_initialized as e; e({url!r})"
    done = subprocess.run(
        [sys.executable, "-c", DROP_RIGHTS, "-c", code], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    assert "StoragePermissionError: The run history" in done.stderr
    assert f"{folder}" in done.stderr
    assert "give yourself write permission: chmod u+rwX" in done.stderr


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    """A folder of that name is no place either."""
    (tmp_path / "a.db").mkdir()
    with pytest.raises(StorageError, match=r"a\.db"):
        ensure_initialized(f"sqlite:///{tmp_path / 'a.db'}")


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    """Neither can a folder be made where a file is."""
    (tmp_path / "var").write_text("")
    with pytest.raises(StorageError, match=r"(?s)var.*To fix: name a place in storage\.url"):
        ensure_initialized(f"sqlite:///{tmp_path / 'var' / 'a.db'}")


def test_a_folder_that_nobody_can_make() -> None:
    """Not every place takes folders: that is told with what to do."""
    with pytest.raises(StoragePermissionError, match=r"(?s)/proc/x/y\.db.*To fix: name a place in storage\.url"):
        ensure_initialized("sqlite:////proc/x/y.db")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://me:secret@host/db", "names mysql"),
        ("mysql://me:s/secret@host/db", "names mysql"),
        ("postgresql://me:secret@host:port/db", "is not a database URL"),
        ("postgresql://me:an@secret@host/db", "written %40"),
        ("postgresql+psycopg2://me:secret@host/db", "names the driver psycopg2"),
        ("sqlite+aiosqlite:///x.db", "names the driver aiosqlite"),
        ("sqlite://rel.db", "two slashes"),
        ("sqlite:///x.db?mode=ro", "has options"),
        ("sqlite:///file:x.db?uri=true", "has options"),
        ("no url", "is not a database URL"),
    ],
)
def test_a_url_of_another_kind(url: str, said: str) -> None:
    """It is refused before anything is tried, and its password is not repeated."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        ensure_initialized(url)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there(server: PostgresServer) -> None:
    """Host and port are named, the password is not."""
    with pytest.raises(StorageUnavailableError, match="cannot be reached") as caught:
        ensure_initialized("postgresql://me:s3cret@127.0.0.1:9/runs")
    assert "s3cret" not in str(caught.value)
    assert "start the server" in str(caught.value.to_fix)


def test_a_wrong_password_is_not_repeated(server: PostgresServer) -> None:
    """What the server said is told, without the password."""
    with pytest.raises(StorageUnavailableError, match="refuses the user or the password") as caught:
        ensure_initialized(server.url("postgres", password="t0p-s3cret"))  # noqa: S106
    assert "t0p-s3cret" not in f"{caught.value}{caught.value.__cause__}"


def test_a_database_that_does_not_exist(server: PostgresServer) -> None:
    """The server does not make it by itself."""
    with pytest.raises(StorageUnavailableError, match="does not exist") as caught:
        ensure_initialized(server.url("nowhere"))
    assert "createdb" in str(caught.value.to_fix)


def limited(server: PostgresServer, url: str, *rights: str) -> str:
    """Make a user with some rights alone in the database of ``url``, and return the URL as that user."""
    name = url.rpartition("/")[2]
    user = f"limited_{name}"
    tell(url, f"create role {user} login password 'x'", *(right.format(user=user) for right in rights))
    return server.url(name, user=user, password="x")  # noqa: S106


@pytest.mark.parametrize(
    ("ready", "rights", "said"),
    [
        (False, ["revoke create on schema public from public"], r"for schema public.*`grant usage, create on schema"),
        (False, ["revoke usage on schema public from public"], r"no schema has been.*`grant usage, create on schema"),
        (
            True,
            ["grant select on all tables in schema public to {user}"],
            r"denied for table workflow_runs\).*`grant select, insert, update, delete on all tables in schema",
        ),
        (True, [], r"denied for table .*`grant select, insert, update, delete on all tables in schema"),
        (
            True,
            [
                "grant all on all tables in schema public to {user}",
                "grant all on schema public to {user}",
                f"update {VERSION_TABLE} set version_num = '0003'",
                "drop table sweeps, chat_messages, chat_sessions",
            ],
            r"must be owner of .*with the owner of the tables",
        ),
        (
            True,
            [
                "grant all on all tables in schema public to {user}",
                "alter role {user} set default_transaction_read_only = on",
            ],
            r"can only be read .*default_transaction_read_only is off",
        ),
    ],
)
def test_a_user_of_a_server_who_lacks_a_right(
    server: PostgresServer, ready: bool, rights: list[str], said: str
) -> None:
    """The right that is missing is named, and not another one."""
    url = server.make_database()
    if ready:
        ensure_initialized(url)
    theirs = limited(server, url, *rights)
    with (
        pytest.raises(StoragePermissionError, match=rf"(?s){said}"),
        create_storage_backend(theirs) as backend,
    ):
        backend.runs.add(WorkflowRun("lakes"))


def test_a_user_that_a_server_does_not_know() -> None:
    """Is not told to create a database; nor is somebody whose table is gone."""
    made = read_url("postgresql://me@host/runs")
    unknown = storage_error(made, 'connection failed: FATAL:  role "me" does not exist')
    assert unknown.to_fix is not None and "createuser" in unknown.to_fix
    gone = storage_error(made, 'relation "workflow_runs" does not exist\nLINE 1: select')
    assert gone.to_fix is None
    other = storage_error(made, "permission denied for function pg_advisory_xact_lock")
    assert other.to_fix is not None and "tables" not in other.to_fix


def test_the_driver_is_missing(tmp_path: Path) -> None:
    """The very line that installs it is given."""
    (tmp_path / "psycopg").mkdir()
    (tmp_path / "psycopg" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'psycopg'\", name='psycopg')"
    )
    code = "from orchestrator.storage.initialization import ensure_initialized as e; e('postgresql://a:b@127.0.0.1/x')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}"},
    )
    assert "MissingExtraError" in done.stderr
    assert "pip install 'dbt-year-orchestrator[postgres]'" in done.stderr


def test_a_memory_store_lives_as_long_as_its_backend() -> None:
    """For scripts and tests that want none to be left; any thread may use it."""
    assert ensure_initialized("sqlite://") is True
    with create_storage_backend("sqlite:///:memory:") as backend:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(backend.runs.add, WorkflowRun("lakes")).result()
        assert len(backend.runs.list_runs()) == 1


def test_a_full_disk(tmp_path: Path) -> None:
    """A file system with no room for a store: nothing half made is left."""
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", place], check=False, capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")
    try:
        with pytest.raises(StorageError, match="disk is full"):
            ensure_initialized(f"sqlite:///{place / 'a.db'}")
        assert [file.name for file in place.iterdir() if not file.name.endswith(".lock")] == []
    finally:
        subprocess.run(["umount", place], check=True)
