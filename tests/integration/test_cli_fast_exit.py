"""How the process of a command ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.workspaces import REPOSITORY

pytestmark = pytest.mark.slow

PROGRAM = """
import atexit, sys, threading, time
from orchestrator.cli.fast_exit import allow_fast_exit, run_with_fast_exit

def command():
    atexit.register(lambda: print("last word"))
    threading.Thread(target=lambda: (time.sleep(0.2), print("a thread's word"))).start()
    class Held:
        def __del__(self):
            print("taken apart")
    global held
    held = Held()
    if sys.argv[1] == "nothing is left":
        allow_fast_exit()
    elif sys.argv[1] == "an error":
        raise LookupError("on purpose")
    return 3

sys.exit(run_with_fast_exit(command))
"""


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("nothing is left", 3, ["a thread's word", "last word"]),
        ("something is left", 3, ["a thread's word", "last word", "taken apart"]),
        ("an error", 1, ["a thread's word", "last word", "taken apart"]),
    ],
)
def test_everybody_has_the_last_word(how: str, code: int, said: list[str]) -> None:
    """Threads end, what is registered is called and written, whichever way; only the heap is left as it is."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines()) == (code, said)
    assert ("LookupError: on purpose" in done.stderr) is (how == "an error")


def test_a_full_disk_is_still_told() -> None:
    """What cannot be written at the end is told as Python tells it."""
    ends = []
    for how in ("nothing is left", "something is left"):
        with open("/dev/full", "w") as full:  # noqa: PTH123  # a device
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, how], cwd=REPOSITORY, stdout=full, stderr=subprocess.PIPE, check=False
            )
        ends.append((done.returncode, b"No space left on device" in done.stderr))
    assert ends[0] == ends[1] and ends[0][1]
