"""The question before a command takes something from its place."""

from __future__ import annotations

import sys

from orchestrator.cli.output import Output
from orchestrator.core.errors import ConfigurationError

NO_TERMINAL = "there is no terminal to ask on"


def confirm(output: Output, what: str, reassurance: str, *, declined: str) -> None:
    """Ask whether to go on, where somebody can answer; ``what`` is what would happen.

    Raises:
        ConfigurationError: nobody can be asked, or the answer is no.
    """
    if not can_ask(output):
        why = "with --json or --quiet nothing is asked" if output.json or output.quiet else NO_TERMINAL
        raise ConfigurationError(f"{what}. This needs confirmation, but {why}.", to_fix="add --yes")
    if not ask(output, f"{what}; {reassurance}."):
        raise ConfigurationError(declined)


def ask(output: Output, what: str) -> bool:
    """Say what would happen, and ask whether to go on."""
    output.people.print(what)
    return output.people.input("Continue? [y/N] ", markup=False).strip().lower() in ("y", "yes")


def can_ask(output: Output) -> bool:
    """Tell whether somebody can be asked."""
    return not (output.json or output.quiet) and _somebody_is_there()


def _somebody_is_there() -> bool:
    """Tell whether a question would be seen and could be answered."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
