"""dbt's own switches in the environment: options of its commands, which would reach into ours unasked."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click
from dbt.cli.main import cli

PROFILES_DIR = "profiles_dir"
"""The only one that is heeded, by :class:`DbtSettings`."""
OUTPUT = frozenset(
    {
        *("debug", "log_cache_events", "log_file_max_bytes", "log_format", "log_format_file", "log_level"),
        *("log_level_file", "log_path", "deprecated_print", "print", "printer_width", "quiet", "use_colors"),
        *("use_colors_file", "write_json", "send_anonymous_usage_stats", "upload_to_artifacts_ingest_api"),
    }
)
"""Options of what dbt shows and sends, which say nothing about rows; that they are not heeded is not worth a line."""

_options_by_switch: dict[str, str] = {}


def disconnect_switches() -> None:
    """Take the environment variable from every option of every command of dbt; templates still read them all."""
    for parameter in _parameters(cli):
        if parameter.envvar is not None:
            names = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar
            _options_by_switch.update(dict.fromkeys(names, parameter.name or ""))
            parameter.envvar = None


def unheeded_switches() -> tuple[str, ...]:
    """Return the switches that are set in the environment and, but for us, would have reached dbt's commands."""
    silent = OUTPUT | {PROFILES_DIR}
    told = (name for name, option in _options_by_switch.items() if option not in silent)
    return tuple(sorted(name for name in told if name in os.environ))


def _parameters(command: click.Command) -> Iterator[click.Parameter]:
    yield from command.params
    if isinstance(command, click.Group):
        for one in command.commands.values():
            yield from _parameters(one)
