"""Inputs of a parse: everything that decided its result, and whether it is still the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from orchestrator.core.file_patterns import files_matching
from orchestrator.dbt_runner.project.file_records import FileRecord, records_of, same_files
from orchestrator.dbt_runner.project.files import files_below
from orchestrator.dbt_runner.project.parse_key import ParseKey, digests_of
from orchestrator.dbt_runner.project.settings import DbtSettings

_VERSIONED = ("dbt-core", "dbt-adapters", "dbt-common", "dbt-duckdb", "duckdb", "dbt-postgres", "mashumaro")
_YAML = (".yml", ".yaml")
_FOLDERS = ("models", "seeds", "snapshots", "macros", "tests", "analyses", "functions", "dbt_packages")  # by default
SET_FOR_DBT = frozenset({"ORCHESTRATOR_DATABASE", "PYTHONPATH", "DO_NOT_TRACK", "NO_COLOR"})
READ_BY_DATABASES = frozenset({"TZ", "PGTZ", "PGDATESTYLE", "PGOPTIONS"})
SET_BY_SHELLS = frozenset({"_", "SHLVL", "OLDPWD"})


@dataclass(frozen=True)
class ParseInputs:
    """All that decided a parse: its key, variables by the hash of their value, versions, environment and files.

    ``env_names`` are the environment variables that the project reads, None where their names cannot be told: then
    all count. ``folders`` are relative to the project. ``var_files`` are other files, and patterns of names as SQL has
    them. ``files`` are as they were before dbt read them.
    """

    key: dict[str, object]
    variables: dict[str, str]
    versions: dict[str, str]
    env_names: tuple[str, ...] | None
    env: str
    folders: tuple[str, ...]
    var_files: tuple[str, ...]
    files: dict[str, FileRecord]

    @classmethod
    def of(
        cls,
        settings: DbtSettings,
        *,
        folders: tuple[str, ...],
        env_names: tuple[str, ...] | None,
        var_files: Iterable[Path | str],
        before: Mapping[str, FileRecord],
    ) -> ParseInputs:
        """Take the inputs of a parse that was just made; ``before`` are the records of files taken before it."""
        files = tuple(str(path) for path in var_files)
        after = _paths(settings, folders, files)
        own = tuple(f"{settings.project_dir / folder}{os.sep}" for folder in folders)
        gone = {path for path in before if path.startswith(own)}
        return cls(
            key=ParseKey.of(settings).record(),
            variables=digests_of(settings.vars),
            versions=versions(),
            env_names=env_names,
            env=_env_digest(env_names),
            folders=folders,
            var_files=files,
            files=records_of(path for path in after if path not in before)
            | {path: record for path, record in before.items() if path in {*after, *gone}},
        )

    @classmethod
    def from_json(cls, document: dict[str, object]) -> ParseInputs:
        """Read what :meth:`to_json` made. Raises KeyError, TypeError or ValueError where it is something else."""
        values = dict(document)
        files, names = values.pop("files"), values.pop("env_names")
        assert isinstance(files, dict)
        return cls(
            files={path: FileRecord(*record) for path, record in files.items()},
            env_names=None if names is None else tuple(names),  # type: ignore[arg-type]  # checked by FORMAT
            folders=tuple(values.pop("folders")),  # type: ignore[arg-type]  # as above
            var_files=tuple(values.pop("var_files")),  # type: ignore[arg-type]  # as above
            **values,  # type: ignore[arg-type]  # as above
        )

    def to_json(self) -> dict[str, object]:
        """Return this as what JSON knows."""
        return {**asdict(self), "files": {path: list(vars(record).values()) for path, record in self.files.items()}}

    def unchanged(self, settings: DbtSettings) -> ParseInputs | None:
        """Return these inputs with the files as they are now, None when anything that decides the parse has changed.

        A file that was touched, copied or restored counts by its content.
        """
        return self._unchanged(settings) if self.key == ParseKey.of(settings).record() else None

    def unchanged_relative(self, settings: DbtSettings) -> ParseInputs | None:
        """Return the same where nothing but variables, threads and the place of the database may have changed."""
        return self._unchanged(settings) if self.key["family"] == ParseKey.of(settings).family().name else None

    def changed_variables(self, settings: DbtSettings) -> set[str]:
        """Return the names of the variables that are given with another value than for this parse, or by one alone."""
        given = digests_of(settings.vars)
        return {name for name in {*given, *self.variables} if given.get(name) != self.variables.get(name)}

    def changed_files(self, settings: DbtSettings) -> tuple[Path, ...]:
        """Return the files that do not hold any more what they held, are new or are gone."""
        paths = dict.fromkeys(_paths(settings, self.folders, self.var_files))
        if same_files(self.files, paths) is not None:
            return ()
        now = records_of({**paths, **self.files})
        differ = [path for path in {**paths, **self.files} if _digest(now, path) != _digest(self.files, path)]
        return tuple(map(Path, sorted(differ)))

    def files_changed_until(self, later: ParseInputs, project_dir: Path) -> tuple[Path, ...]:
        """Return the files of the project, and others that both parses read, that a later parse read otherwise."""
        own = tuple(f"{project_dir / folder}{os.sep}" for folder in {*self.folders, *later.folders})
        both = self.files.keys() & later.files.keys()
        paths = sorted(path for path in {**self.files, **later.files} if path in both or path.startswith(own))
        return tuple(Path(path) for path in paths if _digest(self.files, path) != _digest(later.files, path))

    def _unchanged(self, settings: DbtSettings) -> ParseInputs | None:
        if self.versions != versions() or self.env != _env_digest(self.env_names):
            return None
        files = same_files(self.files, _paths(settings, self.folders, self.var_files))
        if files is None:
            return None
        return self if files is self.files else replace(self, files=files)

    def joined(self, other: ParseInputs) -> ParseInputs:
        """Return these inputs with those of another parse of the project, as the environment is now."""
        both = None if self.env_names is None or other.env_names is None else {*self.env_names, *other.env_names}
        names = None if both is None else tuple(sorted(both))
        return replace(
            self,
            env_names=names,
            env=_env_digest(names),
            var_files=tuple(dict.fromkeys((*self.var_files, *other.var_files))),
            files={**other.files, **self.files},
        )

    def changed_behind_times(self) -> bool:
        """Tell whether a file has another content under its old modification time, by which dbt goes."""
        for path, record in self.files.items():
            now = records_of([path]).get(path)
            if now is not None and now.digest != record.digest and now.same_time(record):
                return True
        return False


def _digest(records: Mapping[str, FileRecord], path: str) -> str | None:
    record = records.get(path)
    return None if record is None else record.digest


def records_before(settings: DbtSettings, last: ParseInputs | None) -> dict[str, FileRecord]:
    """Return a record of each file that a parse will read, taken before it, so that an edit meanwhile is noticed.

    ``last`` are the inputs of an earlier parse, which knows the folders; else they are those that the project file
    names, whatever their kind, and dbt's defaults.
    """
    folders = last.folders if last is not None else _named_folders(settings.project_dir)
    return records_of(_paths(settings, folders, last.var_files if last is not None else ()))


@cache
def versions() -> dict[str, str]:
    """Return the versions of the packages that decide a parse."""
    found = {}
    for package in _VERSIONED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _paths(settings: DbtSettings, folders: Iterable[str], var_files: Iterable[str]) -> list[str]:
    profile = settings.effective_profiles_dir() / "profiles.yml"
    top = [p for p in settings.project_dir.iterdir() if p.suffix in _YAML] if settings.project_dir.is_dir() else []
    paths = [str(path) for path in (profile, settings.project_dir / ".dbtignore", *top)]
    paths += [str(file) for pattern in var_files for file in files_matching(pattern, settings.cwd)]
    for folder in folders:
        paths += files_below(settings.project_dir / folder)
    database = str(settings.database)
    return [path for path in paths if path not in (database, f"{database}.wal")]


def _named_folders(project_dir: Path) -> tuple[str, ...]:
    try:
        project = yaml.safe_load((project_dir / "dbt_project.yml").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        project = None
    named = project if isinstance(project, dict) else {}
    found: list[object] = [*_FOLDERS, named.get("packages-install-path")]
    for key, folders in named.items():
        if str(key).endswith("-paths") and isinstance(folders, list):
            found += folders
    return tuple(dict.fromkeys(folder for folder in found if isinstance(folder, str)))


def _env_digest(names: tuple[str, ...] | None) -> str:
    """Hash what the project reads of the environment, and what dbt and databases do (DBT_TARGET, TZ and the like)."""
    if names is None:
        read = {*os.environ} - SET_BY_SHELLS
    else:
        read = {*names, *READ_BY_DATABASES, *(name for name in os.environ if name.startswith("DBT_"))}
    values = [(name, os.environ.get(name)) for name in sorted(read - SET_FOR_DBT)]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
