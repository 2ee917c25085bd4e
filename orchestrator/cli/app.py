"""The commands put together, and the edge of the process."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Annotated

import typer

from orchestrator.cli import INTERRUPTED
from orchestrator.cli.command import Command, typer_function
from orchestrator.cli.completion import typed_words
from orchestrator.cli.examples import epilog
from orchestrator.cli.options import NO_VALUE
from orchestrator.cli.output import Output

Flag = bool  # Typer calls back with one positional value
DISTRIBUTION = "dbt-year-orchestrator"
USAGE = 2
_NEGATIVE = re.compile(r"-\s*[.\d]")
_VALUED = ("--name", "--set", "--config", "--scenario", "--database")  # options of ask that take a value

# Each command lies in the module of its name, a group's commands in its module ``commands``.
COMMANDS = (
    "new",
    "simulate",
    "check",
    "init",
    "plan",
    "parameters",
    "ask",
    "show",
    "query",
    "compare",
    "report",
    "doctor",
    "migrate",
    "ui",
    "version",
    "help",
)
GROUPS = {
    "runs": (
        "The history of runs: who ran what, when, how long and how it ended.",
        {
            "list": "list_",
            "show": "show",
            "diff": "diff",
            "note": "note",
            "tag": "tag",
            "import": "import_",
            "delete": "delete",
        },
    ),
    "sweep": (
        "Simulate many scenarios, values and seeds at once, on Dask.",
        {
            "run": "run",
            "resume": "resume",
            "status": "status",
            "cancel": "cancel",
            "list": "list_",
            "delete": "delete",
        },
    ),
    "backup": (
        "Back up and restore the workspace's databases.",
        {"create": "create", "list": "list_", "verify": "verify", "restore": "restore", "prune": "prune"},
    ),
}


def application(names: Iterable[str] = (*COMMANDS, *GROUPS), *, completion: bool = True) -> typer.Typer:
    """Put these commands and groups together, in the order of their lists; no module of another is imported.

    ``completion`` adds the options that set up a shell, and lets it ask what may be typed.
    """
    app = typer.Typer(
        name="orchestrator",
        help="Run dbt projects that march through time: years × stages over one database that heals itself.",
        no_args_is_help=True,
        add_completion=completion,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 check or doctor found something, "
        "75 database locked, 124 timeout, 130 interrupted.",
    )
    app.callback()(_common)
    for name in names:
        if name in GROUPS:
            about, functions = GROUPS[name]
            part = typer.Typer(help=about, no_args_is_help=True)
            for word, function in functions.items():
                part.command(word, epilog=epilog(f"{name} {word}"))(
                    _function(f"{name} {word}", f"{name}.commands", function)
                )
            app.add_typer(part, name=name)
        else:
            app.command(name, epilog=epilog(name))(_function(name, name, name))
    return app


def _function(command: str, module: str, name: str) -> Callable[..., Command]:
    body: Callable[..., int] = getattr(importlib.import_module(f"orchestrator.cli.{module}"), name)
    return typer_function(body, command)


def _show_version(wanted: Flag) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version  # brings a parser of mails along

        try:
            print(f"orchestrator {version(DISTRIBUTION)}")
        except PackageNotFoundError:
            print("orchestrator, not installed as a package")
        raise typer.Exit


def _common(
    *,
    show_version: Annotated[
        bool,
        typer.Option(
            "-V",
            "--version",
            metavar=NO_VALUE,
            is_eager=True,
            callback=_show_version,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Hold what may stand before the command."""


def run_program(args: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    typed = typed_words()  # of a line that is not to be run
    named = [name for name in (args or typed[:-1])[:1] if name in COMMANDS or name in GROUPS]
    app = application(named, completion=bool(typed)) if named else application()
    try:
        command: object = app(args=_sentence_apart(args), prog_name="orchestrator", standalone_mode=False)
    except typer.TyperException as error:
        return _refuse(error, args)
    except OSError as error:  # nothing is done yet but that help or the version is written
        return _unwritten(error)
    if command == INTERRUPTED:  # Typer's word for Ctrl-C while it reads the command line
        raise KeyboardInterrupt
    if callable(command):
        command = command()
        return command if isinstance(command, int) else 0
    return _unwritten(None, command if isinstance(command, int) else 0)


def _sentence_apart(args: Sequence[str]) -> list[str]:
    """Keep a sentence such as ``-3 % growth`` from being taken for an option.

    >>> _sentence_apart(["ask", "-3 % growth", "--json"]), _sentence_apart(["ask", "--json", "seed 3"])
    (['ask', '--json', '--', '-3 % growth'], ['ask', '--json', 'seed 3'])
    """
    if list(args[:1]) != ["ask"] or "--" in args or not any(_NEGATIVE.match(one) for one in args):
        return list(args)
    options: list[str] = []
    words: list[str] = []
    for before, one in pairwise(args):
        is_option = one.startswith("-") and not _NEGATIVE.match(one)
        (options if is_option or before in _VALUED else words).append(one)
    return ["ask", *options, "--", *words]


def _unwritten(error: OSError | None, code: int = 0) -> int:
    """Return the exit code of what Typer itself has written; ``error`` is what kept it from that."""
    from orchestrator.cli.error_output import report_unwritten  # as below

    output = Output(json=False, verbosity=0, quiet=False)
    return report_unwritten(output.unwritten() or error, output, code)


def _refuse(error: typer.TyperException, args: Sequence[str]) -> int:
    from orchestrator.cli.error_output import Failure, document, paragraph  # not needed where all is well
    from orchestrator.cli.usage import usage_advice, without_guesses

    message = error.format_message()
    if not message:  # a bare call shows the help, which is all there is to say
        return USAGE
    names = [name for name in args[:1] if name in COMMANDS or name in GROUPS]
    if names and names[0] in GROUPS:
        names += [name for name in args[1:2] if name in GROUPS[names[0]][1]]
    path = " ".join(["orchestrator", *names])
    words = (*COMMANDS, *GROUPS, *(word for _, functions in GROUPS.values() for word in functions))
    failure = Failure("UsageError", without_guesses(message), usage_advice(message, args, path, words), USAGE)
    output = Output(json="--json" in args, verbosity=0, quiet=False)
    output.errors.print(paragraph(failure), soft_wrap=not output.errors.is_terminal)
    output.write_json(document(failure), ok=False)
    return USAGE
