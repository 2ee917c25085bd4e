"""The project as one file, for workers that do not see its folder: what its configuration needs, and nothing else.

The bundle is named by a digest of its content, so that a worker unpacks the same one once. Secrets, databases and what
lies below ``var`` are never in it; neither is any file outside the project root.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.origins import ENV_PREFIX, ENV_SEPARATOR, RESERVED_NAMES, RESERVED_PREFIXES
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import SweepError
from orchestrator.core.file_patterns import files_matching
from orchestrator.core.masking import masked
from orchestrator.core.permissions import make_folder
from orchestrator.core.text import plural
from orchestrator.scenarios.inputs import project_files

MOST_BYTES = 2 * 1024**3
MOMENT = (1980, 1, 1, 0, 0, 0)  # of every file, so that the same content is the same bundle
SECRET_NAMES = (".env", ".netrc", "id_rsa", "credentials", "secrets")
SECRET_ENDINGS = (".pem", ".key", ".p12", ".pfx")
SENT_SECTIONS = ("VARS", "SIMULATION", "SCENARIO", "DBT", "EXECUTION", "LEDGER", "STAGES", "REQUIRED_TABLES", "HOOKS")


@dataclass(frozen=True)
class Bundle:
    """A project as one file: its digest and its bytes."""

    digest: str
    content: bytes


def make_bundle(configs: Iterable[SimulationConfig]) -> Bundle:
    """Pack what these configurations of one project need.

    Raises:
        SweepError: a part of it lies outside the project root, cannot be read, or all of it is too large.
    """
    configs = list(configs)
    root = configs[0].root
    files = sorted({file for config in configs for file in _files(config, root)})
    written = io.BytesIO()
    total = 0
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in files:
            try:
                content = file.read_bytes()
            except OSError as error:
                raise SweepError(f"{file} cannot be sent to the workers: {error.strerror or error}.") from error
            total += len(content)
            if total > MOST_BYTES:
                raise SweepError(
                    f"The project has more than {plural(MOST_BYTES // 1024**3, 'GB')} of files, too much to be sent.",
                    to_fix="let the workers share the project's folder, under the same path",
                )
            archive.writestr(zipfile.ZipInfo(file.relative_to(root).as_posix(), MOMENT), content)
    content = written.getvalue()
    return Bundle(hashlib.sha256(content).hexdigest(), content)


def unpack(content: bytes, digest: str, folder: Path) -> None:
    """Unpack a bundle into ``folder``, all or nothing.

    Raises:
        ValueError: it is not the bundle of that digest.
        OSError: it cannot be written.
    """
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError("the bundle is not what was sent")
    new = folder.with_name(f".{folder.name}.new")
    make_folder(new)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(new)  # which leaves out what would lead outside
    new.replace(folder)


def sent_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are a layer of the configuration, secrets and places of this machine left out."""
    found = {}
    for name, value in environ.items():
        if not name.startswith(ENV_PREFIX) or name in RESERVED_NAMES or name.startswith(RESERVED_PREFIXES):
            continue
        section = name.removeprefix(ENV_PREFIX).split(ENV_SEPARATOR)[0]
        if section in SENT_SECTIONS and masked(f"{name}={value}") == f"{name}={value}":
            found[name] = value
    return found


def _files(config: SimulationConfig, root: Path) -> Iterator[Path]:
    """Yield the files that one configuration needs."""
    assert config.file is not None
    places = [config.file, *sorted((config.file.parent / "scenarios").glob("*.y*ml"))]
    places += [config.project_dir / file for file in project_files(config.project_dir)]
    if config.profiles_dir is not None:
        places.append(config.profiles_dir / "profiles.yml")
    for value in config.vars.values():
        places += _named(value, root)
    for hook in config.hooks:
        top = root / hook.call.partition(":")[0].split(".")[0]
        places += [*top.rglob("*.py")] if top.is_dir() else [top.with_name(f"{top.name}.py")]
    for file in places:
        if _is_secret(file) or (not file.is_file() and file.suffix == ".py"):
            continue
        if not file.is_relative_to(root):
            raise SweepError(
                f"{file} lies outside the project root {root}, and is not sent to workers.",
                to_fix="move it into the project, or let the workers share the folder under the same path",
            )
        if file.is_relative_to(root / "var"):
            continue
        yield file


def _named(value: object, root: Path) -> list[Path]:
    """Return the files that the value of a variable names within the project."""
    if not isinstance(value, str) or not 0 < len(value) < 1000 or "://" in value:
        return []
    try:
        return [file for file in files_matching(value, root) if file.is_file() and file.resolve().is_relative_to(root)]
    except (OSError, ValueError):
        return []


def _is_secret(file: Path) -> bool:
    name = file.name.lower()
    return name.startswith(SECRET_NAMES) or name.endswith(SECRET_ENDINGS)
