"""``orchestrator check``."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.cli_project import REQUIRED, Cli
from tests.support.programs import start_python
from tests.support.workspaces import PROJECTS, REPOSITORY


def test_a_healthy_database_is_said_to_be_ready_without_starting_dbt(lakes: Cli) -> None:
    """Every required table is listed once, exit 0, and neither dbt nor SQLAlchemy is imported."""
    told = lakes("check", python=["-X", "importtime"])
    assert told.exit_code == 0
    assert [line.split()[2] for line in told.out.splitlines()[:-2]] == REQUIRED
    assert told.out.splitlines()[-2].startswith("Not checked: 1 node: ")
    assert "All 6 required tables are ready in var/reservoir.duckdb." in told.out
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in told.err.splitlines()}
    assert "orchestrator" in imported
    assert not imported & {"dbt", "dbt_common", "sqlalchemy"}
    assert "start dbt" not in told.out


def test_two_dropped_tables_are_the_two_that_are_named(lakes: Cli) -> None:
    """After dropping a seed and a foundation table, exactly these two have a problem, exit 3."""
    lakes.sql("drop table rain", "drop table lake_shore")
    told = lakes("check", "--json")
    assert told.exit_code == 3
    assert told.err == ""
    document = told.document()
    assert document["healthy"] is False and document["required"] == 6
    tables = document["tables"]
    assert isinstance(tables, list)
    assert [table["name"] for table in tables] == REQUIRED
    assert {table["name"]: table["problem"] for table in tables if table["problem"]} == {
        "rain": "missing",
        "lake_shore": "missing",
    }
    assert {"name": "lakes", "tier": "seed", "problem": None, "detail": None} in tables

    spoken = lakes("check")
    assert spoken.exit_code == 3
    assert "rain        missing: does not exist" in spoken.out
    assert spoken.out.endswith(
        "2 of 6 required tables are not ready in var/reservoir.duckdb.\n"
        "To fix: run `orchestrator init`; `simulate` does this automatically\n"
    )


def test_quiet_leaves_the_exit_code(lakes: Cli) -> None:
    """With -q nothing is written; the exit code tells."""
    lakes.sql("drop table rain")
    told = lakes("check", "-q")
    assert (told.exit_code, told.out, told.err) == (3, "", "")


def test_a_damaged_file_is_an_error_with_its_cure(lakes: Cli) -> None:
    """A file that is no database ends with 1 and names the file and `init --recreate`."""
    lakes.database.write_bytes(b"not a database" * 999)
    told = lakes("check", "--json")
    assert told.exit_code == 1
    assert told.error()["type"] == "DatabaseCorruptionError"
    assert "init --recreate" in told.error()["to_fix"]
    assert told.err.startswith(f"Error: The database {lakes.database} is damaged")
    assert "Traceback" not in told.err
    assert "Traceback" in lakes("check", "-v").err


def test_a_database_open_elsewhere_is_locked(lakes: Cli) -> None:
    """A writer in another program is named by pid, exit 75."""
    with lakes.open_elsewhere() as pid:
        told = lakes("check", "--json")
    assert told.exit_code == 75
    assert told.document()["exit_code"] == 75
    assert f"pid {pid}" in told.error()["message"]


def test_a_profile_that_uses_another_database_is_refused_every_time(tmp_path: Path) -> None:
    """Also from the second time on, when the parse is known: else a database that nobody named would be checked."""
    root = tmp_path / "lakes"
    shutil.copytree(PROJECTS / "reservoir", root)
    profile = root / "dbt" / "profiles.yml"
    profile.write_text(
        profile.read_text().replace("\"{{ env_var('ORCHESTRATOR_DATABASE', 'reservoir.duckdb') }}\"", "x.db")
    )
    for _ in range(2):
        told = Cli(root, root / "var" / "reservoir.duckdb")("check", "--json")
        assert told.exit_code == 2
        assert told.error()["type"] == "ConfigurationError" and "x.db" in told.error()["message"]


def test_a_closed_pipe_is_no_error(lakes: Cli) -> None:
    """``check | head -1`` writes its line and no traceback, and ends with the code of check."""
    script = f"cd '{lakes.root}'; '{sys.executable}' -m orchestrator check | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env={"PYTHONPATH": str(REPOSITORY)}, check=True
    )
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def test_a_terminal_that_knows_no_unicode_gets_plain_characters(lakes: Cli) -> None:
    """ASCII output keeps its words and its columns."""
    told = lakes("check", env={"PYTHONIOENCODING": "ascii"})
    assert told.exit_code == 0
    assert told.out.isascii() and told.out.startswith("+ seed        lakes\n")
    assert "?" not in told.out


def test_a_terminal_is_left_as_it_was(lakes: Cli) -> None:
    """On a terminal there is colour, a cursor that was hidden comes back, and NO_COLOR is heeded."""
    colourful = on_terminal(lakes, {"TERM": "xterm-256color"})
    assert colourful.count("lakes") == 1 and "All 6 required tables are ready" in colourful
    assert "\x1b[32m" in colourful
    assert "\x1b[?25l" not in colourful
    live = on_terminal(lakes, {"TERM": "xterm-256color"}, "init")
    assert live.rindex("\x1b[?25h") > live.rindex("\x1b[?25l")
    (lakes.root / "dbt" / "models" / "new.sql").write_text("select 1 as one")
    try:
        parsing = on_terminal(lakes, {"TERM": "xterm-256color"})
    finally:
        (lakes.root / "dbt" / "models" / "new.sql").unlink()
    assert parsing.rindex("\x1b[?25h") > parsing.rindex("\x1b[?25l")
    assert "\x1b[32m" not in on_terminal(lakes, {"TERM": "xterm-256color", "NO_COLOR": "1"})
    assert "\x1b" not in on_terminal(lakes, {"TERM": "dumb"})


def on_terminal(cli: Cli, env: dict[str, str], command: str = "check") -> str:
    """Run a command on a pseudo terminal and return what it wrote there."""
    ours, theirs = os.openpty()
    told = ("ORCHESTRATOR_", "PYTEST_", "TERM", "NO_COLOR")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(told)}
    environment |= {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "80", **env}
    command_line = ["-m", "orchestrator", command]
    process = start_python(command_line, cwd=cli.root, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # Linux says so when the other end is closed
        while chunk := os.read(ours, 4096):
            written += chunk
    os.close(ours)
    assert process.wait() == 0
    return written.decode()


def test_piped_output_is_plain(lakes: Cli) -> None:
    """Without a terminal there are no escape codes, and no line comes twice."""
    told = lakes("check", env={"FORCE_COLOR": ""})
    assert "\x1b" not in told.out
    lines = told.out.splitlines()
    assert len(lines) == len(set(lines))


def test_a_project_that_is_no_simulation_is_checked(tmp_path: Path) -> None:
    """A configuration that holds only ``dbt: {project_dir: .}`` lists seeds and models of the project."""
    shutil.copytree(PROJECTS / "plain", tmp_path / "plain")
    told = Cli(tmp_path / "plain", tmp_path)("check", "--config", "orchestrator.yaml", "--json")
    assert told.exit_code == 3, told.err
    tables = json.loads(told.out)["tables"]
    assert {table["name"] for table in tables} == {"orders", "stg_orders", "revenue"}
    assert "start dbt" in told.err
    said = Cli(tmp_path / "plain", tmp_path)("check", "--config", "orchestrator.yaml").out
    assert said.endswith("To fix: run `orchestrator init --config orchestrator.yaml`\n"), "it has no years to simulate"


def test_advice_is_not_what_init_refuses(lakes: Cli) -> None:
    """For a table that holds simulated years ``check`` says what ``init`` says, and not to run ``init``."""
    lakes.sql("insert into lake_level values ('upper', 2000, 1)", "alter table lake_level add column note varchar")
    told = lakes("check")
    assert told.exit_code == 3
    refused = lakes("init", "--json")
    assert refused.exit_code == 1
    assert refused.error()["message"] in told.out
    assert f"To fix: {refused.error()['to_fix']}\n" in told.out
    assert "run `orchestrator init`" not in told.out


def test_advice_acts_on_the_same_database(lakes: Cli) -> None:
    """A command in a line To fix carries the options that this one was given."""
    told = lakes("check", "--scenario", "wet", "--database", "var/other lakes.duckdb")
    assert told.exit_code == 3
    assert "run `orchestrator init --scenario wet --database 'var/other lakes.duckdb'`" in told.out
    told = lakes("simulate", "2001", "--scenario", "wet", "--json")
    assert told.exit_code == 2
    assert told.error()["to_fix"] == "run `orchestrator simulate 2000-2001 --scenario wet`"


def test_a_check_during_a_run_names_the_run(lakes: Cli) -> None:
    """It is the run that has the database, not the dbt process below it."""
    with lakes.held() as mutex, lakes.open_elsewhere():
        told = lakes("check", "--json")
    assert told.exit_code == 75
    assert f"pid {os.getpid()}" in told.error()["message"]
    assert "orchestrator simulate" in told.error()["message"]
    assert mutex.in_use() is None
