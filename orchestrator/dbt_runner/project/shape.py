"""Hashes of all that decides which statements dbt sends for a project, the code of its models and tests aside."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgpack

from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.facts import ProjectShape

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig

ROOT = "root_path"  # of seeds, absolute
LEFT_OUT = frozenset({"raw_code", "checksum", "created_at", ROOT})
DATABASE_FILE = "path"
SECTIONS = (
    *("nodes", "sources", "macros", "exposures", "functions", "groups", "selectors", "disabled", "unit_tests"),
    *("metrics", "semantic_models", "saved_queries"),
)


def project_shape(packed: bytes, config: RuntimeConfig, profiles_dir: Path) -> ProjectShape:
    """Hash a manifest as dbt packs it, the project file, the profile and dbt's own environment.

    In two parses of one shape a selector selects the same nodes, which have the same settings, macros and parents:
    they may differ in the texts of models, tests and seeds, and in what these render to. Where the project and the
    file of its database stand is hashed apart.
    """
    manifest = msgpack.unpackb(packed, strict_map_key=False)
    found = hashlib.sha256()
    for section in SECTIONS:
        found.update(canonical([section, _lasting(manifest[section])]).encode())
    for path in (Path(config.project_root) / "dbt_project.yml", profiles_dir / "profiles.yml"):
        found.update(path.read_bytes() if path.is_file() else b"")
    own = {name: value for name, value in os.environ.items() if name.startswith("DBT_")}
    credentials = config.credentials.to_dict()
    path = credentials.pop(DATABASE_FILE, None)
    found.update(canonical([config.target_name, credentials, own]).encode())
    place = [str(config.project_root), str(profiles_dir), sorted(_roots(manifest)), path]
    return ProjectShape(found.hexdigest(), hashlib.sha256(canonical(place).encode()).hexdigest())


def _roots(manifest: dict[str, dict[str, object]]) -> set[str]:
    """Return the folders, as absolute paths, in which entries of a manifest say that they stand."""
    listed = [entry for section in SECTIONS for entry in manifest[section].values()]
    entries = [one for entry in listed for one in (entry if isinstance(entry, list) else [entry])]
    return {str(one[ROOT]) for one in entries if isinstance(one, dict) and one.get(ROOT) is not None}


def _lasting(section: dict[str, object]) -> dict[str, object]:
    """Leave out of each entry its text, and when it was parsed; of disabled nodes there may be several by one name."""
    return {
        name: [_entry(one) for one in entry] if isinstance(entry, list) else _entry(entry)
        for name, entry in section.items()
    }


def _entry(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    return {key: value for key, value in entry.items() if key not in LEFT_OUT}
