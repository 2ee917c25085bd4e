"""A parse kept between runs, so that a look at an unchanged project needs no dbt, and a run of it no parse.

The JSON file holds the facts and says what they were made of: its key (:class:`ParseKey`), size and modification time
of every file below the project's own folders, the environment variables it reads, and versions. Any difference voids
it. The manifest itself lies beside it, as dbt packs it, and counts only where it is the one that the JSON file names.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from orchestrator.core.files import replace_file
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.facts_json import facts_of
from orchestrator.dbt_runner.project.files import file_state, files_below
from orchestrator.dbt_runner.project.parse_key import ParseKey
from orchestrator.dbt_runner.project.settings import DbtSettings

FORMAT = 15
_VERSIONED = ("dbt-core", "dbt-adapters", "dbt-common", "dbt-duckdb", "duckdb", "dbt-postgres")
PARTIAL_PARSE = "partial_parse.msgpack"
FACTS, MANIFEST, RECORDINGS = "json", "msgpack", "recordings"
_YAML = (".yml", ".yaml")


@dataclasses.dataclass(frozen=True)
class KeptParse:
    """A parse: its facts, its manifest in msgpack, and what dbt warned of."""

    facts: ProjectFacts
    packed: bytes
    warnings: tuple[str, ...]


def cached_facts(settings: DbtSettings) -> ProjectFacts | None:
    """Return the facts of the last parse when nothing that decides them has changed since, else None."""
    kept = _kept_document(settings)
    return None if kept is None else kept[1]


def last_facts(settings: DbtSettings) -> ProjectFacts | None:
    """Return the facts of the last parse whatever has changed since; None where there was none that can be read."""
    try:
        path = _path(settings)
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_ino)[1]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def cached_parse(settings: DbtSettings) -> KeptParse | None:
    """Return the last parse; None as for :func:`cached_facts`.

    None also where a file changed under its old size and time: here, unlike there, all are read.
    """
    kept = _kept_document(settings)
    if kept is None:
        return None
    document, facts = kept
    try:
        packed = _path(settings, MANIFEST).read_bytes()
        same = document["content"] == _content(document["files"])
    except OSError:
        return None
    if not same:
        (settings.cache_dir / PARTIAL_PARSE).unlink(missing_ok=True)  # dbt goes by times, too
    if not same or parse_digest(packed) != document["manifest"]:
        return None
    return KeptParse(facts, packed, tuple(document["warnings"]))


def watched_files(settings: DbtSettings) -> dict[str, list[int]]:
    """Return size and modification time (ns) of the files that a parse reads.

    These are the files at the top of the project and those that the last parse found to matter. Taken before a
    parse, so that an edit during the parse voids its result.
    """
    try:
        folders = json.loads(_path(settings).read_text(encoding="utf-8"))["folders"]
    except (OSError, ValueError, KeyError, TypeError):
        folders = []
    return _stat_files(settings, folders)


def store_parse(
    settings: DbtSettings,
    kept: KeptParse,
    before: dict[str, list[int]],
    folders: tuple[str, ...],
    env_names: tuple[str, ...],
    var_files: tuple[Path, ...],
) -> None:
    """Write a parse; ``before`` is what :func:`watched_files` said before the parse."""
    files = _stat_files(settings, folders, var_files)
    if any(files.get(path) != state for path, state in before.items()):
        return
    document = {
        "format": FORMAT,
        "key": ParseKey.of(settings).record(),
        "versions": _versions(),
        "env_names": list(env_names),
        "env": _env_digest(env_names),
        "folders": list(folders),
        "var_files": [str(path) for path in var_files],
        "files": files,
        "content": _content(files),
        "facts": dataclasses.asdict(kept.facts),
        "manifest": parse_digest(kept.packed),
        "warnings": list(kept.warnings),
    }
    replace_file(_path(settings, MANIFEST), kept.packed)
    replace_file(_path(settings), json.dumps(document, default=str).encode())


def _kept_document(settings: DbtSettings) -> tuple[dict[str, Any], ProjectFacts] | None:
    try:
        path = _path(settings)
        state = path.stat()
        document, facts = _read(path, state.st_mtime_ns, state.st_ino)
        if document["key"] != ParseKey.of(settings).record():
            return None
        if document["versions"] != _versions():
            return None
        if document["env"] != _env_digest(document["env_names"]):
            return None
        if document["files"] != _stat_files(settings, document["folders"], document["var_files"]):
            return None
        return document, facts
    except (OSError, ValueError, KeyError, TypeError):
        return None


@lru_cache(maxsize=4)
def _read(path: Path, modified: int, inode: int) -> tuple[dict[str, Any], ProjectFacts]:
    """Read a file of ours once: it is only ever replaced as a whole, by a file with another time and inode."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["format"] != FORMAT:
        raise ValueError(document["format"])
    return document, facts_of(document.pop("facts"))


def parse_digest(packed: bytes) -> str:
    """Return the name of a parse: a hash of its manifest as dbt packs it, which holds when it was made."""
    return hashlib.sha256(packed).hexdigest()


def recordings_path(settings: DbtSettings) -> Path:
    """Return the file of the recordings that are kept between runs, for whatever vars and threads."""
    return _file(settings, ParseKey.of(settings).for_any_vars(), RECORDINGS)


def _path(settings: DbtSettings, kind: str = FACTS) -> Path:
    return _file(settings, ParseKey.of(settings), kind)


def _file(settings: DbtSettings, key: ParseKey, kind: str) -> Path:
    return settings.cache_dir / f"facts-{key.name}.{kind}"


def _stat_files(
    settings: DbtSettings, folders: Sequence[str], var_files: Sequence[str | Path] = ()
) -> dict[str, list[int]]:
    profile = settings.effective_profiles_dir() / "profiles.yml"
    top = [p for p in settings.project_dir.iterdir() if p.suffix in _YAML] if settings.project_dir.is_dir() else []
    paths = [str(path) for path in (profile, settings.project_dir / ".dbtignore", *top, *var_files)]
    for folder in folders:
        paths += files_below(settings.project_dir / folder)
    return {path: state for path in paths if (state := file_state(path)) is not None}


def _content(files: Iterable[str]) -> str:
    """Return one hash of these files, each with its path; one that may not be read goes by its path alone."""
    found = hashlib.sha256()
    for path in sorted(files):
        try:
            with Path(path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            digest = ""
        found.update(f"{path} {digest}\n".encode())
    return found.hexdigest()


def _env_digest(names: tuple[str, ...] | list[str]) -> str:
    """Hash what the project reads of the environment, and what dbt itself does (DBT_TARGET and the like)."""
    read = {*names, *(name for name in os.environ if name.startswith("DBT_"))} - {"ORCHESTRATOR_DATABASE"}
    values = [(name, os.environ.get(name)) for name in sorted(read)]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


@cache
def _versions() -> dict[str, str]:
    found = {}
    for package in _VERSIONED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
