"""The versions of what a run is made with."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, distributions, version

PACKAGES = ("dbt-year-orchestrator", "dbt-core", "dbt-duckdb", "duckdb")
ADAPTERS = "dbt-adapters"  # what every adapter of dbt builds on
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def installed_versions() -> dict[str, object]:
    """Return versions by package; what is not installed as a package is left out."""
    found: dict[str, object] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def adapter_versions() -> dict[str, str]:
    """Return the versions of the adapters of dbt that are installed, by package; nothing is imported."""
    found = {}
    for one in distributions():
        name = str(one.metadata["Name"] or "")
        if name.startswith("dbt-") and name not in PACKAGES[:2] and ADAPTERS in map(_required, one.requires or ()):
            found[name] = one.version
    return dict(sorted(found.items()))


def _required(requirement: str) -> str:
    """Return the package of a requirement.

    >>> _required("dbt-adapters<2.0,>=1.16.0")
    'dbt-adapters'
    """
    name = _NAME.match(requirement)
    return "" if name is None else name[0]
