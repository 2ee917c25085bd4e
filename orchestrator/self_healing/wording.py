"""The sentences about required tables that are not ready, made of what was seen of them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import assert_never

from orchestrator.core.text import plural
from orchestrator.dbt_runner.project.input_kinds import PLACE
from orchestrator.ledger.changes import UNRECORDED, Change
from orchestrator.ledger.wording import subject, told_change
from orchestrator.self_healing.evidence import (
    ColumnsDiffer,
    Evidence,
    Failed,
    FileMissing,
    Missing,
    Outdated,
    RowsChanged,
    TooFewRows,
    Unfinished,
    UpstreamDiffers,
    ViewReplaced,
    WrongKind,
)

SHOWN_CHANGES = 3


def told(seen: Evidence) -> str:
    """Say what is wrong with a table; the table's name goes before it.

    >>> told(WrongKind(expected="table", found="view")), told(TooFewRows(expected=1, found=0))
    ('is a view; a table is required', 'has 0 rows, but at least 1 is required')
    """
    match seen:
        case Missing():
            return "does not exist"
        case FileMissing(file=file):
            return f"is there, but its file is not: {file}"
        case WrongKind(expected=expected, found=found):
            return f"is a {found}; a {expected} is required"
        case Failed() | Unfinished():
            return _told_unbuilt(seen)
        case TooFewRows(expected=expected, found=found):
            return f"has {found:,} rows, but at least {expected:,} {'is' if expected == 1 else 'are'} required"
        case ColumnsDiffer():
            return _told_columns(seen)
        case RowsChanged() | ViewReplaced():
            return _told_drift(seen)
        case Outdated():
            cause = f"{seen.name}, which it is built from: " if seen.inherited else ""
            return f"is out of date: {cause}{_told_changes(seen)}"
        case UpstreamDiffers():
            return f"is out of date: {_told_upstream(seen)}"
        case _:
            assert_never(seen)


def _told_unbuilt(seen: Failed | Unfinished) -> str:
    if isinstance(seen, Failed):
        return f"could not be built on {_minute(seen.since)}: {' '.join(seen.message.split())}"
    if seen.skipped_for is not None:
        return f"was not built on {_minute(seen.since)}, because {seen.skipped_for} failed"
    return f"was being built on {_minute(seen.since)}, and that build was never finished"


def _told_columns(seen: ColumnsDiffer) -> str:
    if seen.lacking or seen.unexpected:
        parts = [f"lacks {', '.join(seen.lacking)}"] if seen.lacking else []
        parts += [f"has {', '.join(seen.unexpected)}"] if seen.unexpected else []
        promised_by = "the seed's header" if seen.of_seed else "the contract"
        return f"has columns that differ from {promised_by}: it {' and '.join(parts)}"
    if seen.mistyped:
        name, expected, found = seen.mistyped[0]
        says = "the seed declares" if seen.of_seed else "the contract says"
        return f"column {name} has type {found}, but {says} {expected}"
    return "has its columns in a different order from the seed's header"


def _told_drift(seen: RowsChanged | ViewReplaced) -> str:
    built = "when it was built" if seen.since is None else f"when it was built on {_minute(seen.since)}"
    if isinstance(seen, ViewReplaced):
        return f"is another view than {built}"
    if seen.expected == seen.found:
        return f"holds other values in its {plural(seen.found, 'row')} than {built}"
    return f"had {plural(seen.expected, 'row')} {built}, and has {seen.found:,} now"


def _told_changes(seen: Outdated) -> str:
    """Say the first of these: its own file, other code, variables."""
    verb = "loaded" if seen.resource_type == "seed" else "built"
    since = f"since it was {verb} on {_minute(seen.since)}"
    if UNRECORDED in seen.changes:
        return f"there is no record of all that it was {verb} from on {_minute(seen.since)}"
    code = [change for change in seen.changes if change.is_code or change.kind == PLACE]
    if any((change.kind, change.name) == (seen.resource_type, seen.name) for change in code):
        return f"{Path(seen.file).name} changed {since}"
    if code:
        there = [change for change in code if change.after is not None]
        return f"{', '.join(change.what for change in there or code)} changed {since}"
    other = [change for change in seen.changes if not change.is_variable]
    if other:
        return f"{', '.join(map(told_change, other[:SHOWN_CHANGES]))}; it was {verb} on {_minute(seen.since)}"
    values = [_told_variable(one) for one in seen.changes]
    return f"{', '.join(values)} {since}"


def _told_variable(change: Change) -> str:
    if not change.has_values:
        return f"{subject(change)} changed"
    return f"{change.what} went from {_value(change.before)} to {_value(change.after)}"


def _told_upstream(seen: UpstreamDiffers) -> str:
    built = f"since it was built on {_minute(seen.since)}"
    if seen.why is not None:
        return f"{seen.names[0]}, which it is built from, {seen.why}"
    if not seen.names:
        return f"what it is built from has changed {built}"
    shown = ", ".join(seen.names[:3]) + (" …" if len(seen.names) > 3 else "")
    which = "which it is built from, was" if len(seen.names) == 1 else "which it is built from, were"
    return f"{shown}, {which} built again after this was built on {_minute(seen.since)}"


def _value(text: str | None) -> str:
    return "unset" if text is None else text


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d at %H:%M} UTC"
