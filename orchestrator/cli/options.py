"""The options of commands: those that they share, and which command takes which."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, fields
from inspect import Parameter
from pathlib import Path
from typing import Annotated, get_type_hints

import typer

from orchestrator.cli.completion import scenario_names, settings
from orchestrator.core.masking import masked

NO_VALUE = ""  # a flag takes none; help would say <bool>
_COMMON = "Common options"

TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="Longest time for the repair of the database once dbt is ready, instead of self_healing.timeout_seconds.",
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

FromYearOption = Annotated[
    int | None,
    typer.Option(
        "--from-year",
        metavar="YEAR",
        help="Run again from this year of the range on, finished or not; earlier years are kept.",
        show_default=False,
    ),
]
FromStageOption = Annotated[
    str | None,
    typer.Option(
        "--from-stage",
        metavar="NAME",
        help="Run again from this stage on, of the first year or of --from-year.",
        show_default=False,
    ),
]

_OWN_COMMAND = re.compile(
    r"`(orchestrator (?:new|simulate|init|check|plan|parameters|ask|show|query|compare|report)[^`]*"
    r"|orchestrator (?:doctor|runs|sweep|backup|migrate|ui)[^`]*)`"
)
# What commands and groups do not take of the common options, by the beginning of the command.
_WITHOUT = {
    "new": ("config", "scenario", "database", "fork"),
    "runs": ("scenario", "database", "fork"),
    "sweep run": ("database", "fork"),
    "sweep": ("scenario", "database", "fork"),
    "backup list": ("scenario", "database", "fork"),
    "backup verify": ("scenario", "database", "fork"),
    "backup prune": ("scenario", "database", "fork"),
    "backup restore": ("scenario", "fork"),
    "backup": ("fork",),
    "compare": ("scenario", "database", "fork"),
    "report": ("scenario", "database", "fork"),
    "migrate": ("fork",),
    "ask": ("fork",),
    "version": ("config", "scenario", "overrides", "database", "fork"),
    "help": ("config", "scenario", "overrides", "database", "fork", "json", "verbosity", "quiet"),
}


@dataclass(frozen=True)
class CommonOptions:
    """The options that commands share, as they are declared to Typer and as a command line gives them."""

    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="PATH",
            help="Configuration file; by default the nearest.",
            show_default=False,
            rich_help_panel=_COMMON,
        ),
    ] = None
    scenario: Annotated[
        str | None,
        typer.Option(
            "--scenario",
            metavar="NAME",
            autocompletion=scenario_names,
            help="Scenario, of config/scenarios.",
            show_default=False,
            rich_help_panel=_COMMON,
        ),
    ] = None
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY.PATH=VALUE",
            autocompletion=settings,
            help="Set one key; repeatable.",
            show_default=False,
            rich_help_panel=_COMMON,
        ),
    ] = None
    database: Annotated[
        Path | None,
        typer.Option(
            "--database",
            metavar="PATH",
            help="Database file to use.",
            show_default=False,
            rich_help_panel=_COMMON,
        ),
    ] = None
    fork: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            help="Copy of the scenario, in var/NAME.duckdb.",
            show_default=False,
            rich_help_panel=_COMMON,
        ),
    ] = None
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            metavar=NO_VALUE,
            help="One JSON document on standard output.",
            rich_help_panel=_COMMON,
        ),
    ] = False
    verbosity: Annotated[
        int,
        typer.Option(
            "-v",
            "--verbose",
            count=True,
            metavar=NO_VALUE,
            help="Show more; -vv adds the log.",
            show_default=False,
            rich_help_panel=_COMMON,
        ),
    ] = 0
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", metavar=NO_VALUE, help="Show errors only.", rich_help_panel=_COMMON)
    ] = False

    @classmethod
    def parameters(cls, command: str) -> list[Parameter]:
        """Return the options that a command takes, such as ``runs show``, as parameters of a function for Typer."""
        types = get_type_hints(cls, include_extras=True)
        return [
            Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=types[field.name])
            for field in fields(cls)
            if field.name not in _without(command)
        ]

    def same_workspace(self, advice: str) -> str:
        """Give the commands in a piece of advice the options of this one, so that they act on the same database.

        >>> CommonOptions(scenario="high", overrides=["a=1 2"]).same_workspace("run `orchestrator init`")
        "run `orchestrator init --scenario high --set 'a=1 2'`"
        """
        return _OWN_COMMAND.sub(lambda found: f"`{self.carried_by(found[1])}`", advice)

    def _overrides_for(self, command: str) -> list[str]:
        """Return the overrides that a command needs; to look at the history, no secret but where that is."""
        looks = command.startswith("orchestrator runs")
        given = self.overrides or []
        return [one for one in given if not looks or one.startswith("storage.") or masked(one) == one]

    def carried_by(self, command: str) -> str:
        """Give a command the options of this one, as far as it takes them; no password is shown.

        >>> CommonOptions(scenario="high", database=Path("x.duckdb")).carried_by("orchestrator runs show 1")
        'orchestrator runs show 1'
        """
        given = {
            "config": ("--config", [] if self.config is None else [str(self.config)]),
            "scenario": ("--scenario", [] if self.scenario is None else [self.scenario]),
            "overrides": ("--set", self._overrides_for(command)),
            "fork": ("--as", [] if self.fork is None else [self.fork]),
            "database": ("--database", [] if self.database is None else [str(self.database)]),
        }
        without = _without(command.removeprefix("orchestrator "))
        taken = [flag_and_values for name, flag_and_values in given.items() if name not in without]
        parts = [part for flag, values in taken for value in values for part in (flag, masked(value))]
        return " ".join((command, shlex.join(parts))) if parts else command


def _without(command: str) -> tuple[str, ...]:
    """Return the fields of CommonOptions that a command, with or without its arguments, does not take."""
    return next((names for start, names in _WITHOUT.items() if f"{command} ".startswith(f"{start} ")), ())
