"""The versions of what a run is made with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("dbt-year-orchestrator", "dbt-core", "dbt-duckdb", "duckdb")


def installed_versions() -> dict[str, object]:
    """Return versions by package; what is not installed as a package is left out."""
    found: dict[str, object] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
