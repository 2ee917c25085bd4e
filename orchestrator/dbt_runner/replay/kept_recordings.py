"""The recordings of a project, kept between runs: a stage that was recorded once need not be recorded again.

A recording is valid as long as dbt would send the same statements around whatever SQL the nodes have: its signature
covers the project's shape, the versions of dbt and DuckDB and the code of its nodes. The SQL itself is compiled anew
wherever it was not recorded in this very parse.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from orchestrator.core.files import replace_file
from orchestrator.core.untrusted import parsed_json, read_limited
from orchestrator.database.catalog import Relation
from orchestrator.database.names import RelationName
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.results import NodeResult
from orchestrator.dbt_runner.replay.printed_sql import PrintedSql
from orchestrator.dbt_runner.replay.recording import RecordedNode, Recording

FORMAT = 4
MOST_OF_A_KEY = 6
DIGEST_BYTES = 32
MOST_BYTES = 512 * 1024 * 1024
Key = tuple[str, tuple[str, ...], tuple[str, ...]]
"""Command, selection in dbt's syntax, exact unique ids."""


@dataclasses.dataclass(frozen=True)
class KeptRecording:
    """A recording, what it is for, and the parse in which it was recorded.

    ``signature`` stands for the project that it is of, ``place`` for where that stood.
    """

    key: Key
    signature: str
    place: str
    parse: str
    recording: Recording

    def replaces(self, other: KeptRecording) -> bool:
        """Tell whether another recording serves nothing that this one does not."""
        return self._serves == other._serves

    @property
    def _serves(self) -> tuple[object, ...]:
        return self.signature, self.place, self.recording.before, self.recording.indexes


class KeptRecordings:
    """All recordings of a project: those in ``path``, of which some may be void, and new ones.

    ``parse`` names the parse that is in use now.
    """

    def __init__(self, facts: ProjectFacts, path: Path, parse: str) -> None:
        self._facts = facts
        self._path = path
        self.parse = parse
        self._kept = _read(path)
        self._changed = False
        self._valid: dict[int, bool] = {}

    def find(self, key: Key, fits: Callable[[Recording], bool]) -> Recording | None:
        """Return the newest recording for a stage that is valid and fits the database."""
        return next(
            (one.recording for one in self._kept if one.key == key and self._is_valid(one) and fits(one.recording)),
            None,
        )

    def fitting(self, fits: Callable[[Recording], bool]) -> list[Recording]:
        """Return the newest recording of each stage that is valid and fits the database."""
        found: dict[Key, Recording] = {}
        for one in self._kept:
            if one.key not in found and self._is_valid(one) and fits(one.recording):
                found[one.key] = one.recording
        return list(found.values())

    def of_this_parse(self, recording: Recording) -> bool:
        """Tell whether a recording was recorded in this very parse."""
        return any(one.recording is recording and one.parse == self.parse for one in self._kept)

    def put(self, key: Key, recording: Recording) -> None:
        """Add a recording in place of those that it makes needless, and of the oldest where there are many."""
        signature = self._signature(recording)
        new = KeptRecording(key, signature, self._facts.shape.place, self.parse, recording)
        same = [one for one in self._kept if one.key == key]
        others = [one for one in same if not new.replaces(one)]
        kept = {id(one) for one in others[: MOST_OF_A_KEY - 1]}
        self._kept = [new, *(one for one in self._kept if one.key != key or id(one) in kept)]
        self._changed = True

    def save(self, complete: Callable[[Recording], Recording]) -> None:
        """Write what is new, recordings of this parse completed; of several processes that write, the last one wins."""
        kept = [
            dataclasses.replace(one, recording=complete(one.recording)) if one.parse == self.parse else one
            for one in self._kept
        ]
        if not self._changed and kept == self._kept:
            return
        self._kept = kept
        document = json.dumps([FORMAT, [dataclasses.asdict(one) for one in self._kept]])
        packed = zlib.compress(document.encode(), 1)
        replace_file(self._path, hashlib.sha256(packed).digest() + packed)
        self._changed = False

    def _is_valid(self, one: KeptRecording) -> bool:
        if id(one) not in self._valid:
            here = one.place == self._facts.shape.place
            self._valid[id(one)] = here and self._signature(one.recording) == one.signature
        return self._valid[id(one)]

    def _signature(self, recording: Recording) -> str:
        facts = self._facts
        code: list[object] = []
        for recorded in recording.parts:
            node = facts.node(recorded.result.unique_id)
            code.append([recorded.result.unique_id, sorted(facts.code_of(node).items()) if node is not None else None])
        return hashlib.sha256(json.dumps([facts.shape.project, facts.versions, code]).encode()).hexdigest()


def _read(path: Path) -> list[KeptRecording]:
    """Return what a file holds, nothing where there is none or it is not as it was written."""
    try:
        content = read_limited(path, MOST_BYTES)
        digest, packed = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        if hashlib.sha256(packed).digest() != digest:
            return []
        reading = zlib.decompressobj()
        document = reading.decompress(packed, MOST_BYTES)
        if reading.unconsumed_tail:
            return []
        written = parsed_json(document)
        if not isinstance(written, list):
            return []
        made, kept = written
        return [_kept(**one) for one in kept] if made == FORMAT else []
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError, zlib.error):
        return []


def _kept(key: list[object], signature: str, place: str, parse: str, recording: dict[str, Any]) -> KeptRecording:
    command, select, nodes = key
    assert isinstance(select, list) and isinstance(nodes, list)
    before = tuple(_relation(*one) for one in recording["before"])
    indexes = tuple((RelationName(**name), tuple(map(str, names))) for name, names in recording["indexes"])
    recorded = {part: tuple(_node(**one) for one in recording[part]) for part in ("nodes", "first", "last")}
    played = Recording(before=before, by_dbt=tuple(recording["by_dbt"]), indexes=indexes, **recorded)
    return KeptRecording((str(command), tuple(select), tuple(nodes)), signature, place, parse, played)


def _relation(name: object, relation: object) -> tuple[RelationName, Relation | None]:
    assert isinstance(name, dict)
    if relation is None:
        return RelationName(**name), None
    assert isinstance(relation, dict)
    return RelationName(**name), Relation(relation["kind"], _pairs(relation["columns"]))


def _node(
    result: dict[str, object],
    relation: dict[str, str] | None,
    compiled: str,
    statements: list[str],
    columns: list[list[str]],
    key: str,
    printed: dict[str, Any] | None,
) -> RecordedNode:
    return RecordedNode(
        NodeResult(**result),  # type: ignore[arg-type]  # what asdict() wrote, checked by FORMAT
        None if relation is None else RelationName(**relation),
        compiled,
        tuple(statements),
        _pairs(columns),
        key,
        None if printed is None else _printed(**printed),
    )


def _printed(texts: list[str], places: list[str], variables: list[str], decided: str) -> PrintedSql:
    return PrintedSql(tuple(texts), tuple(places), tuple(variables), decided)


def _pairs(listed: Iterable[Iterable[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, text) for name, text in listed)
