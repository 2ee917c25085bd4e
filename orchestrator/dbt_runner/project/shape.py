"""Hashes of all that decides which statements dbt sends for a project, the code of its models and tests aside."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.facts import ProjectShape
from orchestrator.dbt_runner.project.parsed_project import ParsedProject

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig

DATABASE_FILE = "path"


def project_shape(
    project: ParsedProject, config: RuntimeConfig, profiles_dir: Path, *, reads_database_path: bool
) -> ProjectShape:
    """Hash a manifest as dbt packs it, the project file, the profile and dbt's own environment.

    In two parses of one shape a selector selects the same nodes, which have the same settings, macros and parents:
    they may differ in the texts of models, tests and seeds, and in what these render to. Where the project stands is
    hashed apart, and so is the file of its database where a template ``reads_database_path``.
    """
    found = hashlib.sha256(project.lasting.encode())
    for path in (Path(config.project_root) / "dbt_project.yml", profiles_dir / "profiles.yml"):
        found.update(path.read_bytes() if path.is_file() else b"")
    own = {name: value for name, value in os.environ.items() if name.startswith("DBT_")}
    credentials = config.credentials.to_dict()
    file = credentials.pop(DATABASE_FILE, None)
    found.update(canonical([config.target_name, credentials, own]).encode())
    place = [str(config.project_root), str(profiles_dir), project.roots, file if reads_database_path else None]
    return ProjectShape(found.hexdigest(), hashlib.sha256(canonical(place).encode()).hexdigest())
