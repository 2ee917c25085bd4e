"""The variables of a configuration held against those that the dbt project reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from orchestrator.config.errors import show
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.file_patterns import files_matching
from orchestrator.core.masking import MASK
from orchestrator.core.text import nearest, plural
from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.project.facts import ProjectFacts

SHOWN = 8


def readers_of(facts: ProjectFacts) -> dict[str, tuple[str, ...]]:
    """Return the names of the nodes that read each variable; under ``*`` those that read one of a computed name."""
    found: dict[str, list[str]] = {}
    for node in facts.nodes:
        for name in node.vars:
            found.setdefault(name, []).append(node.name)
    return {name: tuple(sorted(set(names))) for name, names in found.items()}


def require_variables_fit(config: SimulationConfig, facts: ProjectFacts) -> None:
    """Make sure that every variable of the configuration is declared or read: a misspelt one would change nothing.

    A variable is declared by ``parameters`` of the configuration, or by ``vars`` of the dbt project. Where something
    reads variables whose names are computed, no name can be refused.

    Raises:
        ConfigurationError: a variable is neither, or ``null`` although the project has a value for it.
    """
    defaults = dict(facts.var_defaults)
    read = readers_of(facts)
    known = {*read, *facts.vars_elsewhere, *defaults, *config.parameters}
    for name, value in config.vars.items():
        where = config.origin_of("vars", name)
        if name not in known and ANY_VAR not in known:
            words = {word: one for one, declared in config.parameters.items() for word in declared.words}
            raise _unread(name, where, known - {"start_year", "random_seed"}, words)
        if name in config.parameters and config.parameters[name].file:
            _require_file(config, name, value)
        if value is None and name in config.parameters and json.loads(defaults.get(name, "null")) is not None:
            own = MASK if config.parameters[name].secret else defaults[name]
            raise ConfigurationError(
                f"{where}: vars.{name} is null, but the dbt project's own value is {own}.",
                to_fix=f"give vars.{name} a value, or leave it out to use {own}",
            )


def _require_file(config: SimulationConfig, name: str, value: object) -> None:
    """Refuse the name of a file that is not there, relative to the project root: dbt runs in that folder."""
    if not isinstance(value, str) or not value or "://" in value:
        return
    if not (config.root / value).is_dir() and any(file.is_file() for file in files_matching(value, config.root)):
        return
    absolute = Path(value).is_absolute()
    raise ConfigurationError(
        f"{config.origin_of('vars', name)}: vars.{name} is {show(value)}, and there is no such file"
        f"{'' if absolute else f' in {config.root}'}.",
        to_fix=f"correct vars.{name}" + ("" if absolute else "; a relative path starts at that folder"),
    )


def _unread(name: str, where: str, known: set[str], words: Mapping[str, str]) -> ConfigurationError:
    """Name the variable that was most likely meant, by its name or by the words that people use for it."""
    said = nearest(name.replace("_", " ").lower(), words)
    guess = nearest(name, known) or (None if said is None else words[said])
    hint = f" Did you mean {guess!r}?" if guess else ""
    listed = sorted(known)
    names = f"{', '.join(listed[:SHOWN])}{', …' if len(listed) > SHOWN else ''}" if listed else "none"
    return ConfigurationError(
        f"{where}: nothing in the dbt project reads the variable {show(name)}, so it would change nothing.{hint} "
        f"It has {plural(len(listed), 'variable')}: {names}. Nothing was run and nothing was removed.",
        to_fix=f"write vars.{guess}" if guess else f"remove vars.{name}, or declare it under parameters",
    )
