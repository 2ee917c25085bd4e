"""Settings that decide a result, by dotted key, as sides are compared by them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress

from orchestrator.core.masking import is_secret, masked_values
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.input_kinds import VAR
from orchestrator.reports.comparison import flat
from orchestrator.reports.parameters import BESIDE_PARAMETERS

DECISIVE = ("vars", "simulation", "stages", "hooks", "dbt")
"""The sections of a configuration that decide what a run leaves; the others say where and how it is run."""
SEED = "simulation.random_seed"
LISTS = ("stages", "hooks")
NOT_DECISIVE = ("dbt.threads", "dbt.project_dir", "dbt.profiles_dir", "simulation.end_year")
"""What decides no row; the years of a result are those that it has, whatever the configuration names."""


def decisive_settings(snapshot: Mapping[str, object], facts: ProjectFacts | None = None) -> dict[str, object]:
    """Return the settings of a configuration's snapshot that decide a result.

    With ``facts`` also the variables that the dbt project sets by itself.
    """
    found = flat({name: snapshot[name] for name in DECISIVE if name in snapshot})
    for section in LISTS:
        found |= _listed(section, found.pop(section, None))
    kept = {name: value for name, value in found.items() if name not in NOT_DECISIVE and not _is_nothing(name, value)}
    return {**(_of_project(facts, snapshot) if facts is not None else {}), **kept}


def recorded_settings(made_of: Mapping[str, str]) -> dict[str, object]:
    """Return the variables, the random seed and the first year that a result was made of, as the ledger has them.

    Secrets are left out, and values of which only a checksum is kept.

    >>> recorded_settings({"var a": "5", "var b": "checksum 12ab", "var random_seed": "42", "model c": "7f"})
    {'vars.a': 5, 'simulation.random_seed': 42}
    """
    found: dict[str, object] = {}
    for component, kept in made_of.items():
        kind, _, name = component.partition(" ")
        if kind == VAR and not kept.startswith("checksum ") and not is_secret(name):
            with suppress(ValueError):
                found[f"simulation.{name}" if name in BESIDE_PARAMETERS else f"vars.{name}"] = json.loads(kept)
    return found


def as_recorded(settings: Mapping[str, object], made_of: Mapping[str, str]) -> dict[str, object]:
    """Return settings with the values that a result was made of, as the ledger has them, in place of today's.

    >>> as_recorded({"vars.a": 1, "vars.b": 2, "vars.c": 3}, {"var a": "5", "var b": "checksum 12ab", "model c": "7f"})
    {'vars.a': 5, 'vars.b': 2, 'vars.c': 3}
    """
    recorded = recorded_settings(made_of)
    return {name: recorded.get(name, value) for name, value in settings.items()}


def _of_project(facts: ProjectFacts, snapshot: Mapping[str, object]) -> dict[str, object]:
    """Return the variables of the dbt project, but for those that sections of the configuration set."""
    simulation = snapshot.get("simulation")
    year = simulation.get("year_var") if isinstance(simulation, dict) else None
    own = masked_values({name: json.loads(text) for name, text in facts.var_defaults})
    assert isinstance(own, dict)
    return {f"vars.{name}": value for name, value in own.items() if name not in BESIDE_PARAMETERS and name != year}


def _listed(section: str, entries: object) -> dict[str, object]:
    """Return a list of mappings, such as the stages, as one setting for each.

    >>> _listed("stages", [{"name": "a", "select": ["x", "y"], "command": "run", "timeout_seconds": None}])
    {'stages.a': 'select x y, command run'}
    """
    found: dict[str, object] = {}
    for number, entry in enumerate(entries if isinstance(entries, (list, tuple)) else ()):
        if isinstance(entry, Mapping):
            said = [f"{key} {_plain(value)}" for key, value in entry.items() if key != "name" and value]
            found[f"{section}.{entry.get('name') or number + 1}"] = ", ".join(said)
    return found


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _is_nothing(name: str, value: object) -> bool:
    """Tell whether a section is empty or a setting is left to others, which says nothing; a variable may be null."""
    return value in ({}, [], ()) or (value is None and not name.startswith("vars."))
