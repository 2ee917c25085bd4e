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
    if output.json or output.quiet or not _somebody_is_there():
        why = "with --json or --quiet nothing is asked" if output.json or output.quiet else NO_TERMINAL
        raise ConfigurationError(f"{what}. This needs confirmation, but {why}.", to_fix="add --yes")
    output.people.print(f"{what}; {reassurance}.")
    if output.people.input("Go on? [y/N] ", markup=False).strip().lower() not in ("y", "yes"):
        raise ConfigurationError(declined)


def _somebody_is_there() -> bool:
    """Tell whether a question would be seen and could be answered."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
