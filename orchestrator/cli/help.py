"""``orchestrator help``: the help of the program, or of one of its commands."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import CommonOptions
from orchestrator.cli.output import Output


def help(  # noqa: A001  # the command's name
    _options: CommonOptions,
    _output: Output,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]...", help="A command, such as: runs list.", show_default=False),
    ] = None,
) -> int:
    """Show the help of the program, or of a command."""
    from orchestrator.cli.app import run_program  # which puts this command among the others

    return run_program([*(command or ()), "--help"])
