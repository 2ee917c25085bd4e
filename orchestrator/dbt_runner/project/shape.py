"""One hash of all that decides which statements dbt sends for a project, the code of its models and tests aside."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgpack

from orchestrator.dbt_runner.project.canonical import canonical

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig

LEFT_OUT = frozenset({"raw_code", "checksum", "created_at"})
SECTIONS = (
    *("nodes", "sources", "macros", "exposures", "functions", "groups", "selectors", "disabled", "unit_tests"),
    *("metrics", "semantic_models", "saved_queries"),
)


def project_shape(packed: bytes, config: RuntimeConfig, profiles_dir: Path) -> str:
    """Hash a manifest as dbt packs it, the project file, the profile and dbt's own environment.

    In two parses of one shape a selector selects the same nodes, which have the same settings, macros and parents:
    they may differ in the texts of models, tests and seeds, and in what these render to.
    """
    manifest = msgpack.unpackb(packed, strict_map_key=False)
    found = hashlib.sha256()
    for section in SECTIONS:
        found.update(canonical([section, _lasting(manifest[section])]).encode())
    for path in (Path(config.project_root) / "dbt_project.yml", profiles_dir / "profiles.yml"):
        found.update(path.read_bytes() if path.is_file() else b"")
    own = {name: value for name, value in os.environ.items() if name.startswith("DBT_")}
    place = [config.target_name, config.credentials.to_dict(), own]
    found.update(canonical(place).encode())
    return found.hexdigest()


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
