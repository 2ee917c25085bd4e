"""The options that every command takes."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.core.masking import masked

NO_VALUE = ""  # a flag takes none; help would say <bool>
_COMMON = "Common options"

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="Configuration file; by default config/simulation.yaml, or what ORCHESTRATOR_CONFIG names.",
        show_default=False,
        rich_help_panel=_COMMON,
    ),
]
ScenarioOption = Annotated[
    str | None,
    typer.Option(
        "--scenario",
        metavar="NAME",
        help="Scenario: config/scenarios/NAME.yaml is laid over the configuration.",
        show_default=False,
        rich_help_panel=_COMMON,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY.PATH=VALUE",
        help="Set one key of the configuration, such as vars.target_growth_rate=0.05; repeatable.",
        show_default=False,
        rich_help_panel=_COMMON,
    ),
]
DatabaseOption = Annotated[
    Path | None,
    typer.Option(
        "--database",
        metavar="PATH",
        help="Database file to use instead of the configured one.",
        show_default=False,
        rich_help_panel=_COMMON,
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        metavar=NO_VALUE,
        help="Write one JSON document to standard output, everything else to standard error.",
        rich_help_panel=_COMMON,
    ),
]
VerboseOption = Annotated[
    int,
    typer.Option(
        "-v",
        "--verbose",
        count=True,
        metavar=NO_VALUE,
        help="Show every node, hook and dbt warning, and tracebacks; -vv adds the log.",
        show_default=False,
        rich_help_panel=_COMMON,
    ),
]
QuietOption = Annotated[
    bool, typer.Option("-q", "--quiet", metavar=NO_VALUE, help="Show errors only.", rich_help_panel=_COMMON)
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="Longest time for the whole repair of the database, instead of self_healing.timeout_seconds.",
        show_default=False,
    ),
]
RangeArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RANGE",
        help="Years, such as 2025-2029 or 2027; by default the configured ones.",
        show_default=False,
    ),
]


_OWN_COMMAND = re.compile(r"`(orchestrator (?:simulate|init|check|plan|doctor|runs|backup|migrate)[^`]*)`")
# What a command does not take of the options that most of them share.
LACKING = {
    "orchestrator runs": ("--scenario", "--database"),
    "orchestrator backup list": ("--scenario", "--database"),
    "orchestrator backup verify": ("--scenario", "--database"),
    "orchestrator backup prune": ("--scenario", "--database"),
    "orchestrator backup restore": ("--scenario",),
}


@dataclass(frozen=True)
class CommonOptions:
    """What every command is told, in the order in which every command declares it."""

    config: Path | None
    scenario: str | None
    overrides: list[str] | None
    database: Path | None
    json: bool
    verbosity: int
    quiet: bool

    def same_workspace(self, advice: str) -> str:
        """Give the commands in a piece of advice the options of this one, so that they act on the same database.

        >>> CommonOptions(None, "high", ["a=1 2"], None, False, 0, False).same_workspace("run `orchestrator init`")
        "run `orchestrator init --scenario high --set 'a=1 2'`"
        """
        return _OWN_COMMAND.sub(lambda found: f"`{self.carried_by(found[1])}`", advice)

    def carried_by(self, command: str) -> str:
        """Give a command the options of this one, as far as it takes them; no password is shown.

        >>> CommonOptions(None, "high", None, Path("x.duckdb"), False, 0, False).carried_by("orchestrator runs show 1")
        'orchestrator runs show 1'
        """
        given = [
            ("--config", [] if self.config is None else [str(self.config)]),
            ("--scenario", [] if self.scenario is None else [self.scenario]),
            ("--set", self.overrides or []),
            ("--database", [] if self.database is None else [str(self.database)]),
        ]
        lacking = next((flags for start, flags in LACKING.items() if f"{command} ".startswith(f"{start} ")), ())
        taken = [(flag, values) for flag, values in given if flag not in lacking]
        words = [word for flag, values in taken for value in values for word in (flag, masked(value))]
        return " ".join((command, shlex.join(words))) if words else command
