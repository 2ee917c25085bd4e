"""The environment in which dbt works."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.dbt_runner.project.settings import DbtSettings


def environment(settings: DbtSettings | None) -> dict[str, str]:
    """Return the environment in which dbt works for a project; None before anybody knows for which."""
    package_root = str(Path(__file__).resolve().parents[3])
    paths = [package_root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    python_path = os.pathsep.join(dict.fromkeys(paths))
    env = {**os.environ, "PYTHONPATH": python_path, "DO_NOT_TRACK": "1", "NO_COLOR": "1"}
    if settings is not None and settings.database is not None:
        env["ORCHESTRATOR_DATABASE"] = str(settings.database)
    return env
