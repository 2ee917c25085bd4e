"""Files that external models wrote: whether they still hold what was written.

Such a file lies outside of the database. Another database, another target or a program may write it as well, and a
database that is restored does not bring it back: the relation that reads it then shows somebody else's rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.dbt_runner.project.facts import NodeFacts
from orchestrator.dbt_runner.project.file_records import FileRecord, records_of, same_files
from orchestrator.dbt_runner.project.files import files_below
from orchestrator.dbt_runner.project.input_kinds import WRITTEN_FILE


def written_by(node: NodeFacts) -> dict[str, str]:
    """Return {what: state} of the file, or the folder, that a node writes; empty where it writes none here."""
    place = _place(node)
    if place is None:
        return {}
    records = records_of(_files(place))
    state = {_within(place, path): list(vars(record).values()) for path, record in sorted(records.items())}
    return {_what(node): json.dumps(state)}


def still_written_by(node: NodeFacts, recorded: Mapping[str, str]) -> dict[str, str]:
    """Return the same as it is now, in the words of ``recorded`` where the files hold what they held then.

    Empty where nothing was recorded of them.
    """
    place, state = _place(node), recorded.get(_what(node))
    if place is None or state is None:
        return {}
    entries: dict[str, tuple[int, int, int, int, int, str]] = json.loads(state)
    known = {str(place / path) if path else str(place): FileRecord(*entry) for path, entry in entries.items()}
    return {_what(node): state} if same_files(known, _files(place)) is not None else written_by(node)


def lost_by(node: NodeFacts, recorded: Mapping[str, str]) -> tuple[int, int] | None:
    """Return how many files were recorded of a node and how many it has now, where they do not hold what they held.

    None where they do, or where nothing was recorded of them.
    """
    before, now = recorded.get(_what(node)), still_written_by(node, recorded).get(_what(node))
    if before is None or now is None or before == now:
        return None
    return len(json.loads(before)), len(json.loads(now))


def writers_recorded(recorded: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the nodes of which files are recorded, by what is recorded of built tables."""
    mark = f"{WRITTEN_FILE} "
    return tuple(sorted({what.removeprefix(mark) for what in recorded if what.startswith(mark)}))


def _place(node: NodeFacts) -> Path | None:
    if node.external_file is None or not Path(node.external_file).is_absolute():
        return None
    return Path(node.external_file)


def _files(place: Path) -> list[str]:
    return [str(path) for path in files_below(place)] if place.is_dir() else [str(place)]


def _within(place: Path, path: str) -> str:
    return "" if path == str(place) else str(Path(path).relative_to(place))


def _what(node: NodeFacts) -> str:
    return f"{WRITTEN_FILE} {node.name}"
