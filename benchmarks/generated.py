"""Generate dbt projects."""

from __future__ import annotations

from pathlib import Path

PROFILE = """{name}:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: "{{{{ env_var('ORCHESTRATOR_DATABASE', 'local.duckdb') }}}}"
      threads: 1
      config_options: {{autoinstall_known_extensions: false, autoload_known_extensions: false}}
"""
PROJECT = """name: {name}
version: "1.0"
profile: {name}
flags: {{send_anonymous_usage_stats: false}}
{more}"""


def write(path: Path, text: str) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_project(folder: Path, name: str, more: str = "") -> None:
    """Write ``dbt_project.yml``, to which ``more`` is added, and ``profiles.yml``."""
    write(folder / "dbt_project.yml", PROJECT.format(name=name, more=more))
    write(folder / "profiles.yml", PROFILE.format(name=name))
