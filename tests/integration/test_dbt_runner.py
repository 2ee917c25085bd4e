"""The warm dbt process, and the traps that it must not fall into."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from orchestrator.core.errors import (
    ConfigurationError,
    DatabaseLockedError,
    DbtError,
    DbtProcessError,
    DbtProjectError,
    DbtTimeoutError,
    NodeFailedError,
    NothingSelectedError,
)
from orchestrator.core.events import NodeFinished, NodeStarted, ProjectParsedAgain
from orchestrator.dbt_runner.process.runner import DbtRunner
from tests.support.processes import dbt_processes, wait_until
from tests.support.programs import run_python, start_python
from tests.support.workspaces import WarmWorkspace, Workspace

SLOW = "select count(*) as n from range(100000000000) a(i), range(100000) b(j)"


@pytest.fixture
def reservoir(simulated: Callable[[str], Workspace]) -> Workspace:
    """A simulated reservoir."""
    return simulated("reservoir")


@pytest.fixture
def runner(reservoir: Workspace) -> Iterator[DbtRunner]:
    """A runner on it; its process ends with the test."""
    with reservoir.orchestrator() as orchestrator:
        yield orchestrator.runner


def test_values_keep_their_types(warm: WarmWorkspace) -> None:
    """Dates and decimals cross the process border as what they are."""
    runner = warm.warm.runner
    rows = runner.query("select date '2025-12-31', 1.50::decimal(6,2), 7, null, 'x'")
    assert rows == [(dt.date(2025, 12, 31), decimal.Decimal("1.50"), 7, None, "x")]


def test_commands_report_nodes_live_and_in_their_result(warm: WarmWorkspace) -> None:
    """Each node is announced when it starts and ends, and stands in the result with its file."""
    runner = warm.warm.runner
    result = runner.seed("lakes")
    assert [(n.name, n.resource_type, n.status, n.rows, n.file) for n in result.nodes] == [
        ("lakes", "seed", "success", 2, "seeds/lakes.csv")
    ]
    names = [(type(e), e.name) for e in warm.events if isinstance(e, (NodeStarted, NodeFinished))]
    assert names == [(NodeStarted, "lakes"), (NodeFinished, "lakes")]


def test_a_node_tells_what_its_statements_took(warm: WarmWorkspace) -> None:
    """Of the time of a node the part of its SQL is known, in every run anew."""
    for _ in range(2):
        warm.events.clear()
        warm.warm.runner.run("stg_rain")
        (node,) = [event for event in warm.events if isinstance(event, NodeFinished)]
        assert 0 < node.sql_seconds < node.seconds


def test_relations_and_columns_come_from_the_catalog(warm: WarmWorkspace) -> None:
    """Relations are what exists, columns are typed as the database says."""
    runner = warm.warm.runner
    assert {"lakes", "rain", "stg_rain", "lake_level"} <= {name.name for name in runner.relations()}
    assert runner.columns("rain") == (("month", "INTEGER"), ("depth", "DECIMAL(10,2)"))
    with pytest.raises(LookupError, match="no table clouds"):
        runner.columns("clouds")


def test_leftover_temporary_relations_are_not_tables(warm: WarmWorkspace) -> None:
    """What a killed dbt leaves under a temporary name is not counted (trap 10)."""
    runner = warm.warm.runner
    runner.execute(["create table lakes__dbt_tmp as select 1 as i", "create table lakes__dbt_backup as select 1 as i"])
    assert not [name for name in runner.relations() if "__dbt_" in name.name]


def test_an_ephemeral_model_serves_every_year(fresh: Callable[[str], Workspace]) -> None:
    """dbt writes into the manifest it is given; every invocation gets its own copy (trap 1)."""
    workspace = fresh("ephemeral")
    workspace.simulate()
    assert workspace.sql("select yr, square from squares order by 1") == [(1, 1), (2, 4), (3, 9)]


def test_a_year_in_config_and_refs_is_parsed_anew(fresh: Callable[[str], Workspace]) -> None:
    """An alias and a ref that depend on the year follow it (trap 2)."""
    workspace = fresh("year_in_config")
    workspace.simulate()
    assert workspace.sql("select parity, yr from parity_of_year order by yr") == [
        ("even", 2010),
        ("odd", 2011),
        ("even", 2012),
    ]
    assert workspace.sql("select yr from of_year_2012") == [(2012,)]
    (workspace.root / "dbt" / "models" / "more.sql").write_text("select 1 as one")
    workspace.simulate()
    reasons = [event.reason for event in workspace.events if isinstance(event, ProjectParsedAgain)]
    assert len(reasons) == 2
    assert "is another in this year" in reasons[0]


def test_an_ordinary_project_is_parsed_once(fresh: Callable[[str], Workspace]) -> None:
    """Where the year stands in plain SQL only, one parse serves all years."""
    workspace = fresh("ephemeral")
    workspace.simulate()
    assert not [event for event in workspace.events if isinstance(event, ProjectParsedAgain)]


def test_a_selector_without_nodes_is_an_error(warm: WarmWorkspace) -> None:
    """dbt calls an empty selection a success; we do not (trap 3)."""
    runner = warm.warm.runner
    with pytest.raises(NothingSelectedError, match="tag:NOBODY matched no node"):
        runner.run("tag:NOBODY")
    with pytest.raises(NothingSelectedError):
        runner.test("stg_rain")


def test_exact_names_run_exactly_these(warm: WarmWorkspace) -> None:
    """A node chosen by its id runs alone, also where its name begins another's."""
    runner = warm.warm.runner
    facts = runner.facts()
    node = facts.buildable("lake_shape")
    assert node is not None
    assert [n.name for n in runner.run_nodes("run", [node]).nodes] == ["lake_shape"]


def test_a_seed_killed_half_way_keeps_its_old_rows(reservoir: Workspace) -> None:
    """Without --full-refresh a killed dbt seed leaves the rows that were there (trap 4)."""
    with reservoir.orchestrator() as orchestrator:
        orchestrator.runner.facts()
    seed = reservoir.root / "dbt" / "seeds" / "rain.csv"
    seed.write_text("month,depth\n" + "".join(f"{i},1.0\n" for i in range(200_000)))
    begun = threading.Event()
    with reservoir.orchestrator() as orchestrator:
        runner = orchestrator.runner
        runner._emit = lambda event: begun.set() if isinstance(event, NodeStarted) else None
        runner.facts()
        pid = runner.pid
        assert pid is not None

        def kill() -> None:
            begun.wait(30)
            os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(DbtProcessError, match="SIGKILL"):
            runner.seed("rain")
        killer.join()
    assert reservoir.sql("select count(*) from rain") == [(3,)]


def test_release_frees_the_file(warm: WarmWorkspace) -> None:
    """dbt-duckdb keeps the file locked after a command; release() lets go for certain (trap 5)."""
    runner = warm.warm.runner
    runner.run("lake_shape")
    assert _opens_elsewhere(warm) is False
    runner.release()
    assert _opens_elsewhere(warm) is True
    assert runner.query("select count(*) from lakes") == [(2,)]


def test_errors_come_from_this_invocation(reservoir: Workspace, runner: DbtRunner) -> None:
    """A run_results.json of an earlier failure changes nothing (trap 6)."""
    target = reservoir.root / "dbt" / "target"
    target.mkdir()
    (target / "run_results.json").write_text('{"results": [{"status": "error", "message": "old news"}]}')
    assert runner.run("lake_shape").failures == ()
    (reservoir.root / "dbt" / "models" / "broken.sql").write_text("select nothing from lakes")
    runner.close()
    with pytest.raises(NodeFailedError) as caught:
        runner.run("broken")
    text = str(caught.value)
    assert "Model broken" in text
    assert str(reservoir.root / "dbt" / "models" / "broken.sql") in text
    assert 'column "nothing"' in text.lower().replace("referenced ", "")
    assert "old news" not in text


def test_a_foreign_program_on_the_file_is_named(reservoir: Workspace) -> None:
    """A lock conflict arrives without results; it becomes an error that names the holder (trap 6)."""
    code = f"import duckdb; c = duckdb.connect({str(reservoir.database)!r}); print(1, flush=True); input()"
    holder = start_python(["-c", code], stdin=subprocess.PIPE, stderr=None)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with reservoir.orchestrator() as orchestrator, pytest.raises(DatabaseLockedError) as caught:
            orchestrator.runner.run("lake_shape")
        assert caught.value.pid == holder.pid
        assert "To fix:" in str(caught.value)
    finally:
        holder.communicate("\n")


def test_a_short_look_from_outside_is_waited_out(warm: WarmWorkspace) -> None:
    """Another process that reads the file for a moment does not fail the run."""
    runner = warm.warm.runner
    runner.facts()
    code = (
        f"import duckdb, time; c = duckdb.connect({str(warm.database)!r}, read_only=True); "
        "print(1, flush=True); time.sleep(1)"
    )
    reader = start_python(["-c", code], stderr=None)
    assert reader.stdout is not None
    reader.stdout.readline()
    assert runner.run("lake_shape").failures == ()
    reader.wait()
    reader.stdout.close()


@pytest.mark.parametrize("kind", ["query", "model"])
def test_a_timeout_interrupts(reservoir: Workspace, kind: str) -> None:
    """A command that outlives its time is stopped, its process is gone, and the next command works."""
    (reservoir.root / "dbt" / "models" / "slow.sql").write_text("{{ config(materialized='table') }}\n" + SLOW)
    with reservoir.orchestrator() as orchestrator:
        runner = orchestrator.runner
        runner.facts()
        pid = runner.pid
        assert pid in dbt_processes(reservoir.root)
        command = partial(runner.query, SLOW) if kind == "query" else partial(runner.run, "slow")
        with pytest.raises(DbtTimeoutError):
            command(timeout=1.5)
        assert pid not in dbt_processes(reservoir.root)
        assert _opens_elsewhere(reservoir) is True
        assert runner.query("select count(*) from lakes") == [(2,)]


def test_a_killed_parent_leaves_no_orphan(reservoir: Workspace) -> None:
    """SIGKILL of the parent ends the dbt process within two seconds, also in the middle of a query."""
    parent = reservoir.python(
        "from orchestrator import create_orchestrator\n"
        "o = create_orchestrator('config/simulation.yaml')\n"
        "o.runner.facts(); print(o.runner.pid, flush=True)\n"
        f"o.runner.query('{SLOW}')"
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    wait_until(lambda: pid not in dbt_processes(reservoir.root), "the dbt process is gone")


def killed(runner: DbtRunner) -> int:
    """Kill the dbt process and wait until that shows; return its pid."""
    pid = runner.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: runner.pid is None, "it is gone")
    return pid


def test_a_process_that_dies_in_use_costs_one_command(warm: WarmWorkspace) -> None:
    """When the process dies between two commands, the next one says so, and the one after starts a new process."""
    runner = warm.warm.runner
    runner.facts()
    first = killed(runner)
    with pytest.raises(DbtProcessError, match="The dbt process"):
        runner.query("select 1")
    assert runner.query("select 1") == [(1,)]
    assert runner.pid != first


def test_a_process_that_dies_unused_is_replaced(warm: WarmWorkspace) -> None:
    """When the process dies after the database was released, the next command starts a new one."""
    runner = warm.warm.runner
    runner.facts()
    runner.release()
    first = killed(runner)
    assert runner.query("select 1") == [(1,)]
    assert runner.pid != first


def test_a_failed_transaction_leaves_nothing(warm: WarmWorkspace) -> None:
    """Statements of one execute() take effect together or not at all."""
    runner = warm.warm.runner
    with pytest.raises(DbtError, match="refused a statement"):
        runner.execute(["delete from lakes", "delete from nowhere"])
    assert runner.query("select count(*) from lakes") == [(2,)]
    assert runner.execute(["delete from lakes where lake = 'upper'", "delete from rain"]) == [1, 3]


def test_a_project_that_does_not_parse_says_where(reservoir: Workspace, runner: DbtRunner) -> None:
    """A broken ref is told with the model and the missing name, whenever it is asked, until it is mended."""
    (reservoir.root / "dbt" / "models" / "lost.sql").write_text("select * from {{ ref('nobody') }}")
    for _ in range(2):
        with pytest.raises(DbtProjectError, match="nobody"):
            runner.facts(timeout=60)
    (reservoir.root / "dbt" / "models" / "lost.sql").unlink()
    assert runner.facts(timeout=60).buildable("lake_level") is not None


def test_a_missing_profile_says_where_it_was_looked_for(reservoir: Workspace, runner: DbtRunner) -> None:
    """Without profiles.yml the error names profile and folder, and how to mend it."""
    (reservoir.root / "dbt" / "profiles.yml").write_text("another: {target: dev, outputs: {}}\n")
    with pytest.raises(DbtProjectError) as caught:
        runner.facts()
    assert "reservoir" in str(caught.value)
    assert "profile" in str(caught.value)


def test_another_database_in_the_profile_is_refused(reservoir: Workspace, runner: DbtRunner) -> None:
    """A profile that ignores the configured database is not run against the wrong file."""
    profile = reservoir.root / "dbt" / "profiles.yml"
    profile.write_text("reservoir: {target: dev, outputs: {dev: {type: duckdb, path: elsewhere.duckdb}}}\n")
    with pytest.raises(ConfigurationError, match=r"elsewhere\.duckdb") as caught:
        runner.facts()
    assert "ORCHESTRATOR_DATABASE" in str(caught.value)
    assert not (reservoir.root / "elsewhere.duckdb").exists()


def test_facts_of_an_unchanged_project_need_no_dbt(reservoir: Workspace) -> None:
    """After one parse the facts are known without a dbt process, until a file changes."""
    with reservoir.orchestrator() as orchestrator:
        facts = orchestrator.runner.facts()
    with reservoir.orchestrator() as orchestrator:
        assert orchestrator.runner.known_facts() == facts
        assert orchestrator.runner.current_facts() == facts
        assert orchestrator.runner.pid is None
        model = reservoir.root / "dbt" / "models" / "foundation" / "lake_shape.sql"
        model.write_text(model.read_text() + " where true")
        assert orchestrator.runner.known_facts() is None
        assert orchestrator.runner.current_facts() != facts
        assert orchestrator.runner.pid is not None


def _opens_elsewhere(workspace: Workspace) -> bool:
    code = f"import duckdb; duckdb.connect({str(workspace.database)!r})"
    return run_python(["-c", code]).returncode == 0
