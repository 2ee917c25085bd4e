"""Healing of real databases: what is found, what is built, and what is left alone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import duckdb
import pytest

from orchestrator import (
    ConcurrentInitializationError,
    ConfigurationError,
    DatabaseCorruptionError,
    InitializationError,
    InitializationState,
    InitializationTimeoutError,
    TableTier,
)
from orchestrator.core.errors import DatabaseLockedError, DbtProjectError
from orchestrator.core.events import StepFinished
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.self_healing.initialization_state import InitializationResult
from tests.integration.test_dbt_runner import SLOW
from tests.support.processes import GENEROUS, dbt_processes, wait_until
from tests.support.workspaces import WarmWorkspace, Workspace

Fresh = Callable[[str], Workspace]
ALL = ["lake_level", "lake_shape", "lake_shore", "lakes", "rain", "stg_rain"]


@pytest.fixture
def reservoir(simulated: Fresh) -> Workspace:
    """A simulated reservoir."""
    return simulated("reservoir")


def findings(workspace: WarmWorkspace) -> list[tuple[str, str]]:
    """Return (table, problem) of every finding."""
    workspace.warm.runner.release()
    return [(f.table.name, f.problem.value) for f in workspace.warm.initializer.checker().findings()]


def heal(workspace: Workspace, **options: object) -> InitializationResult:
    """Heal and end the dbt process."""
    with workspace.orchestrator(**options) as orchestrator:
        return orchestrator.initializer.ensure_initialized()


def test_an_empty_database_is_healed_in_tier_order(fresh: Fresh) -> None:
    """From no file at all to every required table, each step timed and told."""
    workspace = fresh("reservoir")
    with workspace.orchestrator() as orchestrator:
        initializer = orchestrator.initializer
        states = [initializer.state]
        missing = initializer.checker().get_missing_by_tier()
        assert [table.name for table in missing[TableTier.SEED]] == ["lakes", "rain"]
        assert [table.name for table in missing[TableTier.STATE]] == ["lake_level"]
        result = initializer.ensure_initialized()
        assert initializer.checker().is_initialized()
        states.append(initializer.state)
    assert states == [InitializationState.NOT_STARTED, InitializationState.COMPLETED]
    assert [step.name for step in result.steps][-5:] == [
        "check_tables",
        "load_seeds",
        "build_foundation",
        "create_state",
        "verify",
    ]
    assert all(step.success and step.completed_at and step.completed_at >= step.started_at for step in result.steps)
    assert sorted(result.tables_created) == ALL
    assert sorted(result.missing_tables_found) == ALL
    told = [event.step for event in workspace.events if isinstance(event, StepFinished)]
    assert told == [step.name for step in result.steps]
    assert workspace.sql("select * from lake_level") == []
    columns = workspace.sql(
        "select column_name, data_type, is_nullable from duckdb_columns() where table_name = 'lake_level'"
    )
    assert columns == [("lake", "VARCHAR", False), ("water_year", "INTEGER", False), ("level", "DECIMAL(18,4)", True)]


def test_a_healthy_database_needs_no_dbt(reservoir: Workspace) -> None:
    """Nothing to do is found without a dbt process, without the mutex, and without writing."""
    heal(reservoir)
    before = reservoir.database.stat().st_mtime_ns
    with reservoir.orchestrator() as orchestrator:
        result = orchestrator.initializer.ensure_initialized()
        assert orchestrator.runner.pid is None
    assert result.state is InitializationState.COMPLETED
    assert [step.name for step in result.steps] == ["check_tables"]
    assert result.tables_created == ()
    assert reservoir.database.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("damage", "table", "problem"),
    [
        ("drop table rain", "rain", "missing"),
        ("drop table lake_shape", "lake_shape", "missing"),
        ("drop view stg_rain", "stg_rain", "missing"),
        ("drop table lakes; create view lakes as select 1 as lake", "lakes", "wrong_type"),
        ("drop table lake_shore; create view lake_shore as select 1 as i", "lake_shore", "wrong_type"),
        ("drop view stg_rain; create table stg_rain as select 1 as i", "stg_rain", "wrong_type"),
        ("delete from rain", "rain", "empty"),
        ("delete from lake_shape", "lake_shape", "empty"),
        ("alter table rain add column stray integer", "rain", "drifted"),
        ("alter table rain drop column depth", "rain", "drifted"),
        ("alter table rain alter month type varchar", "rain", "drifted"),
    ],
)
def test_each_problem_is_named_and_healed(warm: WarmWorkspace, damage: str, table: str, problem: str) -> None:
    """A damaged table is found by the right name of its problem, healed, and no simulated row is lost.

    What is built from one that has drifted is built again with it, and said to be stale.
    """
    before = warm.digests()
    warm.sql(damage)
    below = [("stg_rain", "stale")] if problem == "drifted" else []
    assert findings(warm) == [(table, problem), *below]
    healed = warm.warm.initializer.ensure_initialized()
    assert healed.missing_tables_found == (table, *(name for name, _ in below))
    assert {*healed.tables_created, *healed.tables_repaired} == {table, *(name for name, _ in below)}
    assert findings(warm) == []
    assert warm.digests() == before


def test_only_what_is_needed_is_built(warm: WarmWorkspace) -> None:
    """A dropped seed and a dropped table cost these two; every other table keeps its very storage."""
    before = warm.storage()
    warm.sql("drop table rain", "drop table lake_shore")
    plan = warm.warm.initializer.plan()
    assert [node.name for node in plan.nodes] == ["rain", "lake_shore"]
    result = warm.warm.initializer.ensure_initialized()
    assert sorted(result.tables_created) == ["lake_shore", "rain"]
    after = warm.storage()
    kept = set(before) - {"rain", "lake_shore"}
    assert kept >= {"lakes", "lake_shape", "lake_level", "inflow"}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def test_a_state_table_with_rows_is_not_rebuilt(warm: WarmWorkspace) -> None:
    """Drift in a table of simulated years is reported with what to do, and the rows stay."""
    warm.sql("alter table lake_level add column note varchar")
    with pytest.raises(InitializationError, match=r"lake_level.*rows of simulated years") as caught:
        warm.warm.initializer.ensure_initialized()
    assert caught.value.tables == ("lake_level",)
    assert "`orchestrator simulate --fresh`" in str(caught.value)
    assert warm.sql("select count(*) from lake_level") == [(6,)]


def test_a_drifted_state_table_is_built_anew_with_its_years(warm: WarmWorkspace) -> None:
    """The remedy that the refusal names mends it: with all years simulated again, no row of it is needed."""
    before = warm.digests()
    warm.sql("alter table lake_level add column note varchar")
    warm.warm.execute_multi_year_simulation(fresh=True)
    assert warm.digests() == before
    warm.sql("alter table lake_level add column note varchar")
    with pytest.raises(InitializationError, match=r"lake_level.*rows of simulated years"):
        warm.warm.initializer.ensure_initialized()  # that these rows were expendable once is over


def test_a_project_that_is_no_simulation_heals_too(simulated: Fresh) -> None:
    """With a config of one line, every seed, view and table is required."""
    workspace = simulated("plain")
    workspace.sql("drop table revenue", "drop view stg_orders")
    result = heal(workspace)
    assert sorted(result.tables_created) == ["revenue", "stg_orders"]
    assert workspace.sql("select revenue from revenue") == [(30,)]


def test_the_summary_counts_by_tier(warm: WarmWorkspace) -> None:
    """The summary tells how many tables of each tier are not ready."""
    warm.sql("drop table rain", "delete from lakes")
    checker = warm.warm.initializer.checker()
    summary = checker.get_initialization_summary()
    assert (summary.initialized, summary.required, summary.not_ready) == (False, 6, 2)
    assert summary.by_tier == (
        (TableTier.SEED, 2, 2),
        (TableTier.HOOK, 0, 0),
        (TableTier.FOUNDATION, 3, 0),
        (TableTier.STATE, 1, 0),
    )
    assert [table.name for table in checker.get_missing_tables()] == ["rain"]


@pytest.mark.parametrize("what", ["seed", "model"])
def test_a_timeout_interrupts_healing(reservoir: Workspace, no_orphans: None, what: str) -> None:
    """A slow seed or model is stopped near the limit, leaves no half table, and the next healing succeeds."""
    slow_file = reservoir.root / "dbt" / ("seeds/rain.csv" if what == "seed" else "models/foundation/lake_shore.sql")
    original = slow_file.read_text()
    table = "rain" if what == "seed" else "lake_shore"
    reservoir.sql(f"drop table {table}")
    if what == "seed":
        slow_file.write_text("month,depth\n" + "".join(f"{i},1.0\n" for i in range(3_000_000)))
    else:
        slow_file.write_text("{{ config(materialized='table', tags=['FOUNDATION']) }}\n" + SLOW)
    options = {"overrides": {"self_healing.timeout_seconds": 3}}
    with reservoir.orchestrator(**options) as orchestrator:
        orchestrator.runner.facts()
        started = time.monotonic()
        with pytest.raises(InitializationTimeoutError) as caught:
            orchestrator.initializer.ensure_initialized()
        assert time.monotonic() - started < GENEROUS
        assert orchestrator.initializer.state is InitializationState.FAILED
        assert orchestrator.runner.pid is None
    assert caught.value.exit_code == 124
    assert caught.value.tables == (table,)
    assert isinstance(caught.value, TimeoutError)
    assert DatabaseMutex(reservoir.database, run_id="probe").holder() is None
    assert caught.value.step == ("load_seeds" if what == "seed" else "build_foundation")
    assert table not in reservoir.tables()
    assert not [name for name in reservoir.tables() if "__dbt_" in name]
    slow_file.write_text(original)
    assert heal(reservoir).tables_created == (table,)


def test_ctrl_c_stops_healing(reservoir: Workspace, no_orphans: None) -> None:
    """SIGINT stops dbt, frees the mutex and leaves no half table."""
    model = reservoir.root / "dbt" / "models" / "foundation" / "lake_shore.sql"
    model.write_text("{{ config(materialized='table', tags=['FOUNDATION']) }}\n" + SLOW)
    reservoir.sql("drop table lake_shore")
    process = reservoir.python(
        "from orchestrator import create_orchestrator\n"
        "def tell(event):\n"
        "    if type(event).__name__ == 'NodeStarted': print('begun', flush=True)\n"
        "create_orchestrator('config/simulation.yaml', listeners=[tell]).execute_multi_year_simulation()\n"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, complaint = process.communicate(timeout=GENEROUS)
    assert time.monotonic() - started < GENEROUS
    assert "KeyboardInterrupt" in complaint
    assert DatabaseMutex(reservoir.database, run_id="probe").holder() is None
    assert "lake_shore" not in reservoir.tables()


def test_two_processes_heal_once(fresh: Fresh) -> None:
    """Started at the same moment on an empty workspace, one heals, the other waits and finds nothing to do."""
    workspace = fresh("reservoir")
    code = (
        "from orchestrator import create_orchestrator\n"
        "def tell(event):\n"
        "    if type(event).__name__ == 'LockWaited': print('waited for', event.pid, flush=True)\n"
        "with create_orchestrator('config/simulation.yaml', listeners=[tell],\n"
        "                         overrides={'self_healing.lock_timeout_seconds': 60}) as o:\n"
        "    r = o.execute_multi_year_simulation()\n"
        "    print('created', len(r.initialization.tables_created), flush=True)\n"
    )
    both = [workspace.python(code) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    lines = [out.splitlines() for out, _ in said]
    assert sorted(line[-1] for line in lines) == ["created 0", "created 6"]
    waiter = next(number for number, line in enumerate(lines) if line[-1] == "created 0")
    assert lines[waiter][0] == f"waited for {both[1 - waiter].pid}"


def test_a_waiter_gives_up_and_names_the_holder(reservoir: Workspace) -> None:
    """When the mutex stays held, healing says by whom and since when, and runs raise the same."""
    reservoir.sql("drop table rain")
    other = DatabaseMutex(reservoir.database, run_id="other", command="somebody else")
    options = {"overrides": {"self_healing.lock_timeout_seconds": 0.3}}
    with other.held(0), reservoir.orchestrator(**options) as orchestrator:
        with pytest.raises(ConcurrentInitializationError) as caught:
            orchestrator.initializer.ensure_initialized()
        with pytest.raises(DatabaseLockedError):
            orchestrator.execute_multi_year_simulation()
    assert (caught.value.pid, caught.value.exit_code) == (os.getpid(), 75)
    assert caught.value.since is not None
    assert caught.value.lock_path == other.lock_path
    assert "somebody else" in str(caught.value)


def test_a_corrupt_file_is_never_touched(reservoir: Workspace) -> None:
    """A damaged file is told as such, with a remedy, and stays byte for byte as it is."""
    heal(reservoir)
    for garbage in (b"this is no database" * 1000, b"SQLite format 3\0" + b"\0" * 9000):
        reservoir.database.write_bytes(garbage)
        with pytest.raises(DatabaseCorruptionError, match=r"--recreate|to another path"):
            heal(reservoir)
        assert reservoir.database.read_bytes() == garbage


def test_a_missing_seed_file_is_named(reservoir: Workspace) -> None:
    """When a seed's file is gone, it is told, with the model that reads it: the last parse knew the seed."""
    seed = reservoir.root / "dbt" / "seeds" / "rain.csv"
    seed.unlink()
    with pytest.raises(DbtProjectError, match="rain") as caught:
        heal(reservoir)
    assert "stg_rain" in str(caught.value)
    assert f"The seed file {seed} is missing" in str(caught.value)
    assert caught.value.to_fix is not None and caught.value.to_fix.startswith(f"restore {seed}")


def test_a_listed_seed_without_a_file_is_named(reservoir: Workspace) -> None:
    """A required table of the configuration whose file is gone is told with what to do."""
    tables = [{"name": "clouds", "tier": "seed"}]
    with pytest.raises(ConfigurationError, match=r"clouds: no seed file") as caught:
        heal(reservoir, overrides={"required_tables": tables})
    assert "To fix:" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("month,depth\n1,0.5\n2,not a number\n", "not a number"),
        ("month,depth\n1,0.5,9,9\n", "rain"),
        (b"month,depth\n1,\xff\xfe\n", "UTF-8"),
    ],
)
def test_a_broken_csv_names_file_and_value(reservoir: Workspace, content: str | bytes, expected: str) -> None:
    """A seed that cannot be loaded is told with its file and the database's own message."""
    seed = reservoir.root / "dbt" / "seeds" / "rain.csv"
    seed.write_bytes(content if isinstance(content, bytes) else content.encode())
    reservoir.sql("drop table rain")
    with pytest.raises((InitializationError, DbtProjectError)) as caught:
        heal(reservoir)
    assert expected in str(caught.value)
    assert "rain.csv" in str(caught.value)


def test_a_broken_model_names_node_file_and_message(reservoir: Workspace) -> None:
    """The error of a failed model carries the step, its tables, node, file and the database's message."""
    model = reservoir.root / "dbt" / "models" / "foundation" / "lake_shore.sql"
    config = "{{ config(materialized='table', tags=['FOUNDATION']) }}"
    model.write_text(config + "\nselect no_such_column from {{ ref('lakes') }}")
    reservoir.sql("drop table lake_shore")
    with reservoir.orchestrator() as orchestrator:
        with pytest.raises(InitializationError) as caught:
            orchestrator.initializer.ensure_initialized()
        failed = orchestrator.initializer.last_result
    assert (caught.value.step, caught.value.tables) == ("build_foundation", ("lake_shore",))
    for part in ("lake_shore", str(model), "no_such_column", "To fix:"):
        assert part in str(caught.value)
    assert caught.value.__cause__ is not None
    assert failed is not None
    assert failed.state is InitializationState.FAILED
    assert [step.name for step in failed.steps if step.error is not None] == ["build_foundation"]


def test_a_table_that_breaks_its_promise_fails_the_verification(reservoir: Workspace) -> None:
    """A model that runs without an error and gives no rows is not called healed."""
    model = reservoir.root / "dbt" / "models" / "foundation" / "lake_shape.sql"
    model.write_text(model.read_text() + " where false")
    reservoir.sql("drop table lake_shape")
    with pytest.raises(InitializationError, match=r"lake_shape has 0 rows") as caught:
        heal(reservoir)
    assert caught.value.step == "verify"


DISK_FULL = """
import resource
from orchestrator import create_orchestrator
from orchestrator.core.errors import DiskFullError
with create_orchestrator('config/simulation.yaml') as o:
    o.runner.facts()
    resource.prlimit(o.runner.pid, resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        o.initializer.ensure_initialized()
    except DiskFullError as error:
        print(error)
"""


def test_a_full_disk_is_told_as_such(reservoir: Workspace) -> None:
    """When the file cannot grow, the error says so and what was committed stays."""
    seed = reservoir.root / "dbt" / "seeds" / "rain.csv"
    seed.write_text("month,depth\n" + "".join(f"{i * 7919 % 1000003},{i}.25\n" for i in range(150_000)))
    reservoir.sql("drop table rain")
    process = reservoir.python(DISK_FULL)
    out, complaint = process.communicate(timeout=60)
    assert "could not grow" in out, complaint
    assert "To fix: free some disk space" in out
    assert reservoir.sql("select count(*) from lake_level") == [(6,)]


def test_a_folder_that_may_not_be_written_is_told(fresh: Fresh) -> None:
    """Without the right to write, the error names folder and remedy (as root: without its special rights)."""
    workspace = fresh("reservoir")
    (workspace.root / "var").chmod(0o555)
    drop_rights = "import ctypes; [ctypes.CDLL(None).prctl(24, c, 0, 0, 0) for c in (1, 2)]\n"
    process = workspace.python(
        drop_rights + "import subprocess, sys\n"
        "code = '''from orchestrator import create_orchestrator\n"
        'o = create_orchestrator("config/simulation.yaml")\n'
        "try: o.initializer.ensure_initialized()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "'''\n"
        "print(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout)"
    )
    out, complaint = process.communicate(timeout=60)
    (workspace.root / "var").chmod(0o755)
    assert "DatabasePermissionError" in out, complaint
    assert str(workspace.root / "var") in out
    assert "To fix:" in out


def test_a_killed_healer_frees_the_mutex(reservoir: Workspace) -> None:
    """After SIGKILL of the healing process the next healing succeeds at once."""
    model = reservoir.root / "dbt" / "models" / "foundation" / "lake_shore.sql"
    original = model.read_text()
    model.write_text("{{ config(materialized='table', tags=['FOUNDATION']) }}\n" + SLOW)
    reservoir.sql("drop table lake_shore")
    process = reservoir.python(
        "from orchestrator import create_orchestrator\n"
        "def tell(event):\n"
        "    if type(event).__name__ == 'NodeStarted': print('begun', flush=True)\n"
        "create_orchestrator('config/simulation.yaml', listeners=[tell]).initializer.ensure_initialized()\n"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.kill()
    process.communicate()
    model.write_text(original)
    wait_until(lambda: not dbt_processes(reservoir.root), "the dbt process is gone")
    assert heal(reservoir).tables_created == ("lake_shore",)
    with duckdb.connect(str(reservoir.database), read_only=True) as connection:
        assert connection.execute("select count(*) from lake_shore").fetchall() == [(2,)]
