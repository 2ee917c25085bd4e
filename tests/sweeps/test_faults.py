"""Sweeps whose workers, parent or scheduler die, or that somebody stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import dask
import psutil
import pytest

from orchestrator.scenarios.cluster import local_cluster
from orchestrator.scenarios.environment import before_workers
from orchestrator.scenarios.plan import Member
from tests.support.processes import GENEROUS, wait_until
from tests.support.workspaces import PreparedProjects
from tests.sweeps.conftest import VARY, Swept

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(600)]


def lake_levels(swept: Swept) -> list[tuple[object, ...]]:
    """Return all gathered rows."""
    return swept.results("select * from lake_level order by all")


@pytest.fixture(scope="module")
def expected(prepared: PreparedProjects) -> list[tuple[object, ...]]:
    """Return the rows of a sweep that nobody disturbed."""
    workspace = prepared.lay("reservoir", simulated=False)
    undisturbed = Swept(workspace.root, workspace.database)
    done = undisturbed.sweep(*VARY, "--seeds", "1-2", "--workers", "2")
    assert done.exit_code == 0, done.err
    return lake_levels(undisturbed)


def test_a_member_whose_worker_is_killed_is_tried_again(swept: Swept) -> None:
    """Killed in the middle of its first year, it is taken up again, and all of it is there."""
    swept.hold_members()
    process = swept.start("sweep", "run", "--name", "s", *VARY, "--workers", "1")
    (worker,) = swept.wait_held()
    os.kill(worker, signal.SIGKILL)
    swept.let_go()
    out, err = process.communicate(timeout=GENEROUS * 2)
    assert process.returncode == 0, err
    assert "attempt 1 failed and is tried again: The process of the worker ended" in out
    assert sorted(state.attempts for state in swept.states().values()) == [1, 2]
    assert swept.results("select count(*) from lake_level") == [(12,)]


def test_a_member_whose_worker_is_always_killed_fails_alone(swept: Swept) -> None:
    """After its retries it is reported; the others complete."""
    swept.hold_members()
    process = swept.start("sweep", "run", "--name", "s", *VARY, "--workers", "1", "--retries", "0")
    (worker,) = swept.wait_held()
    os.kill(worker, signal.SIGKILL)
    swept.let_go()
    out, err = process.communicate(timeout=GENEROUS * 2)
    assert process.returncode == 1, err
    assert sorted(swept.statuses()) == ["done", "failed"]
    assert "Failed: " in out and "To fix: run the same command again" in out
    again = swept.sweep(*VARY, "--workers", "1")
    assert again.exit_code == 0, again.err
    assert swept.statuses() == ["done", "done"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_every_worker_and_the_next_call_goes_on(
    expected: list[tuple[object, ...]], swept: Swept, number: signal.Signals
) -> None:
    """Dbt processes included; the rows are those of a sweep that nobody disturbed."""
    process = swept.start("sweep", "run", "--name", "s", *VARY, "--seeds", "1-2", "--workers", "2")
    swept.wait_working()
    process.send_signal(number)
    _, err = process.communicate(timeout=GENEROUS)
    assert process.returncode == 130, err
    assert "Interrupted after" in err
    swept.wait_nothing_left()
    assert "running" not in swept.statuses()
    again = swept.sweep(*VARY, "--seeds", "1-2", "--workers", "1")
    assert again.exit_code == 0, again.err
    assert lake_levels(swept) == expected


def test_another_terminal_stops_a_sweep(swept: Swept) -> None:
    """It ends with 130, and `sweep cancel` returns when it has."""
    # So many that it cannot be done before the other command has started.
    process = swept.start("sweep", "run", "--name", "s", *VARY, "--seeds", "1-40", "--workers", "2")
    swept.wait_working()
    done = swept("sweep", "cancel", "s")
    out, err = process.communicate(timeout=GENEROUS)
    assert (done.exit_code, process.returncode) == (0, 130), err
    assert "Stopped s" in done.out and "the same command goes on" in out
    swept.wait_nothing_left()
    assert swept("sweep", "cancel", "s").out.strip() == "s is not running."


def test_workers_end_when_their_parent_is_killed(swept: Swept) -> None:
    """So do dbt processes, by themselves; the next call goes on."""
    process = swept.start("sweep", "run", "--name", "s", *VARY, "--workers", "2")
    swept.wait_working()
    process.kill()
    process.communicate()
    swept.wait_nothing_left()
    assert "stopped" in swept("sweep", "status", "s").out
    again = swept.sweep(*VARY, "--workers", "1")
    assert again.exit_code == 0, again.err


def test_two_at_once_are_one_too_many(swept: Swept) -> None:
    """The second is refused at once, and told who runs it."""
    swept.hold_members()
    process = swept.start("sweep", "run", "--name", "s", *VARY, "--workers", "1")
    swept.wait_held()
    second = swept.sweep(*VARY, "--workers", "1")
    assert second.exit_code == 75
    assert f"is already run by pid {process.pid}" in second.err and "sweep cancel s" in second.err
    deleted = swept("sweep", "delete", "s", "--yes")
    assert deleted.exit_code == 75
    assert "running" in swept("sweep", "status").out
    swept.let_go()
    process.communicate(timeout=GENEROUS)
    assert process.returncode == 0
    wait_until(lambda: swept("sweep", "list").out.count("done") >= 1, "it is done")


def mounted(swept: Swept, size: str) -> bool:
    """Have a small disk in the place of a member's folder; False where this user may not."""
    member = Member.of("baseline", None, {"vars.rain_factor": 2})
    folder = swept.folder.member(member.key).path
    folder.mkdir(parents=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=False)
    return done.returncode == 0


def test_a_full_disk_fails_one_member_and_room_mends_it(swept: Swept) -> None:
    """The member that had no room is named; the other one completes, and so does the next call."""
    if not mounted(swept, "16k"):
        pytest.skip("this user may not mount a file system")
    folder = swept.folder.member(Member.of("baseline", None, {"vars.rain_factor": 2}).key).path
    try:
        told = swept.sweep(*VARY, "--retries", "0", "--workers", "1", "--json")
        found = json.loads(told.out)
        assert told.exit_code == 1, told.err
        assert found["counts"] == {"done": 1, "failed": 1}
        (failed,) = [one for one in found["members"] if one["status"] == "failed"]
        assert any(word in failed["message"] for word in ("could not grow", "No space left")), failed
        assert swept.results("select distinct rain_factor from lake_level") == [(1,)]
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    again = swept.sweep(*VARY, "--workers", "1")
    assert again.exit_code == 0, again.err


def test_nothing_listens_beyond_this_machine_and_nothing_is_served(swept: Swept) -> None:
    """Every port of a sweep and its workers is on 127.0.0.1; no page is there."""
    swept.hold_members()
    process = swept.start("sweep", "run", "--name", "s", *VARY, "--workers", "1")
    workers = swept.wait_held()
    ports = [place for pid in (process.pid, *workers) for place in listening(pid)]
    assert len(ports) >= 3
    assert {address for address, _ in ports} == {"127.0.0.1"}
    assert 8787 not in [port for _, port in ports]
    swept.let_go()
    process.communicate(timeout=GENEROUS)
    assert process.returncode == 0


def listening(pid: int) -> list[tuple[str, int]]:
    """Return where a process listens."""
    return [(c.laddr.ip, c.laddr.port) for c in psutil.Process(pid).net_connections("inet") if c.status == "LISTEN"]


def test_dask_is_told_what_its_defaults_would_do_wrong() -> None:
    """A slow restart is not given up, one failure is one, a worker has one member at a time, and dbt its environment.

    What Dask sets for the interpreter of a worker would keep a zygote from forking the dbt processes of members.
    """
    of_dask = before_workers()
    assert {"PYTHONHASHSEED", "OMP_NUM_THREADS"} <= set(of_dask)
    with local_cluster(1) as cluster:
        assert before_workers() == of_dask
        for name, value in of_dask.items():
            assert list(cluster.client.run(os.getenv, name).values()) == [value]
        assert dask.config.get("distributed.deploy.lost-worker-timeout") == "24h"
        assert dask.config.get("distributed.scheduler.allowed-failures") == 0
        assert dask.config.get("distributed.scheduler.worker-saturation") == 1.0
        assert cluster.client.scheduler.address.startswith("tls://127.0.0.1:")
        assert cluster.local is not None and len(cluster.local.workers) == 1
    assert dask.config.get("distributed.deploy.lost-worker-timeout") == "15s"
    assert before_workers() == of_dask


def test_a_model_that_is_edited_while_a_sweep_runs_is_named(swept: Swept) -> None:
    """Members before and after it are not of one project; the next call makes them so."""
    swept.hold_members()
    process = swept.start("sweep", "run", "--name", "s", *VARY, "--workers", "1", "--keep", "inflow")
    swept.wait_held()
    model = swept.root / "dbt" / "models" / "yearly" / "inflow.sql"
    model.write_text(model.read_text().replace("r.depth", "2 * r.depth"))
    swept.let_go()
    out, err = process.communicate(timeout=GENEROUS * 2)
    assert process.returncode == 0, err
    assert "changed   dbt/models/yearly/inflow.sql: 1 member read it as it was before" in out
    again = swept("sweep", "resume", "s")
    assert (again.exit_code, "changed " in again.out) == (0, False), again.err
    twice = "sum(volume) filter (rain_factor = 2) = 2 * sum(volume) filter (rain_factor = 1)"
    assert swept.results(f"select {twice} from inflow") == [(True,)]
