"""Checks of what surrounds a database and its dbt project: versions, profile, locks, leftover files, disk space."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from pathlib import Path

import yaml

from orchestrator.core.text import plural
from orchestrator.database.lock_note import LockHolder
from orchestrator.database.mutex import DatabaseMutex
from orchestrator.dbt_runner.project.settings import DbtSettings
from orchestrator.maintenance.doctor.diagnosis import Diagnosis, check_passed, problem_found, size, worth_noting

LEAST_PYTHON = (3, 11)
# (package, at least, below), as pyproject.toml has it.
NEEDED: tuple[tuple[str, tuple[int, ...], tuple[int, ...] | None], ...] = (
    ("dbt-core", (1, 11), (1, 12)),
    ("dbt-duckdb", (1, 10), None),
    ("duckdb", (1, 3), None),
)
LEAST_FREE_BYTES = 256_000_000


def check_versions() -> list[Diagnosis]:
    """Compare Python and the packages that decide a result with what this program is made for."""
    python = ".".join(map(str, sys.version_info[:3]))
    there, wrong = [f"python {python}"], []
    if sys.version_info < LEAST_PYTHON:
        remedy = f"use Python {_dotted(LEAST_PYTHON)} or newer"
        wrong.append(problem_found("versions", f"is {python}", remedy, subject="python"))
    for package, least, below in NEEDED:
        wanted = f"{package}>={_dotted(least)}" + (f",<{_dotted(below)}" if below else "")
        try:
            found = version(package)
        except PackageNotFoundError:
            wrong.append(problem_found("versions", "is not installed", f"pip install '{wanted}'", subject=package))
            continue
        there.append(f"{package} {found}")
        number = _number(found)
        if number < least or (below is not None and number >= below):
            wrong.append(problem_found("versions", f"is {found}", f"pip install '{wanted}'", subject=package))
    return wrong or [check_passed("versions", ", ".join(there))]


def _dotted(number: tuple[int, ...]) -> str:
    return ".".join(map(str, number))


def _number(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version.

    >>> _number("1.12.0rc1")
    (1, 12, 0)
    """
    parts = ["".join(takewhile(str.isdigit, part)) for part in text.split(".")]
    return tuple(int(part) for part in takewhile(bool, parts))


def profile_problem(settings: DbtSettings) -> Diagnosis | None:
    """Say what keeps dbt from finding its profile, as far as it can be seen without dbt; None when nothing does."""
    file = settings.effective_profiles_dir() / "profiles.yml"
    profiles, trouble = _mapping(file)
    if trouble is not None:
        remedy = f"write {file}, or set dbt.profiles_dir in the configuration to the folder that holds it"
        return problem_found("profile", trouble, remedy if not file.exists() else f"correct {file}", subject=str(file))
    project, _ = _mapping(settings.project_dir / "dbt_project.yml")
    name = settings.profile or project.get("profile")
    if not isinstance(name, str) or "{{" in name:
        return None  # dbt's own words are better
    profile = profiles.get(name)
    names = sorted(key for key in profiles if key != "config")
    if not isinstance(profile, dict):
        origin = "the configuration" if settings.profile else "dbt_project.yml"
        has = f"it has {', '.join(names)}" if names else "it has none"
        return problem_found(
            "profile",
            f"is not in {file}; {has}",
            f"add it there, or name another in {origin}",
            subject=f"profile {name}",
        )
    outputs = profile.get("outputs")
    outputs = outputs if isinstance(outputs, dict) else {}
    target = settings.target or profile.get("target", "default")
    if not isinstance(target, str) or "{{" in target:
        return None
    if target not in outputs:
        has = f"it has {', '.join(sorted(outputs))}" if outputs else "it has none"
        origin = "dbt.target in the configuration" if settings.target else f"`target:` in {file}"
        return problem_found(
            "profile",
            f"is not an output of profile {name} in {file}; {has}",
            f"correct {origin}",
            subject=f"target {target}",
        )
    return _adapter_problem(outputs[target])


def _adapter_problem(output: object) -> Diagnosis | None:
    adapter = output.get("type") if isinstance(output, dict) else None
    if not isinstance(adapter, str) or "{{" in adapter:
        return None
    try:
        version(f"dbt-{adapter}")
    except PackageNotFoundError:
        remedy = f"pip install dbt-{adapter}, or choose another target"
        return problem_found(
            "profile", f"the package dbt-{adapter} is not installed", remedy, subject=f"type {adapter}"
        )
    return None


def _mapping(file: Path) -> tuple[dict[str, object], str | None]:
    """Return a YAML file as a mapping, or why it is none."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, "does not exist"
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        return {}, f"cannot be read: {' '.join(str(error).split())}"
    return (content, None) if isinstance(content, dict) else ({}, "holds no profiles")


def check_locks(mutex: DatabaseMutex, holder: LockHolder | None) -> list[Diagnosis]:
    """Say who holds the mutex, and whether a killed holder left its note; ``holder`` is who was just seen."""
    if holder is not None:
        return [worth_noting("locks", f"is held by {described_holder(holder)}", subject=str(mutex.lock_path))]
    abandoned = mutex.abandoned_note()
    if abandoned is None:
        return [check_passed("locks", "free")]
    who = described_holder(abandoned) if abandoned.pid is not None else "a process that cannot be read from it"
    gone = "left by" if abandoned.alive is not False else "left by a process that is gone:"
    remedy = f"delete it (rm '{mutex.note.path}'); the next run does so automatically"
    return [problem_found("locks", f"{gone} {who}; nobody holds the lock", remedy, subject=str(mutex.note.path))]


def described_holder(holder: LockHolder) -> str:
    """Say who holds or held a mutex."""
    if not holder.believable and holder.alive is not False:
        return "another process, which left no lock note"
    since = f", since {holder.since:%Y-%m-%d %H:%M} UTC" if holder.since is not None else ""
    return f"pid {holder.pid} on {holder.host} ({holder.command}){since}"


def dead_folders(cache_dir: Path) -> list[Path]:
    """Return the working folders of dbt processes that are gone."""
    found = []
    for folder in sorted(cache_dir.glob("target-*")):
        pid = folder.name.removeprefix("target-")
        if pid.isdigit() and not _runs(int(pid)):
            found.append(folder)
    return found


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def leftover_files(database: Path | None, folders: Iterable[Path], *, in_use: bool) -> list[Diagnosis]:
    """Say which files others left; ``folders`` were seen before dbt started, which may have removed them since."""
    found = []
    if database is not None:
        found += [*_log(database, in_use=in_use), *_set_aside(database)]
    for folder in folders:
        if folder.exists():
            remedy = f"delete it: rm -r '{folder}'"
            found.append(problem_found("leftovers", "left by a dbt process that is gone", remedy, subject=str(folder)))
        else:
            detail = "was left by a dbt process that is gone; starting dbt just now has removed it"
            found.append(worth_noting("leftovers", detail, subject=str(folder)))
    return found


def _log(database: Path, *, in_use: bool) -> list[Diagnosis]:
    log = Path(f"{database.resolve()}.wal")
    if in_use or not log.exists():
        return []
    if database.exists():
        detail = f"{size(log.stat().st_size)} of commits that a killed process had not yet written to the database"
        return [
            worth_noting(
                "leftovers",
                detail,
                subject=str(log),
                remedy="copy and move both files together; the next run writes it in",
            )
        ]
    remedy = f"bring {database.name} back beside it; DuckDB deletes the log when it makes a new database there"
    return [problem_found("leftovers", "its database is missing; it may contain commits", remedy, subject=str(log))]


def _set_aside(database: Path) -> list[Diagnosis]:
    aside = [path for path in database.resolve().parent.glob(f"{database.resolve().name}.corrupt-*") if path.is_file()]
    if not aside:
        return []
    total = size(sum(path.stat().st_size for path in aside))
    names = ", ".join(sorted(path.name for path in aside))
    detail = f"{plural(len(aside), 'file')} ({total}) that `init --recreate` moved aside: {names}"
    return [worth_noting("leftovers", detail, remedy="delete them once nothing in them is needed")]


def check_disk(place: Path, database: Path | None) -> list[Diagnosis]:
    """Compare free space with what a rebuild or a copy of the database needs: its own size, and some room."""
    while not place.exists():
        place = place.parent
    try:
        free = shutil.disk_usage(place).free
        held = database.stat().st_size if database is not None and database.is_file() else 0
    except OSError as error:
        return [worth_noting("disk", f"free space could not be determined: {error.strerror}", subject=str(place))]
    needed = max(LEAST_FREE_BYTES, held)
    if free >= needed:
        return [check_passed("disk", f"{size(free)} free")]
    why = "as much as the database holds, for a rebuild or a copy" if held > LEAST_FREE_BYTES else "for building"
    detail = f"only {size(free)} are free on the disk that holds {place}; {size(needed)} should be, {why}"
    return [problem_found("disk", detail, "free some space, or move the database with --database", subject=str(place))]
