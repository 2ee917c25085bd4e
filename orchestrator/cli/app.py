"""The commands put together, and the edge of the process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from orchestrator.cli import INTERRUPTED, check, doctor, init, migrate, plan, simulate
from orchestrator.cli.backup import commands as backup
from orchestrator.cli.command import Command
from orchestrator.cli.failures import Failure, document, paragraph
from orchestrator.cli.options import NO_VALUE
from orchestrator.cli.output import Output
from orchestrator.cli.runs import commands as runs

Flag = bool  # Typer calls back with one positional value
DISTRIBUTION = "dbt-year-orchestrator"
USAGE = 2

app = typer.Typer(
    name="orchestrator",
    help="Run dbt projects that march through time: years × stages over one database that heals itself.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 check or doctor found something, "
    "75 database locked, 124 timeout, 130 interrupted.",
)
COMMANDS: tuple[Callable[..., Command], ...] = (
    simulate.simulate,
    check.check,
    init.init,
    plan.plan,
    doctor.doctor,
    migrate.migrate,
)
for function in COMMANDS:
    app.command()(function)
GROUPS: dict[str, tuple[str, dict[str, Callable[..., Command]]]] = {
    "runs": (
        "The history of runs: who ran what, when, how long and how it ended.",
        {
            "list": runs.list_,
            "show": runs.show,
            "diff": runs.diff,
            "import": runs.import_,
            "delete": runs.delete,
        },
    ),
    "backup": (
        "Copies of the workspace's databases, and the way back.",
        {
            "create": backup.create,
            "list": backup.list_,
            "verify": backup.verify,
            "restore": backup.restore,
            "prune": backup.prune,
        },
    ),
}
for group, (about, functions) in GROUPS.items():
    part = typer.Typer(help=about, no_args_is_help=True)
    for name, function in functions.items():
        part.command(name)(function)
    app.add_typer(part, name=group)


def _show_version(wanted: Flag) -> None:
    if wanted:
        try:
            print(f"orchestrator {version(DISTRIBUTION)}")
        except PackageNotFoundError:
            print("orchestrator, not installed as a package")
        raise typer.Exit


@app.callback()
def _common(
    *,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", metavar=NO_VALUE, is_eager=True, callback=_show_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Hold what may stand before the command."""


def run_program(args: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        command: Command | int | None = app(args=list(args), prog_name="orchestrator", standalone_mode=False)
    except typer.TyperException as error:
        return _refuse(error, args)
    if command == INTERRUPTED:  # Typer's word for Ctrl-C while it reads the command line
        raise KeyboardInterrupt
    return command() if callable(command) else command or 0


def _refuse(error: typer.TyperException, args: Sequence[str]) -> int:
    message = error.format_message()
    if not message:  # a bare call shows the help, which is all there is to say
        return USAGE
    names = [function.__name__ for function in COMMANDS]
    words = [name for name in args[:1] if name in names or name in GROUPS]
    if words and words[0] in GROUPS:
        words += [name for name in args[1:2] if name in GROUPS[words[0]][1]]
    path = " ".join(["orchestrator", *words])
    failure = Failure("UsageError", message, f"see `{path} --help`", USAGE)
    output = Output(json="--json" in args, verbosity=0, quiet=False)
    output.errors.print(paragraph(failure), soft_wrap=not output.errors.is_terminal)
    output.write_json(document(failure))
    return USAGE
