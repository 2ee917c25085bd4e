"""What a member is made of, as one digest: while it is the same, a finished member is not run again, nor asked.

It covers more than the ledger compares (any file of the dbt project, whatever reads it), so that it may be trusted
without a look at the database, together with the files and the environment that the member's own parse read
(:func:`orchestrator.scenarios.keeping.write_inputs`). Where it differs the member's own ledger decides what is to be
run again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from orchestrator.config.finding import DBT_PROJECT
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.file_patterns import files_matching
from orchestrator.core.permissions import WORKSPACE
from orchestrator.core.versions import installed_versions
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.settings import DbtSettings
from orchestrator.scenarios.plan import Member

WITHOUT_ROWS = (
    "backup",
    "database",
    "description",
    "listeners",
    "permissions",
    "publish",
    "self_healing",
    "storage",
    "sweep",
)
"""The sections of a configuration that change no row of a member."""
NO_HOOKS = ("var", "node_modules", "__pycache__")
NO_SOURCES = ("logs", "__pycache__")
OF_REPORTS = (".html", ".png", ".svg")
"""The endings of reports and of their charts; where a model reads such a file, it is among the inputs of the parse."""


@dataclasses.dataclass(frozen=True)
class MemberInputs:
    """What a member would be made of now: a digest, one of the code of its hooks, and how dbt would be used for it."""

    digest: str
    hooks: str
    settings: DbtSettings


class ProjectInputs:
    """The inputs that all members share, read once."""

    def __init__(self, config: SimulationConfig, facts: ProjectFacts) -> None:
        self._files: dict[Path, str] = {}
        folder, written = config.project_dir, _Written(config, facts)
        files = [file for file in project_files(folder) if not written.holds(folder / file)]
        parts = {
            "facts": _facts(facts),
            "files": {str(file): self._digest(folder / file) for file in files},
            "versions": installed_versions(),
        }
        self._shared = _digest_of(parts)

    def of(self, config: SimulationConfig, member: Member, years: tuple[int, int], keep: tuple[str, ...]) -> str:
        """Return the digest of a member, by its configuration; ``keep`` are the tables that are gathered of it."""
        settings = {name: value for name, value in config.model_dump(mode="json").items() if name not in WITHOUT_ROWS}
        named = {
            str(file): self._digest(file)
            for value in config.vars.values()
            if isinstance(value, str) and 0 < len(value) < 1000
            for file in _files_named(value, config.root)
        }
        return _digest_of([self._shared, settings, named, member.scenario, years, keep])

    def hooks(self, config: SimulationConfig) -> str:
        """Return a digest of all Python files of the project where a configuration has hooks, "" where it has none.

        What a hook imports cannot be told without running it.
        """
        if not config.hooks:
            return ""
        files = {str(file.relative_to(config.root)): self._digest(file) for file in _python_files(config.root)}
        return _digest_of(files)

    def _digest(self, file: Path) -> str:
        if file not in self._files:
            try:
                with file.open("rb") as opened:
                    self._files[file] = hashlib.file_digest(opened, "sha256").hexdigest()
            except OSError as error:
                self._files[file] = f"not read: {error.strerror}"
        return self._files[file]


class _Written:
    """The files below a dbt project that we write, or that are looked at otherwise, where it is the project root too.

    These are all below ``var/``, reports and their charts, the run history, databases, what models write, and the
    files of the configuration, whose settings count by themselves.
    """

    def __init__(self, config: SimulationConfig, facts: ProjectFacts) -> None:
        history = Path(unquote(config.storage_url.partition(":///")[2].partition("?")[0]))
        logs = (Path(f"{history}{ending}") for ending in ("-wal", "-shm", "-journal"))
        named = [config.database_path, None if config.publish is None else config.resolve(config.publish)]
        self._files = {history, *logs, *(file for file in named if file is not None)}
        written = (config.resolve(Path(node.external_file)) for node in facts.nodes if node.external_file)
        self._places = (config.root / WORKSPACE, *written)
        self._scenarios = None
        if config.file is not None and config.file.name != DBT_PROJECT:
            self._files.add(config.file)
            self._scenarios = config.file.parent / "scenarios"

    def holds(self, file: Path) -> bool:
        """Tell whether this is such a file."""
        if file in self._files or file.suffix.lower() in OF_REPORTS:
            return True
        if file.parent == self._scenarios and file.suffix.lower() in (".yaml", ".yml"):
            return True
        return any(file.is_relative_to(place) for place in self._places)


def project_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a dbt project, relative to its folder and in order; what dbt itself writes is left out."""
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(("target", ".")) and name not in NO_SOURCES)
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith((".duckdb", ".wal", ".lock", ".log")):
                yield (Path(path) / name).relative_to(folder)


def _python_files(root: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(root):
        own = [name for name in folders if not name.startswith((".", "target")) and name not in NO_HOOKS]
        folders[:] = sorted(name for name in own if not (Path(path) / name / "pyvenv.cfg").exists())
        yield from (Path(path) / name for name in sorted(names) if name.endswith(".py"))


def database_mark(database: Path) -> tuple[int, int] | None:
    """Return what tells that a database file is as it was, None where there is none."""
    try:
        found = database.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _files_named(value: str, root: Path) -> list[Path]:
    try:
        return [file for file in files_matching(value, root) if file.is_file()] if "://" not in value else []
    except (OSError, ValueError):
        return []


def _facts(facts: ProjectFacts) -> object:
    """Return the facts without what differs between databases."""
    whole = dataclasses.asdict(facts)
    return {name: value for name, value in whole.items() if name not in ("database_path", "shape")}


def _digest_of(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
