"""Errors of a dbt project that does not parse, with their remedies."""

from __future__ import annotations

import os
import re
from pathlib import Path

import yaml

from orchestrator.core.errors import DbtProjectError
from orchestrator.core.untrusted import what_is_no_file
from orchestrator.dbt_runner.project.facts import ProjectFacts

_FILE = re.compile(r"\(([^()\s]+\.(?:sql|yml|yaml|csv|py))\)")
_NOT_FOUND = re.compile(r"(?P<what>\w+ '[^']+' \([^)]*\)) depends on a node named '(?P<name>[^']+)'")
_READ = (".sql", ".csv", ".yml", ".yaml", ".md", ".py")
_NOT_READ = ("logs", "node_modules", "var", "__pycache__")
_WRAPPING = ("Runtime Error", "Compilation Error", "Parsing Error", "Syntax error near line", "Raw Error:")


def project_error(message: str, project_dir: Path, profiles_dir: Path, changed: str | None = None) -> DbtProjectError:
    """Return the error for dbt's ``message``; ``changed`` is the file that it stumbled over where it names none."""
    if not project_dir.is_dir():
        return DbtProjectError(
            f"The dbt project folder {project_dir} does not exist.",
            to_fix="set dbt.project_dir to the folder that holds dbt_project.yml",
        )
    if not (project_dir / "dbt_project.yml").is_file():
        return DbtProjectError(
            f"The folder {project_dir} holds no dbt_project.yml.",
            to_fix="set dbt.project_dir to the folder that holds dbt_project.yml",
        )
    profiles = profiles_dir / "profiles.yml"
    if not profiles.is_file():
        return DbtProjectError(
            f"There is no dbt profile: neither {project_dir / 'profiles.yml'} nor {profiles} exists."
            if profiles_dir != project_dir
            else f"There is no dbt profile: {profiles} does not exist.",
            to_fix="write profiles.yml into the project, or set dbt.profiles_dir to the folder that holds it",
        )
    for file in (project_dir / "dbt_project.yml", profiles):
        trouble = _yaml_trouble(file)
        if trouble is not None:
            return DbtProjectError(f"The file {file} is not valid YAML: {trouble}.", to_fix="correct it and run again")
    told = "\n".join(line for line in message.splitlines() if not line.startswith(_WRAPPING)) or message
    if "dbt deps" in message:
        return DbtProjectError(
            f"The packages of the dbt project {project_dir} are not installed: {told}",
            to_fix=f"run `dbt deps` in {project_dir}",
        )
    if "profile" in message.lower() and (".sql" not in message):
        return DbtProjectError(
            f"The profile in {profiles} cannot be used: {told}",
            to_fix=f"correct {profiles}, or set dbt.profile and dbt.target to a profile and target in it",
        )
    named = _FILE.search(message)
    file_name = named.group(1) if named is not None else changed
    where = project_dir / file_name if file_name is not None else project_dir
    return DbtProjectError(
        f"The dbt project {project_dir} does not parse: {told}"
        + (f"\nThe file is {where}." if named is None and file_name is not None else ""),
        to_fix=f"correct {where} and run again",
    )


def refuse_special_files(project_dir: Path) -> None:
    """Refuse a project that holds a pipe, a socket or a device where dbt reads a file: it would wait for ever.

    Raises:
        DbtProjectError: it does.
    """
    for path, folders, names in os.walk(project_dir):
        folders[:] = [name for name in folders if not name.startswith((".", "target")) and name not in _NOT_READ]
        for name in names:
            what = what_is_no_file(Path(path, name)) if name.endswith(_READ) else None
            if what is not None:
                raise DbtProjectError(
                    f"{Path(path, name)} is {what}, not a file, and dbt would wait for its content for ever.",
                    to_fix="move it out of the dbt project",
                )


def missing_seed(message: str, project_dir: Path, last: ProjectFacts) -> DbtProjectError | None:
    """Return the error for a name that was a seed when the project was parsed ``last``, and whose file is gone.

    None where dbt's ``message`` does not miss a name, or that was no seed.
    """
    found = _NOT_FOUND.search(message)
    seed = None if found is None else next((s for s in last.seeds() if s.name == found["name"]), None)
    if found is None or seed is None or (project_dir / seed.file).exists():
        return None
    return DbtProjectError(
        f"The seed file {project_dir / seed.file} is missing: {found['what']} reads {seed.name}, which was a seed.",
        to_fix=f"restore {project_dir / seed.file}, or take ref('{seed.name}') out of what reads it",
    )


def _yaml_trouble(file: Path) -> str | None:
    try:
        yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        place = f" in line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        return f"{error.problem or 'it cannot be read'}{place}"
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return str(error)
    return None
