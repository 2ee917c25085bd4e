"""Several runs, stopped and killed holders, other programs, and clocks that go back, on one database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from tests.faults.ground import Ground, wait_dead
from tests.faults.registry import Fault, Steps, fault, faults
from tests.support.cli_project import Told, wait_for_file
from tests.support.processes import wait_until

PATIENCE = ("--set", "self_healing.lock_timeout_seconds=180")
NO_PATIENCE = ("--set", "self_healing.lock_timeout_seconds=0.5")
DAYS_AHEAD = 400


def note_of(ground: Ground) -> Path:
    """Return the note of whoever holds the mutex."""
    return Path(f"{ground.database}.lock.json")


def said_by(process: subprocess.Popen[str]) -> Told:
    """Wait for a process and return what it said."""
    out, err = process.communicate(timeout=200)
    return Told(process.returncode, out, err)


def read_until(process: subprocess.Popen[str], words: str) -> None:
    """Read the progress of a process until a line holds these words."""
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"{words!r} never came: {process.communicate()}")


@faults(
    "Locks",
    Fault("two runs, one a second after the other", 0, afterwards="both end 0, one of them healed", given=(2, 1.0)),
    Fault("four runs, half a second apart", 0, afterwards="all end 0, one of them healed", given=(4, 0.5)),
    Fault("eight runs at once", 0, afterwards="all end 0, one after the other; one of them healed", given=(8, 0.0)),
)
def test_runs_wait_for_each_other(ground: Ground, one: Fault) -> Steps:
    """Started on an empty database, exactly one process heals it and each leaves the same rows."""
    assert isinstance(one.given, tuple)
    count, seconds = one.given
    ground.empty()
    processes = []
    for _ in range(count):
        processes.append(ground.start("simulate", "--json", *PATIENCE))
        time.sleep(seconds)
    told = [said_by(process) for process in processes]
    assert [one.exit_code for one in told] == [0] * count, told
    healings = [one.document()["initialization"] for one in told]
    assert sum(bool(healing["tables_created"]) for healing in healings if isinstance(healing, dict)) == 1
    assert ground.workspace.digests() == ground.undisturbed
    yield told[-1]


@fault(
    "Locks",
    Fault("the holder is killed while two others wait", 0, afterwards="both end 0, going on where it was"),
)
def test_waiters_take_over(ground: Ground) -> Steps:
    """The mutex of a killed process is free at once, and its dbt process does not stand in the way."""
    ground.empty()
    holder = ground.start("simulate")
    wait_for_file(note_of(ground))
    holder.send_signal(signal.SIGSTOP)  # else it may be done before they wait
    waiters = [ground.start("simulate", *PATIENCE) for _ in range(2)]
    for waiter in waiters:
        read_until(waiter, f"waiting for pid {holder.pid}")
    holder.kill()
    holder.communicate()
    first, second = (said_by(waiter) for waiter in waiters)
    assert (first.exit_code, second.exit_code) == (0, 0), (first, second)
    yield second


@fault(
    "Locks",
    Fault(
        "the holder is stopped (SIGSTOP) longer than another waits",
        75,
        ("is in use by pid", "simulate)", "lock_timeout_seconds"),
        afterwards="the stopped run ends 0 once it goes on",
    ),
)
def test_a_stopped_holder_keeps_the_mutex(ground: Ground) -> Steps:
    """Who waits gives up and names pid and command; the holder is not disturbed."""
    holder = ground.start("simulate")
    wait_for_file(note_of(ground))
    holder.send_signal(signal.SIGSTOP)
    told = ground("simulate", *NO_PATIENCE)
    assert f"pid {holder.pid}" in told.err, told
    holder.send_signal(signal.SIGCONT)
    assert said_by(holder).exit_code == 0
    yield told


@faults(
    "Locks",
    Fault(
        "another program has the file open for writing",
        75,
        ("is open in another program: pid", "To fix: close that program"),
        check=75,
        given="read_write",
        untouched=True,
    ),
    Fault(
        "another program has the file open for reading",
        75,
        ("is open in another program: pid", "To fix: close that program"),
        given="read_only",
        untouched=True,
    ),
)
def test_another_program_is_named(ground: Ground, one: Fault) -> Steps:
    """A plain duckdb connection of another process is waited for shortly, then told by its pid."""
    with ground.open_elsewhere(str(one.given)) as pid:
        told = ground("simulate")
        assert f"pid {pid}" in told.err, told
        yield told


@fault(
    "Locks",
    Fault(
        "the clock was set back: ledger, notes and files are from the future",
        0,
        "resuming at balance of 2002",
        afterwards="the next run goes on where the last one stopped, whatever the times say",
    ),
)
def test_times_in_the_future_decide_nothing(ground: Ground) -> Steps:
    """A run that was cut off in its last year is gone on with, though everything it wrote is of next year."""
    ground.empty()
    assert ground.killed_at({"event": "StageStarted", "year": 2002, "stage": "balance"}, "both").returncode == -9
    wait_until(ground.is_free, "the database is free")
    ahead = f"interval {DAYS_AHEAD} days"
    ground.sql(
        f"update orchestrator.stages set finished_at = finished_at + {ahead}",
        f"update orchestrator.runs set started_at = started_at + {ahead}",
        f"update orchestrator.built_tables set built_at = built_at + {ahead}",
    )
    future = time.time() + DAYS_AHEAD * 86_400
    for path in [*ground.root.rglob("*"), ground.database]:
        os.utime(path, (future, future))
    plan = ground("plan", "--json")
    assert plan.document()["resumed_from"] == {"year": 2002, "stage": "balance"}
    told = ground("simulate")
    assert ground.workspace.digests() == ground.undisturbed
    yield told


@fault(
    "Locks",
    Fault("the note of the holder is from the future", 75, ("since 0.0 s", "To fix: wait"), untouched=True),
)
def test_a_holder_from_the_future_is_told(ground: Ground) -> Steps:
    """A holder whose note is of next year is believed, and how long it holds is not told as a negative time."""
    with ground.held():
        note = json.loads(note_of(ground).read_text())
        note["since"] = note["since"].replace("20", "21", 1)
        note_of(ground).write_text(json.dumps(note))
        told = ground("simulate", *NO_PATIENCE)
    yield told


@fault(
    "Locks",
    Fault("the note of the holder is nonsense", 75, ("which left no lock note", "To fix: find"), untouched=True),
)
def test_a_holder_without_a_readable_note_is_told(ground: Ground) -> Steps:
    """Without a note that can be read, the way to find the holder is told."""
    with ground.held():
        note_of(ground).write_text("{" * 10)
        told = ground("simulate", *NO_PATIENCE)
    yield told


@fault("Locks", Fault("a lock file and a note are left of a process that is gone", 0, afterwards="both are ignored"))
def test_leftovers_of_a_holder_do_not_lock(ground: Ground) -> Steps:
    """A note without a lock held is not believed, even where a process of that number lives."""
    note = {"pid": os.getpid(), "host": os.uname().nodename, "command": "x", "run_id": "y"}
    note_of(ground).write_text(json.dumps({**note, "since": "2020-01-01T00:00:00+00:00"}))
    Path(f"{ground.database}.lock").touch()
    yield ground("simulate", *NO_PATIENCE)


@fault("Locks", Fault("the holder waits for a reader that comes and goes", 0, afterwards="the run waits shortly"))
def test_a_short_look_is_waited_for(ground: Ground) -> Steps:
    """A program that reads for a moment while the run begins does not end it."""
    with ground.open_elsewhere("read_only"):
        process = ground.start("simulate")
        read_until(process, "Simulating")
        time.sleep(1)
    assert wait_dead(process, 60) == 0
    yield said_by(process)
