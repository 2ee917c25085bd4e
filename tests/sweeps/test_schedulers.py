"""Sweeps on schedulers that somebody else started: workers that share no folder, and schedulers that are gone."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from orchestrator.scenarios.folders import SweepFolder
from tests.support.processes import GENEROUS, dbt_processes, wait_until
from tests.sweeps.conftest import VARY, Swept, document

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(600)]

HIDDEN = "mount -t tmpfs none {folder} && cd {place} && exec {command}"


class Machines:
    """A scheduler, and workers in folders of their own, each in a mount namespace that hides the project."""

    def __init__(self, place: Path, project: Path) -> None:
        self._place = place
        self._project = project
        self._started: list[subprocess.Popen[bytes]] = []
        file = place / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show", "--scheduler-file", str(file)]
        self.scheduler = self._start(["distributed.cli.dask_scheduler", *options])
        wait_until(file.exists, "the scheduler is there")
        wait_until(lambda: "tcp://" in file.read_text(), "its address is known")
        self.address = file.read_text().partition('"address": "')[2].partition('"')[0]

    def add_worker(self, name: str, *, hidden: bool = True) -> subprocess.Popen[bytes]:
        """Start a worker; ``hidden`` it sees an empty folder in the place of the project."""
        folder = self._place / name
        folder.mkdir()
        options = ["--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", "--no-nanny"]
        args = ["distributed.cli.dask_worker", self.address, *options, "--local-directory", str(folder)]
        return self._start(args, folder if hidden else None)

    def _start(self, args: list[str], hidden: Path | None = None) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *args]
        if hidden is not None:
            words = HIDDEN.format(
                folder=shlex.quote(str(self._project)), place=shlex.quote(str(hidden)), command=shlex.join(command)
            )
            command = ["unshare", "-m", "sh", "-c", words]
        log = (self._place / f"{len(self._started)}.log").open("wb")
        with log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._place)
        self._started.append(process)
        return process

    def close(self) -> None:
        """End all of it."""
        for process in reversed(self._started):
            process.kill()
            process.wait()


def can_hide() -> bool:
    """Tell whether this user may have a mount namespace of their own."""
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


@contextmanager
def machines(swept: Swept, place: Path) -> Iterator[Machines]:
    """Have a scheduler for a while."""
    found = Machines(place, swept.root)
    try:
        yield found
    finally:
        found.close()
        wait_until(lambda: not dbt_processes(place), "no dbt process is left", 30)


@pytest.mark.skipif(not can_hide(), reason="needs a mount namespace, which this user may not have")
def test_workers_that_share_nothing_give_the_same_rows(swept: Swept, tmp_path: Path) -> None:
    """The project goes there as a bundle; rows, databases and events come back."""
    (swept.root / ".env").write_text("SECRET=1\n")
    with machines(swept, tmp_path) as far:
        far.add_worker("one")
        far.add_worker("two")
        told = swept.sweep(*VARY, "--scheduler", far.address)
        assert told.exit_code == 0, told.err
        assert not [file for file in tmp_path.rglob("*") if file.name in (".env", "simulation.duckdb")]
        assert list(tmp_path.rglob("dbt_project.yml"))
        wait_until(lambda: not dbt_processes(tmp_path), "workers that have no member keep no dbt process")
    levels = swept.results("select * from lake_level order by all")
    near = swept("sweep", "run", "--name", "near", *VARY, "--workers", "1")
    assert near.exit_code == 0, near.err
    with duckdb.connect(str(SweepFolder.of(swept.root, "near").results_database), read_only=True) as connection:
        assert connection.execute("select * from lake_level order by all").fetchall() == levels
    assert len(levels) == 12
    assert document(swept.sweep(*VARY, "--json"))["kept"] == 2
    assert swept.results("select * from lake_level order by all") == levels
    listed = swept("runs", "list", "--sweep", "s", "--json").document()["runs"]
    assert isinstance(listed, list) and len(listed) == 2


def test_a_scheduler_that_is_not_there_is_named(swept: Swept) -> None:
    """In one paragraph, with exit code 1."""
    told = swept.sweep(*VARY, "--scheduler", "tcp://127.0.0.1:9")
    assert told.exit_code == 1
    assert "The scheduler tcp://127.0.0.1:9 cannot be reached" in told.err and "To fix: " in told.err


def test_a_scheduler_that_dies_ends_the_sweep_and_the_next_call_goes_on(swept: Swept, tmp_path: Path) -> None:
    """Its workers stop what they do; another call, here with workers of our own, completes it."""
    with machines(swept, tmp_path) as far:
        far.add_worker("one", hidden=False)
        process = swept.start("sweep", "run", "--name", "s", *VARY, "--scheduler", far.address)
        swept.wait_working()
        far.scheduler.kill()
        _, err = process.communicate(timeout=GENEROUS)
        assert process.returncode == 1, err
        assert "The connection to the scheduler was lost" in err and "To fix: " in err
    again = swept.sweep(*VARY, "--workers", "1")
    assert again.exit_code == 0, again.err


def test_a_member_whose_client_is_killed_stops(swept: Swept, tmp_path: Path) -> None:
    """Nobody wants it any more: the worker of a foreign scheduler ends it by itself."""
    with machines(swept, tmp_path) as far:
        far.add_worker("one", hidden=False)
        process = swept.start("sweep", "run", "--name", "s", *VARY, "--scheduler", far.address)
        swept.wait_working()
        process.kill()
        process.communicate()
        wait_until(lambda: not dbt_processes(swept.root), "the member has stopped", 60)
    assert swept.sweep(*VARY, "--workers", "1").exit_code == 0


def test_a_member_that_ends_between_two_commands_of_dbt_leaves_no_process(swept: Swept, tmp_path: Path) -> None:
    """Its dbt process is idle when it is cancelled, and nobody else wants that."""
    swept.hold_members()
    with machines(swept, tmp_path) as far:
        far.add_worker("one", hidden=False)
        process = swept.start("sweep", "run", "--name", "s", *VARY, "--scheduler", far.address)
        swept.wait_held()
        process.kill()
        process.communicate()
        swept.let_go()
        wait_until(lambda: not dbt_processes(swept.root), "its dbt process has ended")
