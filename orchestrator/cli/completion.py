"""Words that a shell offers while a command is typed: scenarios, ids of runs, parameters.

Whatever goes wrong, nothing is offered and nothing is said: a shell would write it into the line that is being typed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import typer

from orchestrator.core.text import escaped

if TYPE_CHECKING:
    from orchestrator.config.simulation import SimulationConfig

VARIABLE = "_ORCHESTRATOR_COMPLETE"  # what Typer calls it for a program of this name
LINES = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")  # in which shells hand over what is typed: bash, and all others
RUNS_OFFERED = 50
SHORT = 8  # characters of an id that tell runs apart

Words = list[tuple[str, str]]  # a word and what it means


def typed_words() -> list[str]:
    """Return the words that are being typed behind the program's name; none where no shell asks for completion."""
    if VARIABLE not in os.environ:
        return []
    return next((os.environ[name].split()[1:] for name in LINES if os.environ.get(name)), [])


def _silent(
    offered: Callable[[typer.Context, str], Iterable[tuple[str, str]]],
) -> Callable[[typer.Context, str], Words]:
    """Make a completer that offers nothing where it fails, and only what begins as the word does."""

    @wraps(offered)
    def completer(ctx: typer.Context, incomplete: str) -> Words:
        logging.disable()
        try:
            found = [(word, escaped(about)) for word, about in offered(ctx, incomplete)]
        except Exception:  # noqa: BLE001  # the process edge, see above
            return []
        return [(word, about) for word, about in found if word.startswith(incomplete) and word == escaped(word)]

    return completer


@_silent
def scenario_names(ctx: typer.Context, incomplete: str) -> Iterable[tuple[str, str]]:
    """Offer the scenarios beside the configuration."""
    from orchestrator.config.finding import find_configuration  # here and below: --help needs none of it
    from orchestrator.config.layers import scenario_names as names_in

    return [(name, "") for name in names_in(find_configuration(_config_path(ctx), os.environ).parent / "scenarios")]


@_silent
def side_names(ctx: typer.Context, incomplete: str) -> Iterable[tuple[str, str]]:
    """Offer the scenarios beside the configuration, and the sweeps."""
    from orchestrator.config.finding import find_configuration
    from orchestrator.config.layers import scenario_names as names_in
    from orchestrator.config.paths import project_root
    from orchestrator.scenarios.folders import sweeps_dir

    file = find_configuration(_config_path(ctx), os.environ)
    sweeps = sorted(plan.parent.name for plan in sweeps_dir(project_root(file)).glob("*/plan.json"))
    named = [(name, "scenario") for name in names_in(file.parent / "scenarios")]
    return [*named, *((name, "sweep") for name in sweeps)]


@_silent
def run_ids(ctx: typer.Context, incomplete: str) -> Iterable[tuple[str, str]]:
    """Offer the newest runs of a history in a file; one on a server may take seconds to answer."""
    from orchestrator.storage.recent import recent_runs

    scheme, _, path = _config(ctx).storage_url.partition(":///")
    found = recent_runs(Path(unquote(path)), RUNS_OFFERED) if scheme == "sqlite" else ()
    length = None if len(incomplete) > SHORT else SHORT
    return [(run.id[:length], f"{run.status}, {run.scenario}, {run.started_at[:16]} UTC") for run in found]


@_silent
def settings(ctx: typer.Context, incomplete: str) -> Iterable[tuple[str, str]]:
    """Offer the parameters that the configuration declares, and other variables that it sets."""
    config = _config(ctx)
    declared = {name: one.description or "" for name, one in config.parameters.items()}
    return [(f"vars.{name}=", about) for name, about in (dict.fromkeys(config.vars, "") | declared).items()]


@_silent
def table_names(ctx: typer.Context, incomplete: str) -> Iterable[tuple[str, str]]:
    """Offer the tables and views of the database, unless somebody writes to it; by schema where that is not main."""
    from orchestrator.database.duckdb_file import DuckDBReader
    from orchestrator.ledger.layouts import ledger_places

    file = _config(ctx).database_path
    if file is None:
        return []
    with DuckDBReader(file) as reader:
        ledgers = {place.schema for place in ledger_places(reader, "")}
        seen = sorted((one.schema, one.name) for one in reader.catalog().relations if one.schema not in ledgers)
    return [(name if schema == "main" else f"{schema}.{name}", "") for schema, name in seen]


def _config(ctx: typer.Context) -> SimulationConfig:
    from orchestrator.config.simulation import SimulationConfig

    given = ctx.params
    return SimulationConfig.load(
        _config_path(ctx), scenario=given.get("scenario"), database=given.get("database"), fork=given.get("fork")
    )


def _config_path(ctx: typer.Context) -> Path | None:
    path = ctx.params.get("config")
    return None if path is None else Path(path)
