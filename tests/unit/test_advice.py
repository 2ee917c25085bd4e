"""The options that commands in a piece of advice are given."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from orchestrator.cli.app import COMMANDS, GROUPS
from orchestrator.cli.options import CommonOptions

GIVEN = CommonOptions(Path("farm.yaml"), "dry", ["vars.x=1 2"], Path("t.duckdb"), json=False, verbosity=0, quiet=False)
OPTIONS = {"config": "--config", "scenario": "--scenario", "set_": "--set", "database": "--database"}
OF_ITS_OWN = {("runs.commands", "list_", "scenario")}  # it chooses runs, and lays nothing over the configuration


def functions() -> list[tuple[str, str, str]]:
    """Return every command with its module and function."""
    single = [(name, name, name) for name in COMMANDS]
    grouped = [
        (f"{group} {word}", f"{group}.commands", function)
        for group, (_, words) in GROUPS.items()
        for word, function in words.items()
    ]
    return single + grouped


@pytest.mark.parametrize(("command", "module", "function"), functions())
def test_a_command_is_given_exactly_what_it_takes(command: str, module: str, function: str) -> None:
    """What it does not know would end it with a usage error; what is left out would act on another database."""
    taken = inspect.signature(getattr(importlib.import_module(f"orchestrator.cli.{module}"), function)).parameters
    words = GIVEN.same_workspace(f"run `orchestrator {command}`").split()
    for parameter, flag in OPTIONS.items():
        own = (module, function, parameter) in OF_ITS_OWN
        assert (flag in words) is (parameter in taken and not own), flag


def test_no_password_is_shown() -> None:
    """A history on a server is named without it."""
    url = "storage.url=postgresql://me:secret@host/db"
    given = CommonOptions(None, None, [url], None, json=False, verbosity=0, quiet=False)
    assert given.carried_by("orchestrator runs show 1") == (
        "orchestrator runs show 1 --set 'storage.url=postgresql://me:***@host/db'"
    )
