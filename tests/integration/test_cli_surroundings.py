"""What surrounds a command: its standard streams, the folder that it is called in, signals before it has begun."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli_project import Told
from tests.support.workspaces import REPOSITORY

FULL = Path("/dev/full")
ENVIRONMENT = {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "80"}


def command(*args: str) -> list[str]:
    """Return a command as the system starts it."""
    return [sys.executable, "-m", "orchestrator", *args]


@pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize(
    "args", [["--version"], ["--help"], ["help"], ["version"], ["version", "--json"], ["check", "--json"]]
)
def test_a_full_standard_output_is_told_in_one_paragraph(tmp_path: Path, args: list[str]) -> None:
    """Whoever writes: Typer, a console, the JSON document; an error that is told anyhow is told alone."""
    with FULL.open("w") as full:
        done = subprocess.run(
            command(*args), cwd=tmp_path, env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    if args[0] == "check":  # there is no project
        assert done.returncode == 2 and "Standard output" not in done.stderr
        assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
        return
    assert done.stderr == (
        "Error: Standard output cannot be written: No space left on device.\n"
        "To fix: free space there, or write elsewhere\n"
    )
    assert done.returncode == 1


@pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")
def test_a_full_standard_error_changes_no_result(tmp_path: Path) -> None:
    """The JSON document is written, and the exit code is that of the command."""
    with FULL.open("w") as full:
        done = subprocess.run(
            command("check", "--json"),
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            check=False,
        )
    assert (done.returncode, json.loads(done.stdout)["exit_code"]) == (2, 2)


@pytest.mark.parametrize("args", [["check"], ["new"], ["runs", "list", "--json"], ["simulate", "--config", "x.yaml"]])
def test_the_current_folder_is_gone(tmp_path: Path, args: list[str]) -> None:
    """A shell may stand in a folder that somebody has removed."""
    folder = tmp_path / "gone"
    folder.mkdir()
    line = ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", *command(*args)]
    done = subprocess.run(line, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    told = Told(done.returncode, done.stdout, done.stderr)
    assert told.exit_code == 2
    assert "The current folder is gone" in told.err and "To fix: cd to a folder that exists" in told.err
    if "--json" in args:
        assert told.error()["to_fix"] == "cd to a folder that exists"


EARLY = """
import os, runpy, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "orchestrator.cli":
            os.kill(os.getpid(), int(sys.argv[1]))

sys.meta_path.insert(0, Finder())
runpy.run_module("orchestrator", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_before_the_first_import(tmp_path: Path, number: signal.Signals) -> None:
    """The process ends as one that is interrupted later: with 130 and a sentence, and without a traceback."""
    line = [sys.executable, "-c", EARLY, str(int(number))]
    done = subprocess.run(line, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "Interrupted; run the same command again.\n")


def test_hangups_that_are_ignored_stay_so(tmp_path: Path) -> None:
    """As under nohup."""
    ignoring = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{EARLY}"
    line = [sys.executable, "-c", ignoring, str(int(signal.SIGHUP))]
    done = subprocess.run(line, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Interrupted" not in done.stderr
