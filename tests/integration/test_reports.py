"""Reports are to be had without the command line, as a page of a web server needs them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.cli_project import Cli
from tests.support.workspaces import REPOSITORY

pytestmark = pytest.mark.slow

PROGRAM = """
import json, sys
from orchestrator import create_orchestrator
from orchestrator.core.events import jsonable
from orchestrator.reports.check import check_record, check_tables
from orchestrator.reports.plan import plan_record, plan_run
from orchestrator.reports.run_history import list_runs, read_run
from orchestrator.reports.runs import full_record, list_record
from orchestrator.storage.factory import open_existing

with create_orchestrator() as orchestrator, open_existing(orchestrator.config) as backend:
    config, runner = orchestrator.config, orchestrator.runner
    records = {
        "plan": plan_record(plan_run(orchestrator, config.years())),
        "check": check_record(check_tables(config, runner, runner.facts())),
        "runs list": list_record(list_runs(backend, limit=20)),
        "runs show": full_record(read_run(backend, None)),
    }
print(json.dumps([jsonable(records), sorted(sys.modules)], default=str))
"""


@pytest.mark.parametrize("state", ["simulated", "damaged"])
def test_records_are_what_the_command_line_writes(lakes: Cli, state: str) -> None:
    """A plan, the state of the tables and runs: the same documents, and nothing that prints is imported."""
    assert lakes("simulate", "2000-2001").exit_code == 0
    if state == "damaged":
        lakes.sql("drop table rain")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=lakes.root,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    records, imported = json.loads(done.stdout)
    assert {name.split(".")[0] for name in imported} & {"rich", "typer", "click"} == set()
    assert [name for name in imported if name.startswith("orchestrator.cli")] == []
    assert bool(records["plan"]["healing"]) is (state == "damaged")
    assert records["check"]["healthy"] is (state == "simulated")
    for command, record in records.items():
        document = lakes(*command.split(), "--json").document()
        assert {"ok", "status"} <= document.keys(), command
        assert document | record == document, command
