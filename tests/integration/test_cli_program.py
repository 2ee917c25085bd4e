"""The program around the commands: help, version, usage errors, what it imports."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.support.cli_project import Cli
from tests.support.processes import dbt_processes
from tests.support.workspaces import REPOSITORY


def test_help_is_light_and_names_every_command(lakes: Cli) -> None:
    """--help imports neither dbt, duckdb, pydantic's models of ours nor SQLAlchemy."""
    told = lakes("--help", python=["-X", "importtime"])
    assert told.exit_code == 0
    for command in ("simulate", "check", "init", "plan", "doctor"):
        assert command in told.out
    imported = {line.rpartition("|")[2].strip() for line in told.err.splitlines()}
    assert "orchestrator.cli.app" in imported
    assert not imported & {"dbt", "duckdb", "sqlalchemy", "orchestrator.config.simulation", "orchestrator.factory"}


def test_a_healthy_check_is_light(lakes: Cli) -> None:
    """A look that finds nothing imports only what it needs: no run, no history, no progress, no other command."""
    shutil.rmtree(lakes.root / "var" / "backups", ignore_errors=True)  # of other tests: it is looked into
    assert lakes("check").exit_code == 0  # after other tests no parse of this project may be kept
    told = lakes("check", python=["-X", "importtime"])
    assert told.exit_code == 0
    imported = {line.rpartition("|")[2].strip() for line in told.err.splitlines()}
    assert "orchestrator.wiring" in imported
    ours = ("cli.simulate", "factory", "pipeline.orchestrator", "database.mutex", "cli.progress.progress", "storage")
    heavy = {"dbt", "sqlalchemy", "filelock", "multiprocessing"}
    assert not imported & {*heavy, *(f"orchestrator.{name}" for name in ours)}


@pytest.mark.parametrize("args", [["--nonsense"], ["--scenario", "dry"], ["2003-1999"], ["--help"], ["--dry-run"]])
def test_a_run_that_does_not_begin_leaves_no_dbt_process(lakes: Cli, args: list[str]) -> None:
    """The dbt process that was started before anybody knew better is gone when the command is."""
    told = lakes("simulate", *args)
    assert told.exit_code == (0 if args[0] in {"--help", "--dry-run"} else 2)
    assert dbt_processes(lakes.root) == []


def test_version(lakes: Cli) -> None:
    """--version says who it is."""
    told = lakes("--version", cold=True)
    assert told.exit_code == 0 and told.out.startswith("orchestrator")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["simulat"], "No such command 'simulat'"),
        (["check", "--nonsense"], "--nonsense"),
        (["init", "--timeout", "soon"], "--timeout"),
        (["check", "--scenario", "dry"], "there is no scenario 'dry'"),
        (["plan", "--scenario", "a" * 300], "there is no scenario 'aaa"),
        (["check", "--set", "simulation.end_yaer=2003"], "end_year"),
        (["check", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["init", "--timeout", "0"], "timeout_seconds is 0"),
        (["check", "--set", "hooks=[{type: pre_year, call: 'no_such:hook'}]"], "no_such:hook"),
    ],
)
def test_a_wrong_command_line_ends_with_2(lakes: Cli, args: list[str], words: str) -> None:
    """Usage and configuration errors are one paragraph on standard error, and the document when one is wanted."""
    told = lakes(*args, "--json")
    assert told.exit_code == 2
    assert words in told.err and "Traceback" not in told.err
    assert told.document()["status"] == "failed" and told.document()["exit_code"] == 2


def test_a_bare_call_shows_the_help(lakes: Cli) -> None:
    """Without a command the help is shown, exit 2."""
    told = lakes()
    assert told.exit_code == 2 and "simulate" in told.out + told.err


@pytest.mark.parametrize("command", ["simulate", "check", "init", "plan", "doctor"])
def test_every_command_and_its_options_are_documented(lakes: Cli, command: str) -> None:
    """The help shows the options that all commands share, and docs/cli explains whatever it offers."""
    pages = {page.name: page.read_text(encoding="utf-8") for page in (REPOSITORY / "docs" / "cli").glob("*.md")}
    assert f"`{command}" in pages["README.md"]
    everything = "\n".join(pages.values())
    shown = lakes(command, "--help", env={"COLUMNS": "200"}).out
    for option in ("--config", "--scenario", "--set", "--database", "--json", "-v", "-q"):
        assert option in shown
    offered = set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--help", "--verbose", "--quiet"}
    assert {option for option in offered if option not in everything} == set()
