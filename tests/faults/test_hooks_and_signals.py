"""Hooks that misbehave, and requests to end at every moment."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.ground import Ground
from tests.faults.registry import Fault, Steps, fault, faults
from tests.integration.test_dbt_runner import SLOW
from tests.support.cli_project import Told, interrupt
from tests.support.processes import GENEROUS, wait_until

HOOKS = """
import os, subprocess, sys, time
from pathlib import Path

def fails(context):
    raise ValueError("the well is dry")

def exits(context):
    sys.exit(7)

def hangs(context):
    Path("hanging").touch()
    time.sleep(600)

def nonsense(context):
    return {"stop": True, "years": [1, object()]}

def child(context):
    command = [sys.executable, "-m", "orchestrator", "simulate", "--set", "self_healing.lock_timeout_seconds=1"]
    done = subprocess.run(command, capture_output=True, text=True)
    Path("child.txt").write_text(done.stderr)
    raise RuntimeError(f"the run in the hook ended with {done.returncode}")

def again(context):
    from orchestrator import create_orchestrator
    with create_orchestrator() as other:
        other.execute_multi_year_simulation()

def drops_carried(context):
    if context.year == 2001:
        context.execute("drop table lake_level")

def drops_required(context):
    if context.year == 2001:
        context.execute("drop table lake_shape")

def drops_yearly(context):
    if context.year == 2001:
        context.execute("drop table inflow")

def deletes_carried(context):
    if context.year == 2001:
        context.execute("delete from lake_level where water_year = 2000")

def wrong_sql(context):
    context.execute("selct 1")
"""


def hooked(ground: Ground, hook_type: str, function: str, **more: str) -> tuple[str, str]:
    """Write the module of hooks and return the options that register one of them."""
    (ground.root / "wells.py").write_text(HOOKS)
    return "--set", "hooks=" + json.dumps([{"type": hook_type, "call": f"wells:{function}", **more}])


NOT_STARTED = "no year is begun; the finished ones stay"
HOOK_AGAIN = "the next run calls the hook again; no finished stage is repeated"


@faults(
    "Hooks",
    Fault(
        "a hook raises",
        1,
        ("hook 'wells:fails' stopped the run (2000)", "ValueError: the well is dry"),
        0,
        NOT_STARTED,
        given=("pre_year", "fails"),
    ),
    Fault(
        "a hook's SQL is wrong",
        1,
        ("hook 'wells:wrong_sql' stopped the run (2000, flows)", "selct"),
        0,
        HOOK_AGAIN,
        given=("post_stage", "wrong_sql"),
    ),
    Fault(
        "a hook ends the program (sys.exit)",
        1,
        ("sys.exit(7)", "hook 'wells:exits'", "To fix: raise"),
        0,
        NOT_STARTED,
        given=("pre_year", "exits"),
    ),
    Fault("a hook returns nonsense", 0, (), 0, "it is ignored", given=("post_stage", "nonsense")),
    Fault(
        "a hook starts the same run in another process",
        1,
        ("hook 'wells:child' stopped the run", "ended with 75"),
        0,
        "the inner run gives up after its lock timeout and names the outer one",
        given=("pre_year", "child"),
    ),
    Fault(
        "a hook starts the same run in this process",
        75,
        ("hook 'wells:again' stopped the run", "already held by this thread"),
        0,
        "refused at once: it would wait for itself",
        given=("pre_year", "again"),
    ),
)
def test_a_hook(ground: Ground, one: Fault) -> Steps:
    """A hook that misbehaves is named with its moment, and never holds the run up."""
    assert isinstance(one.given, tuple)
    hook_type, function = one.given
    begun = time.monotonic()
    told = ground("simulate", *hooked(ground, hook_type, function))
    assert time.monotonic() - begun < GENEROUS
    if function == "child":
        assert "is in use by pid" in (ground.root / "child.txt").read_text()
    yield told


@faults(
    "Hooks",
    Fault(
        "a hook drops the table that years carry over",
        1,
        ("lake_level", "2001"),
        3,
        "the next run begins anew",
        given=("post_year", "drops_carried"),
    ),
    Fault(
        "a hook deletes rows that a finished year left",
        1,
        ("lake_level", "2000"),
        0,
        "the next run resumes at that year",
        given=("post_year", "deletes_carried"),
    ),
    Fault(
        "a hook drops a required table",
        1,
        ("inflow", "lake_shape"),
        3,
        "the next run heals it and goes on",
        given=("pre_year", "drops_required"),
    ),
    Fault(
        "a hook drops a yearly table between two stages",
        1,
        ("inflow", "2000"),
        0,
        "the next run builds its years anew",
        given=("pre_stage", "drops_yearly"),
    ),
)
def test_a_hook_that_takes_a_table(ground: Ground, one: Fault) -> Steps:
    """What the next node misses is named; the next run mends it."""
    assert isinstance(one.given, tuple)
    hook_type, function = one.given
    more = {"stage": "balance"} if hook_type == "pre_stage" else {}
    yield ground("simulate", *hooked(ground, hook_type, function, **more))
    if function == "drops_yearly":
        assert "table inflow is gone" in ground("plan").out
    ground.assert_recovers()


def events_of(ground: Ground, pid: int) -> list[dict[str, object]]:
    """Return the events so far of the run of a process."""
    for file in (ground.root / "var" / "runs").glob("*/events.jsonl"):
        events = [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]
        if events and events[0].get("pid") == pid:
            return events
    return []


def wait_for(ground: Ground, process: subprocess.Popen[str], event: str, **fields: object) -> None:
    """Wait until the run of a process has told an event."""

    def told() -> bool:
        assert process.poll() is None, process.communicate()
        return any({"event": event, **fields}.items() <= one.items() for one in events_of(ground, process.pid))

    wait_until(told, f"{event} {fields}", 60)


SHORE = "dbt/models/foundation/lake_shore.sql"
SLOW_SHORE = "{{ config(materialized='table', tags=['FOUNDATION']) }}\n" + SLOW
INFLOW = "dbt/models/yearly/inflow.sql"
SLOW_INFLOW = "{{ config(materialized='incremental', incremental_strategy='append', tags=['FLOWS']) }}\n" + SLOW
RAIN = "dbt/seeds/rain.csv"
SLOW_RAIN = "month,depth\n" + "".join(f"{i % 12 + 1},{i}.25\n" for i in range(1_200_000))


@contextmanager
def slow(ground: Ground, file: str) -> Iterator[None]:
    """Have a node take very long for a while."""
    with ground.changed(file, {SHORE: SLOW_SHORE, INFLOW: SLOW_INFLOW, RAIN: SLOW_RAIN}[file]):
        yield


IN_A_NODE = {
    "seed": (RAIN, {"event": "NodeStarted", "name": "rain"}),
    "model": (SHORE, {"event": "NodeStarted", "name": "lake_shore"}),
    "stage": (INFLOW, {"event": "NodeStarted", "name": "inflow"}),
}
SAID = "Interrupted after"
ROLLED_BACK = "what ran is rolled back"


def interrupted(ground: Ground, process: subprocess.Popen[str], *numbers: signal.Signals) -> Told:
    """Send signals in quick succession and hold the end to two seconds and some for a busy machine."""
    for number in numbers[:-1]:
        process.send_signal(number)
        time.sleep(0.05)
    return interrupt(process, numbers[-1])


@faults(
    "Interruptions",
    Fault("Ctrl-C while a seed is loaded", 130, SAID, 3, ROLLED_BACK, given=("seed", signal.SIGINT)),
    Fault("Ctrl-C while a foundation model is built", 130, SAID, 3, ROLLED_BACK, given=("model", signal.SIGINT)),
    Fault("Ctrl-C in a stage of a year", 130, SAID, 0, ROLLED_BACK, given=("stage", signal.SIGINT)),
    Fault("SIGTERM in a stage of a year", 130, SAID, 0, ROLLED_BACK, given=("stage", signal.SIGTERM)),
    Fault(
        "Ctrl-C twice in a stage of a year", 130, SAID, 0, ROLLED_BACK, given=("stage", signal.SIGINT, signal.SIGINT)
    ),
)
def test_an_interruption_in_a_node(ground: Ground, one: Fault) -> Steps:
    """The query is cancelled, the database closed, and the run ends within seconds."""
    assert isinstance(one.given, tuple)
    place, *numbers = one.given
    file, moment = IN_A_NODE[place]
    with slow(ground, file):
        process = ground.start("simulate")
        wait_for(ground, process, **moment)
        time.sleep(0.2)
        yield interrupted(ground, process, *numbers)


@faults(
    "Interruptions",
    Fault("Ctrl-C while dbt starts", 130, SAID, 0, "nothing was written", untouched=True, given=(signal.SIGINT,)),
    Fault(
        "SIGTERM and Ctrl-C while dbt starts",
        130,
        SAID,
        0,
        "nothing was written",
        untouched=True,
        given=(signal.SIGTERM, signal.SIGINT),
    ),
)
def test_an_interruption_while_dbt_starts(ground: Ground, one: Fault) -> Steps:
    """Neither the parse nor its cache is waited for."""
    assert isinstance(one.given, tuple)
    process = ground.start("simulate", cold=True)
    wait_for(ground, process, "DbtStarted")
    yield interrupted(ground, process, *one.given)


@fault("Interruptions", Fault("Ctrl-C while waiting for the lock", 130, SAID, 0, "nothing was written", untouched=True))
def test_an_interruption_of_a_waiter(ground: Ground) -> Steps:
    """Who waits can be called off; the holder is not disturbed."""
    with ground.held() as mutex:
        process = ground.start("simulate")
        wait_for(ground, process, "LockWaited")
        told = interrupt(process)
        assert mutex.held_here
    yield told


@fault("Interruptions", Fault("Ctrl-C in a hook that hangs", 130, SAID, 0, "hooks have no time limit of their own"))
def test_an_interruption_of_a_hook(ground: Ground) -> Steps:
    """A hook runs as long as it likes; Ctrl-C ends it and the run."""
    process = ground.start("simulate", *hooked(ground, "pre_year", "hangs"))
    wait_until((ground.root / "hanging").exists, "the hook hangs")
    yield interrupt(process)


@faults(
    "Interruptions",
    Fault(
        "Ctrl-C in the check of the database",
        130,
        SAID,
        0,
        "the next run goes on",
        given={"event": "StepStarted", "step": "check_tables"},
    ),
    Fault("Ctrl-C right after the purge", 130, SAID, 0, "the purged years are built", given={"event": "YearsPurged"}),
    Fault(
        "Ctrl-C between two stages",
        130,
        SAID,
        0,
        "the next run goes on there",
        given={"event": "StageFinished", "year": 2001, "stage": "flows"},
    ),
    Fault("Ctrl-C as the run ends", 130, SAID, 0, "all is finished", given={"event": "YearFinished", "year": 2002}),
)
def test_an_interruption_at_a_moment(ground: Ground, one: Fault) -> Steps:
    """Between the slow things the run ends just as well."""
    assert isinstance(one.given, dict)
    ended = ground.killed_at({**one.given, "signal": int(signal.SIGINT)}, "parent")
    yield Told(ended.returncode, ended.stdout, ended.stderr)


@faults(
    "Interruptions",
    Fault(
        "the healing takes too long in a seed",
        124,
        ("load_seeds (rain", "--timeout"),
        3,
        ROLLED_BACK,
        given=(RAIN, "self_healing.timeout_seconds=1.2"),
    ),
    Fault(
        "the healing takes too long in a model",
        124,
        ("in step build_foundation (", "--timeout"),
        3,
        ROLLED_BACK,
        given=(SHORE, "self_healing.timeout_seconds=6"),
    ),
    Fault(
        "a stage takes too long",
        124,
        ("Stage flows of 2000 did not end within 1 second", "timeout_seconds of stage flows"),
        0,
        ROLLED_BACK,
        given=(INFLOW, "stages=[{name: flows, select: 'tag:FLOWS', timeout_seconds: 1}]"),
    ),
)
def test_a_timeout(ground: Ground, one: Fault) -> Steps:
    """What runs is stopped for certain, and the message names it with the limit to raise."""
    assert isinstance(one.given, tuple)
    file, limit = one.given
    with slow(ground, file):
        yield ground("simulate", "--set", limit)


@fault("Interruptions", Fault("no time at all for the healing", 124, ("--timeout",), 3, "nothing was written"))
def test_no_time_for_the_healing(ground: Ground) -> Steps:
    """Where the time is over before anything is built, nothing is touched."""
    ground.sql("drop table rain")
    yield ground("simulate", "--timeout", "0.001")
