"""dbt's own switches in the environment reach no command, and it is said that they do not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from orchestrator.core.events import SwitchesIgnored
from tests.support.processes import GENEROUS
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

DESTRUCTIVE = {
    "DBT_FULL_REFRESH": "1",
    "DBT_EMPTY": "true",
    "DBT_ENGINE_SAMPLE": "2 days",
    "DBT_DEFER": "1",
    "DBT_STATE": "nowhere",
    "DBT_EXCLUDE_RESOURCE_TYPES": "model seed",
    "DBT_ENGINE_FAIL_FAST": "1",
    "DBT_TARGET": "there_is_none",
}
OF_OUTPUT = {"DBT_LOG_LEVEL": "debug", "DBT_SEND_ANONYMOUS_USAGE_STATS": "0"}


COUNTED = """
import click
from dbt.cli.main import cli
from orchestrator.dbt_runner.adapter.switches import disconnect_switches

def options(command):
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return [*command.params, *(option for child in below for option in options(child))]

print(sum(option.envvar is not None for option in options(cli)) > 100)
disconnect_switches()
print([option.name for option in options(cli) if option.envvar is not None])
"""


def test_no_option_of_dbt_reads_the_environment() -> None:
    """All of them, groups of commands included; asked of dbt itself, so that new ones are met."""
    program = [sys.executable, "-c", COUNTED]
    done = subprocess.run(program, capture_output=True, text=True, timeout=4 * GENEROUS, check=True)
    assert done.stdout == "True\n[]\n"


def test_a_year_is_added_as_if_they_were_not_set(
    fresh: Callable[[str], Workspace], simulated: Callable[[str], Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full refresh would take the finished years, an empty run the rows; templates still read the variables."""
    workspace = fresh("reservoir")
    workspace.simulate(2000, 2000)
    for name, value in {**DESTRUCTIVE, **OF_OUTPUT}.items():
        monkeypatch.setenv(name, value)
    workspace.simulate(2001, 2002)
    said = [event.names for event in workspace.events if isinstance(event, SwitchesIgnored)]
    assert set(said) == {tuple(sorted(DESTRUCTIVE))}
    assert workspace.digests() == simulated("reservoir").digests()
