"""A parse kept between runs, so that a look at an unchanged project needs no dbt, and a run of it no parse.

The JSON file holds the facts and what they were made of (:class:`ParseInputs`); any difference voids it. The manifest
itself lies beside it, as dbt packs it, and counts only where it is the one that the JSON file names. So does what dbt
keeps for its own partial parse, which is as much bound to the place of the project.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from orchestrator.core.files import replace_file
from orchestrator.core.untrusted import parsed_json, read_limited
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.facts_json import facts_of
from orchestrator.dbt_runner.project.parse_inputs import ParseInputs
from orchestrator.dbt_runner.project.parse_key import ParseKey
from orchestrator.dbt_runner.project.settings import DbtSettings

FORMAT = 27
MOST_BYTES = 2 * 1024**3
FACTS, MANIFEST, RECORDINGS, PARTIAL = "json", "msgpack", "recordings", "partial"


@dataclasses.dataclass(frozen=True)
class KeptParse:
    """A parse: its facts, what decided them, its manifest in msgpack, and what dbt warned of."""

    facts: ProjectFacts
    inputs: ParseInputs
    packed: bytes
    warnings: tuple[str, ...]


def cached_facts(settings: DbtSettings) -> ProjectFacts | None:
    """Return the facts of the last parse when nothing that decides them has changed since, else None."""
    kept = _kept_document(settings)
    return None if kept is None else kept.facts


def last_facts(settings: DbtSettings) -> ProjectFacts | None:
    """Return the facts of the last parse whatever has changed since; None where there was none that can be read."""
    last = _last_document(settings)
    return None if last is None else last.facts


def last_inputs(settings: DbtSettings) -> ParseInputs | None:
    """Return what decided the last parse with this key; None where there was none that can be read."""
    last = _last_document(settings)
    return None if last is None else last.inputs


def cached_parse(settings: DbtSettings) -> KeptParse | None:
    """Return the last parse when nothing that decides it has changed since, else None."""
    kept = _kept_document(settings)
    if kept is None:
        return None
    try:
        packed = read_limited(_path(settings, MANIFEST), MOST_BYTES)
    except (OSError, ValueError):
        return None
    if parse_digest(packed) != kept.manifest:
        return None
    return KeptParse(kept.facts, kept.inputs, packed, kept.warnings)


def partial_parse(settings: DbtSettings) -> Path:
    """Return the file that dbt's own partial parse goes by; it is removed where dbt would overlook a change by it."""
    path = _path(settings, PARTIAL)
    last = last_inputs(settings)
    if last is None or last.changed_behind_times():
        path.unlink(missing_ok=True)
    return path


def store_parse(settings: DbtSettings, kept: KeptParse) -> None:
    """Write a parse, for whoever finds that its inputs are unchanged."""
    document = {
        "format": FORMAT,
        "inputs": kept.inputs.to_json(),
        "facts": dataclasses.asdict(kept.facts),
        "manifest": parse_digest(kept.packed),
        "warnings": list(kept.warnings),
    }
    replace_file(_path(settings, MANIFEST), kept.packed)
    replace_file(_path(settings), json.dumps(document, default=str).encode())


@dataclasses.dataclass(frozen=True)
class _Document:
    """The JSON file of a kept parse."""

    facts: ProjectFacts
    inputs: ParseInputs
    manifest: str
    warnings: tuple[str, ...]


def _kept_document(settings: DbtSettings) -> _Document | None:
    last = _last_document(settings)
    inputs = None if last is None else last.inputs.unchanged(settings)
    if last is None or inputs is None:
        return None
    if inputs is not last.inputs:
        with suppress(OSError, ValueError, KeyError):
            _note_states(_path(settings), inputs)
    return dataclasses.replace(last, inputs=inputs)


def _note_states(path: Path, inputs: ParseInputs) -> None:
    """Note that files whose times have moved hold what they held, so that they need not be read again."""
    document = json.loads(path.read_text(encoding="utf-8"))
    replace_file(path, json.dumps({**document, "inputs": inputs.to_json()}).encode())


def _last_document(settings: DbtSettings) -> _Document | None:
    try:
        path = _path(settings)
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_ino)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError):
        return None


@lru_cache(maxsize=4)
def _read(path: Path, modified: int, inode: int) -> _Document:
    """Read a file of ours once: it is only ever replaced as a whole, by a file with another time and inode."""
    document = parsed_json(read_limited(path, MOST_BYTES))
    if not isinstance(document, dict) or document["format"] != FORMAT:
        raise ValueError(f"{path} is of another version")
    return _Document(
        facts=facts_of(document["facts"]),
        inputs=ParseInputs.from_json(document["inputs"]),
        manifest=str(document["manifest"]),
        warnings=tuple(document["warnings"]),
    )


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
