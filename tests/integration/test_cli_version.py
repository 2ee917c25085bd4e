"""``orchestrator version`` and ``orchestrator help``."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.support.cli_project import Told
from tests.support.workspaces import REPOSITORY


def run(folder: Path, *args: str, python: tuple[str, ...] = ()) -> Told:
    """Run a command in a folder that holds no project."""
    done = subprocess.run(
        [sys.executable, *python, "-m", "orchestrator", *args],
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Told(done.returncode, done.stdout, done.stderr)


def test_versions_are_told_without_importing_what_they_are_of(tmp_path: Path) -> None:
    """In words and as JSON; no project is needed."""
    told = run(tmp_path, "version", python=("-X", "importtime"))
    assert told.exit_code == 0, told.err
    lines = dict(line.split(maxsplit=1) for line in told.out.splitlines())
    assert lines["python"] == platform.python_version()
    assert lines["dbt-core"] == version("dbt-core")
    assert lines["dbt-duckdb"] == version("dbt-duckdb")
    assert list(lines)[:4] == ["orchestrator", "python", "dbt-core", "duckdb"]
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in told.err.splitlines()}
    assert not imported & {"dbt", "duckdb", "sqlalchemy"}
    document = json.loads(run(tmp_path, "version", "--json").out)
    assert document["adapters"]["dbt-duckdb"] == version("dbt-duckdb")
    assert document["duckdb"] == version("duckdb")
    assert "dbt-core" not in document["adapters"]
    assert run(tmp_path, "-V").out == run(tmp_path, "--version").out != ""


def test_help_is_the_help_of_the_command(tmp_path: Path) -> None:
    """Of the program, a command and a command of a group; an unknown one is a usage error."""
    for words in ((), ("show",), ("runs", "list")):
        told = run(tmp_path, "help", *words)
        assert told.exit_code == 0
        assert told.out == run(tmp_path, *words, "--help").out
    told = run(tmp_path, "help", "nonsense")
    assert told.exit_code == 2
    assert "No such command 'nonsense'" in told.err
