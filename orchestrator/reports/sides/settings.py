"""Settings that decide a result, by dotted key, as sides are compared by them."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.reports.comparison import flat

DECISIVE = ("vars", "simulation", "stages", "hooks", "dbt")
"""The sections of a configuration that decide what a run leaves; the others say where and how it is run."""
NOT_DECISIVE = ("dbt.threads", "dbt.project_dir", "dbt.profiles_dir")


def decisive_settings(snapshot: Mapping[str, object], facts: ProjectFacts | None = None) -> dict[str, object]:
    """Return the settings of a configuration's snapshot that decide a result.

    With ``facts`` also the variables that the dbt project sets by itself.
    """
    found = flat({name: snapshot[name] for name in DECISIVE if name in snapshot})
    kept = {name: value for name, value in found.items() if name not in NOT_DECISIVE and not _is_nothing(value)}
    return {**(_of_project(facts) if facts is not None else {}), **kept}


def _of_project(facts: ProjectFacts) -> dict[str, object]:
    import json

    return {f"vars.{name}": json.loads(text) for name, text in facts.var_defaults}


def _is_nothing(value: object) -> bool:
    """Tell whether a section is empty, which says nothing."""
    return value in ({}, [], ())
