"""The options that commands in a piece of advice are given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from orchestrator.cli.app import application
from orchestrator.cli.options import CommonOptions

GIVEN = CommonOptions(Path("farm.yaml"), "dry", ["vars.x=1 2"], Path("t.duckdb"))
FLAGS = ("--config", "--scenario", "--set", "--database")
OF_ITS_OWN = {("runs list", "--scenario")}  # it chooses runs, and lays nothing over the configuration


def flags_of_commands(group: object = None, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Yield every command, such as ``runs list``, with the flags that it takes."""
    group = group or get_command(application())
    assert isinstance(group, TyperGroup)
    for name, command in group.commands.items():
        if isinstance(command, TyperCommand):
            yield f"{path}{name}", {flag for parameter in command.params for flag in parameter.opts}
        else:
            yield from flags_of_commands(command, f"{path}{name} ")


@pytest.mark.parametrize(("command", "taken"), list(flags_of_commands()))
def test_a_command_is_given_exactly_what_it_takes(command: str, taken: set[str]) -> None:
    """What it does not know would end it with a usage error; what is left out would act on another database."""
    words = GIVEN.same_workspace(f"run `orchestrator {command}`").split()
    for flag in FLAGS:
        assert (flag in words) is (flag in taken and (command, flag) not in OF_ITS_OWN), flag


def test_no_password_is_shown() -> None:
    """A history on a server is named without it."""
    url = "storage.url=postgresql://me:secret@host/db"
    given = CommonOptions(overrides=[url])
    assert given.carried_by("orchestrator runs show 1") == (
        "orchestrator runs show 1 --set 'storage.url=postgresql://me:***@host/db'"
    )
