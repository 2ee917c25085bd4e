"""Files and environment variables that decide the result of a parse."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.dbt_runner.project.every_node import every_node
from orchestrator.dbt_runner.project.files import files_below
from orchestrator.dbt_runner.project.macro_reach import INTERNAL_PACKAGES
from orchestrator.dbt_runner.project.var_values import COMPUTED_ENV_VAR, ENV_VAR

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig
    from dbt.contracts.graph.manifest import Manifest

TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def yaml_files(config: RuntimeConfig, project_dir: Path, profiles_dir: Path) -> dict[str, str]:
    """Return the text of every YAML file of the project, its packages and its profile, by path.

    dbt reads YAML in a folder of any kind, whatever it is about: its own list of folders is taken.
    """
    files = [project_dir / "dbt_project.yml", project_dir / "selectors.yml", profiles_dir / "profiles.yml"]
    for folder in sorted({*config.all_source_paths, config.packages_install_path}):
        found = [Path(path) for path in files_below(project_dir / folder)]
        files += sorted(path for path in found if path.suffix.lower() in (".yml", ".yaml"))  # as dbt looks for them
    return {str(path): path.read_text(encoding="utf-8") for path in files if path.is_file()}


def env_vars_read(manifest: Manifest, config: RuntimeConfig, profiles_dir: Path) -> tuple[str, ...] | None:
    """Return the names of the environment variables that project and profile read; None where one is computed.

    dbt itself knows those alone that it met while it parsed, not those that are read while a node runs.
    """
    names = set(manifest.env_vars)
    internal = {*INTERNAL_PACKAGES, f"dbt_{config.credentials.type}"}
    code = [getattr(node, "raw_code", "") or "" for node in every_node(manifest).values()]
    code += [macro.macro_sql for macro in manifest.macros.values() if macro.package_name not in internal]
    files = yaml_files(config, Path(config.project_root).resolve(), profiles_dir)
    found = names_of_env_vars([*code, *(part for text in files.values() for part in TEMPLATE.findall(text))])
    return None if found is None else tuple(sorted({*names, *found}))


def names_of_env_vars(texts: Iterable[str]) -> set[str] | None:
    """Return the names that templates give to ``env_var``; None where one is put together, or the function handed on.

    >>> names_of_env_vars(["{{ env_var('HOME') ~ env_var('USER', 'nobody') }}"]) == {"HOME", "USER"}
    True
    >>> names_of_env_vars(["{{ env_var('RATE_' ~ target.name) }}"]), names_of_env_vars(["{% set get = env_var %}"])
    (None, None)
    """
    names: set[str] = set()
    for text in texts:
        if COMPUTED_ENV_VAR.search(text):
            return None
        names.update(ENV_VAR.findall(text))
    return names


def watched_folders(config: RuntimeConfig) -> tuple[str, ...]:
    """Return the project's folders, relative to it, whose files decide what a parse gives."""
    return tuple(sorted({*config.all_source_paths, *config.docs_paths, config.packages_install_path}))
