"""``orchestrator simulate``."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.cli_project import COLD, Cli, interrupt
from tests.support.workspaces import PROJECTS

LOUD_HOOK = """
import subprocess

def shout(context):
    print("printed by a hook")
    subprocess.run(["echo", "printed by its child"])
"""


def test_a_run_is_told_as_one_document(lakes: Cli) -> None:
    """--json writes years, stages, seconds and the initialization; whatever else is printed goes to standard error."""
    lakes.sql("drop table rain")
    (lakes.root / "loud.py").write_text(LOUD_HOOK)
    hooks = "hooks=[{type: post_year, call: 'loud:shout'}]"
    told = lakes("simulate", "2000-2001", "--json", "--set", hooks)
    assert told.exit_code == 0, told.err
    document = told.document()
    assert document["status"] == "completed" and document["scenario"] == "baseline"
    assert document["resumed_from"] is None and document["summary"] is None
    years = document["years"]
    assert isinstance(years, list)
    assert [year["year"] for year in years] == [2000, 2001]
    assert [(stage["name"], stage["nodes"]) for stage in years[0]["stages"]] == [
        ("flows", 1),
        ("balance", 1),
        ("checks", 1),
    ]
    healed = document["initialization"]
    assert isinstance(healed, dict) and isinstance(document["seconds"], float)
    _require_adding_up(document["time"], document["seconds"], [year["seconds"] for year in years])
    assert healed["state"] == "completed" and healed["tables_created"] == ["rain"]
    assert "load_seeds" in [step["name"] for step in healed["steps"]]
    assert "load_seeds" in told.err and "2001" in told.err
    assert told.err.count("printed by a hook") == told.err.count("printed by its child") == 2
    events = lakes.root / "var" / "runs" / str(document["run_id"]) / "events.jsonl"
    assert [json.loads(line)["event"] for line in events.read_text().splitlines()][-1] == "RunFinished"


def _require_adding_up(time: object, seconds: float, years: list[float]) -> None:
    """Make sure that each account of time is the sum of its parts, and that nothing in it is impossible."""
    assert isinstance(time, dict)
    by_year = time.pop("years")
    assert [account["year"] for account in by_year] == [2000, 2001]
    for account, whole in zip([time, *by_year], [time["total"], *years], strict=True):
        account.pop("year", None)
        assert account.pop("total") == pytest.approx(whole, abs=0.01)
        assert sum(account.values()) == pytest.approx(whole, abs=0.01)
        assert min(account.values()) >= 0 and account["sql"] > 0 and account["dbt"] > 0
    assert sum(time.values()) >= seconds
    assert all(time[part] > 0 for part in ("start_up", "parse", "healing", "hooks", "closing"))


def test_a_run_is_told_in_plain_lines(lakes: Cli) -> None:
    """Piped output has the years as rows, where the time went, and where things are; no line comes twice."""
    told = lakes("simulate", "2000-2001")
    assert told.exit_code == 0, told.err
    assert told.err == ""
    lines = told.out.splitlines()
    assert lines[0] == "Simulating 2000–2001 · scenario baseline · var/reservoir.duckdb"
    assert [line.split()[1] for line in lines if line.startswith("✓ 200")] == ["2000", "2001"]
    assert "load_seeds" not in told.out
    heading = next(line for line in lines if line.startswith("Where the time went"))
    assert heading.split()[4:] == ["seconds", "share", "2000", "2001"]
    closing = [line.split("  ")[0] for line in lines[lines.index(heading) + 1 :]]
    assert {"dbt itself", "total"} <= set(closing)  # what takes no time has no row
    assert "database  var/reservoir.duckdb" in lines
    assert "\x1b" not in told.out
    written = [line for line in lines if line.strip()]
    assert len(written) == len(set(written))


def test_a_failing_test_names_stage_year_and_test(lakes: Cli) -> None:
    """Failing rows end the run with 1: the stage, the year, the test and how many rows."""
    lakes.sql("update lakes set start_level = -1e6", "update lake_shape set start_level = -1e6")
    lakes.sql("delete from orchestrator.table_contents")  # else they would be healed
    told = lakes("simulate", "2000", "--json")
    assert told.exit_code == 1
    assert told.error()["type"] == "TestFailedError"
    for words in ("assert_lakes_hold_water", "stage checks of 2000"):
        assert words in told.error()["message"]
    assert told.err.count("Error: ") == 1


@pytest.mark.parametrize("years", ["20x5", "2001-2000", "1999-2001", "2000-", ""])
def test_a_wrong_range_is_a_usage_error(lakes: Cli, years: str) -> None:
    """What is no range of years, or begins before the first year, ends with 2."""
    told = lakes("simulate", years)
    assert told.exit_code == 2
    assert told.err.startswith("Error: ")


def test_the_range_that_is_meant_is_named(lakes: Cli) -> None:
    """A last year without its century is one of the first year's; else both were exchanged."""
    assert "write 2001-2002" in lakes("simulate", "2001-02").err
    assert "write 2000-2001" in lakes("simulate", "2001-2000").err


def test_a_project_without_years_cannot_be_simulated(tmp_path: Path) -> None:
    """The error says what the configuration lacks, and what can be done without; the history does not ask for years."""
    shutil.copytree(PROJECTS / "plain", tmp_path / "plain")
    cli = Cli(tmp_path / "plain", tmp_path)
    for command in (
        ["simulate"],
        ["plan", "2026"],
        ["sweep", "run", "--vary", "x=1,2"],
        ["report"],
        ["compare", "baseline", "baseline"],
    ):
        told = cli(*command)
        assert told.exit_code == 2
        assert "no section simulation" in told.err, command
        assert "use `orchestrator check` and `orchestrator init`" in told.err
        assert "and a list of stages to orchestrator.yaml\n" in told.err
    backup = cli("backup", "create")
    assert "To fix: run `orchestrator init` first\n" in backup.err
    assert cli("init").exit_code == 0
    assert "only simulations are recorded" in cli("runs", "list").out
    shown = cli("runs", "show")
    assert "To fix: see what state the tables are in with `orchestrator check`" in shown.err
    (cli.root / "orchestrator.yaml").unlink()
    assert "write its configuration with `orchestrator new`\n" in cli("simulate").err


def test_a_scenario_without_a_database_of_its_own(lakes: Cli) -> None:
    """It is said when it begins that the years of another one are in its database, and not of years of its own."""
    file = lakes.root / "config" / "scenarios" / "dry.yaml"
    file.write_text("vars: {rain_factor: 0.5}\n")
    held = "reservoir.duckdb holds years of another scenario (baseline: 2000–2002). This run of dry replaces"
    try:
        assert "another scenario" not in lakes("simulate", "--scenario", "dry", "--as", "driest", "2000").out
        assert "another scenario" not in lakes("simulate").out
        told = lakes("simulate", "--scenario", "dry", "2000-2002", "--json")
        assert told.exit_code == 0
        assert held in told.err and "`database: var/dry.duckdb`" in told.err
        assert "another scenario" not in lakes("simulate", "--scenario", "dry").out
        assert "holds years of another scenario (dry: 2000–2002)" in lakes("simulate").out
    finally:
        file.unlink()


def test_without_healing_a_database_that_is_not_ready_is_refused(lakes: Cli) -> None:
    """--no-auto-initialize names what is missing and how to mend it."""
    lakes.sql("drop table rain")
    told = lakes("simulate", "--no-auto-initialize", "--json")
    assert told.exit_code == 1
    assert told.error()["type"] == "InitializationError"
    assert "rain does not exist" in told.error()["message"]


def test_healing_errors_do_not_speak_of_hooks(lakes: Cli) -> None:
    """The healing runs as a hook, which is no business of whoever runs a simulation."""
    lakes.sql("drop table rain")
    told = lakes("simulate", "--timeout", "0.01", "--json", env=COLD)
    assert told.exit_code == 124
    assert told.error()["type"] == "InitializationTimeoutError"
    assert "hook" not in told.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_a_run_with_130(lakes: Cli, number: signal.Signals) -> None:
    """While dbt starts, Ctrl-C and SIGTERM end the run at once; the document says so."""
    process = lakes.start("simulate", "--json", cold=True)
    assert process.stderr is not None
    assert "check_tables" in process.stderr.readline()
    told = interrupt(process, number)
    assert told.exit_code == 130
    assert told.document()["status"] == "interrupted"
    assert "Traceback" not in told.err


def test_the_first_words_come_before_dbt(lakes: Cli) -> None:
    """The heading is flushed on its own, while dbt still starts."""
    process = lakes.start("simulate", "2000", cold=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Simulating 2000")
    assert "check_tables" in process.stdout.readline()
    assert process.poll() is None
    assert interrupt(process).exit_code == 130


def test_what_a_hook_leaves_open_is_written(lakes: Cli) -> None:
    """A hook may trust Python's end to write a file that it holds open: where there are hooks, nothing cuts it off."""
    code = "held = open('held.txt', 'w')\ndef write(context):\n    held.write('written')\n"
    (lakes.root / "held_hooks.py").write_text(code)
    hook = "hooks=[{type: post_simulation, call: 'held_hooks:write'}]"
    told = lakes("simulate", "2000", "-q", "--set", hook, cold=True)
    assert told.exit_code == 0, told.err
    assert (lakes.root / "held.txt").read_text() == "written"
