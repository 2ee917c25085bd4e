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
from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.facts_json import facts_of, node_of
from orchestrator.dbt_runner.project.parse_inputs import ParseInputs
from orchestrator.dbt_runner.project.parse_key import ParseKey
from orchestrator.dbt_runner.project.settings import DbtSettings

FORMAT = 40
MOST_BYTES = 2 * 1024**3
READING_FAILS = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError)
FACTS, MANIFEST, RECORDINGS, PARTIAL, LATEST = "json", "msgpack", "recordings", "partial", "latest"


@dataclasses.dataclass(frozen=True)
class AllYears:
    """The nodes of a project in all years, where these are not those of its first parse; ``years`` tells which."""

    years: str
    nodes: tuple[NodeFacts, ...]

    @staticmethod
    def of(settings: DbtSettings) -> str:
        """Return what tells the later years of these settings from others."""
        return parse_digest(canonical(settings.later_years).encode())


@dataclasses.dataclass(frozen=True)
class KeptParse:
    """A parse: its facts, what decided them, its manifest in msgpack, and what dbt warned of."""

    facts: ProjectFacts
    inputs: ParseInputs
    packed: bytes
    warnings: tuple[str, ...]
    all_years: AllYears | None = None

    def facts_of_all_years(self, settings: DbtSettings) -> ProjectFacts | None:
        """Return the facts with the nodes of all years; None where these are not known."""
        return _of_all_years(self.facts, self.all_years, settings)


def _of_all_years(facts: ProjectFacts, known: AllYears | None, settings: DbtSettings) -> ProjectFacts | None:
    if not (facts.has_branches and settings.later_years):
        return facts
    if known is None or known.years != AllYears.of(settings):
        return None
    return dataclasses.replace(facts, nodes=known.nodes)


def cached_facts(settings: DbtSettings) -> ProjectFacts | None:
    """Return the facts of the last parse when nothing that decides them has changed since, else None."""
    kept = _kept_document(settings)
    return None if kept is None else _of_all_years(kept.facts, kept.all_years, settings)


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
    return None if kept is None else _with_manifest(kept, _path(settings, MANIFEST))


def relative_parse(settings: DbtSettings) -> KeptParse | None:
    """Return the last parse of the same project with whatever variables, threads and place of the database.

    None where anything else that decides it has changed. Whether it serves is for
    :mod:`orchestrator.dbt_runner.process.adoption` to prove.
    """
    try:
        named = read_limited(_family_path(settings, LATEST), MOST_BYTES).decode()
        path = settings.cache_dir / f"facts-{named}.{FACTS}"
        state = path.stat()
        last = _read(path, state.st_mtime_ns, state.st_ino)
    except READING_FAILS:
        return None
    inputs = last.inputs.unchanged_relative(settings)
    if inputs is None:
        return None
    return _with_manifest(dataclasses.replace(last, inputs=inputs), path.with_suffix(f".{MANIFEST}"))


def partial_parse(settings: DbtSettings) -> Path:
    """Return the file that dbt's own partial parse goes by; it is removed where dbt would overlook a change by it."""
    path = _path(settings, PARTIAL)
    last = last_inputs(settings)
    if last is None or last.changed_behind_times():
        path.unlink(missing_ok=True)
    return path


def store_parse(settings: DbtSettings, kept: KeptParse, *, latest: bool = True) -> None:
    """Write a parse, for whoever finds that its inputs are unchanged; ``latest`` offers it to other variables, too."""
    document = {
        "format": FORMAT,
        "inputs": kept.inputs.to_json(),
        "facts": dataclasses.asdict(kept.facts),
        "manifest": parse_digest(kept.packed),
        "warnings": list(kept.warnings),
        "all_years": None if kept.all_years is None else dataclasses.asdict(kept.all_years),
    }
    replace_file(_path(settings, MANIFEST), kept.packed)
    replace_file(_path(settings), json.dumps(document, default=str).encode())
    if latest:
        replace_file(_family_path(settings, LATEST), ParseKey.of(settings).name.encode())


@dataclasses.dataclass(frozen=True)
class _Document:
    """The JSON file of a kept parse."""

    facts: ProjectFacts
    inputs: ParseInputs
    manifest: str
    warnings: tuple[str, ...]
    all_years: AllYears | None


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
    except READING_FAILS:
        return None


def _with_manifest(kept: _Document, path: Path) -> KeptParse | None:
    try:
        packed = read_limited(path, MOST_BYTES)
    except (OSError, ValueError):
        return None
    if parse_digest(packed) != kept.manifest:
        return None
    return KeptParse(kept.facts, kept.inputs, packed, kept.warnings, kept.all_years)


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
        all_years=_all_years(document["all_years"]),
    )


def _all_years(document: dict[str, object] | None) -> AllYears | None:
    if document is None:
        return None
    nodes = document["nodes"]
    assert isinstance(nodes, list)
    return AllYears(str(document["years"]), tuple(map(node_of, nodes)))


def parse_digest(packed: bytes) -> str:
    """Return the name of a parse: a hash of its manifest as dbt packs it, which holds when it was made."""
    return hashlib.sha256(packed).hexdigest()


def recordings_path(settings: DbtSettings, number: int) -> Path:
    """Return the file of the recordings that are kept between runs, for all vars, threads and places of a database.

    ``number`` is 0 for the parse that a run begins with, and counts those that other years need.
    """
    return _family_path(settings, f"{RECORDINGS}{number or ''}")


def _path(settings: DbtSettings, kind: str = FACTS) -> Path:
    return _file(settings, ParseKey.of(settings), kind)


def _family_path(settings: DbtSettings, kind: str) -> Path:
    return _file(settings, ParseKey.of(settings).family(), kind)


def _file(settings: DbtSettings, key: ParseKey, kind: str) -> Path:
    return settings.cache_dir / f"facts-{key.name}.{kind}"
