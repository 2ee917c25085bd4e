"""What a shell offers while a command is typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from orchestrator.database.names import SchemaName
from orchestrator.ledger.layouts import upgrade_statements
from tests.support.cli_project import Told
from tests.support.told_runs import ToldRuns
from tests.support.workspaces import REPOSITORY

ID = "abcdef12-0000-0000-0000-000000000000"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project with a history, two scenarios and a parameter."""
    with ToldRuns(tmp_path / "lakes") as runs:
        runs.run(ID)
    (runs.root / "scenarios").mkdir()
    for name in ("dry.yaml", "wet.yml", "notes.txt"):
        (runs.root / "scenarios" / name).touch()
    with (runs.root / "orchestrator.yaml").open("a") as file:
        file.write('parameters: {rain: {type: number, description: "Factor\\e[2J"}}\nvars: {rain: 1, runoff: 2}\n')
    return runs.root


def offered(folder: Path, line: str, *, python: tuple[str, ...] = (), kind: str = "bash") -> Told:
    """Ask as a shell asks; the last word of the line is the one that is being typed."""
    words = line.split(" ")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "_ORCHESTRATOR_COMPLETE": f"complete_{kind}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
    }
    command = [sys.executable, *python, "-m", "orchestrator"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return Told(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("orchestrator sim", ["simulate"]),
        ("orchestrator runs sh", ["show"]),
        ("orchestrator simulate --scenario ", ["dry", "wet"]),
        ("orchestrator runs list --scenario w", ["wet"]),
        ("orchestrator plan --set vars.r", ["vars.rain=", "vars.runoff="]),
        ("orchestrator runs show ", [ID[:8]]),
        (f"orchestrator runs diff x {ID[:20]}", [ID]),
        ("orchestrator runs show b", []),
    ],
)
def test_words_are_offered(project: Path, line: str, words: list[str]) -> None:
    """Commands, scenarios, variables and ids of runs; neither dbt nor DuckDB is imported."""
    told = offered(project, line, python=("-X", "importtime"))
    assert told.exit_code == 0
    assert told.out.split() == words
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in told.err.splitlines()}
    assert not imported & {"dbt", "duckdb"}


def test_tables_are_offered_where_nobody_writes(project: Path) -> None:
    """Those of the database that the scenario has, the ledger left out; none while another process has it open."""
    (project / "scenarios" / "dry.yaml").write_text("database: var/dry.duckdb\n")
    file = project / "var" / "dry.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema other; create table other.rain as select 1 as a")
        connection.execute("create view level as select 1 as a")
        for statement in upgrade_statements(0, SchemaName("", "orchestrator")):
            connection.execute(statement)
    line = "orchestrator show --scenario dry "
    assert offered(project, line).out.split() == ["level", "other.rain"]
    with duckdb.connect(str(file)):
        assert offered(project, line).out.split() == []
    assert offered(project, "orchestrator show --scenario wet ").out.split() == []


def test_meanings_are_safe_to_show(project: Path) -> None:
    """Control characters of a description reach no terminal."""
    told = offered(project, "orchestrator plan --set vars.ra", kind="zsh")
    assert "Factor\\x1b[2J" in told.out and "\x1b" not in told.out


@pytest.mark.parametrize("breakage", ["no project", "wrong configuration", "broken history"])
def test_nothing_is_said_where_nothing_can_be_offered(project: Path, breakage: str) -> None:
    """The line that is being typed stays as it is."""
    if breakage == "no project":
        (project / "orchestrator.yaml").unlink()
    elif breakage == "wrong configuration":
        (project / "orchestrator.yaml").write_text("dbt: [}")
    else:
        (project / "var" / "orchestrator.db").write_bytes(b"not a database" * 99)
    told = offered(project, "orchestrator runs show ")
    assert (told.exit_code, told.out.strip(), told.err) == (0, "", "")
    if breakage != "broken history":
        told = offered(project, "orchestrator simulate --set v")
        assert (told.exit_code, told.out.strip(), told.err) == (0, "", "")


def test_a_shell_is_set_up(project: Path) -> None:
    """By Typer's own options, which only the bare program has."""
    command = [sys.executable, "-m", "orchestrator", "--show-completion", "bash"]
    # Else Typer looks for a shell among the processes above, and where CI or a job runs there may be none.
    environment = {"PYTHONPATH": str(REPOSITORY), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "_ORCHESTRATOR_COMPLETE=complete_bash" in done.stdout
