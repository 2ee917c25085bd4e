"""The words for one thing that decides a result and has changed."""

from __future__ import annotations

from orchestrator.core.masking import is_secret
from orchestrator.dbt_runner.project.input_kinds import (
    CONFIG,
    ENVIRONMENT,
    META,
    ROWS_OF_TABLE,
    SOURCE,
    VAR,
    WHOLE_PROJECT,
    WRITTEN_CONFIG,
)
from orchestrator.ledger.changes import UNRECORDED, Change


def told_change(change: Change) -> str:
    """Say what changed, with both values where they mean something.

    >>> told_change(Change("var", "growth", "0.03", "0.05")), told_change(Change("model", "b", "8a", "f1"))
    ('var growth changed from 0.03 to 0.05', 'model b changed')
    >>> told_change(Change("model", "b", None, "f1")), told_change(Change("seed", "a", "8a", None))
    ('model b is new', 'seed a is gone')
    >>> told_change(Change("meta", "rate of x", "1", "2")), told_change(Change("target", "name", '"dev"', '"prod"'))
    ('meta rate of x is now 2 (was 1)', 'target is now prod (was dev)')
    >>> told_change(Change("rows of table", "regions", None, "1"))
    'rows of table regions are not the same as those that finished years have read'
    """
    if change == UNRECORDED:
        return "there is no record of all that the earlier years were built from"
    what = subject(change)
    if change.kind == ROWS_OF_TABLE:
        return f"{what} are not the same as those that finished years have read"
    if change.before is None or change.after is None:
        if change.kind in (CONFIG, META) and not _is_checksum(change.before or change.after or ""):
            return f"{what} is now {_plain(change.after)} (was {_plain(change.before)})"
        return f"{what} is {'new' if change.before is None else 'gone'}"
    told = change.has_values and not (change.kind == VAR and is_secret(change.name))
    if not told or _is_checksum(change.after) or _is_checksum(change.before):
        return f"{what} changed"
    if change.kind in (VAR, "first year", "stage", "order of stages"):
        return f"{what} changed from {change.before} to {change.after}"
    return f"{what} is now {_plain(change.after)} (was {_plain(change.before)})"


def subject(change: Change) -> str:
    """Name what changed."""
    match change.kind:
        case "target" if change.name == "name":
            return "target"
        case kind if kind == ENVIRONMENT:
            return f"environment variable {change.name}"
        case kind if kind == WRITTEN_CONFIG:
            return f"config {change.name}"
        case kind if kind == WHOLE_PROJECT:
            return "something in the project, all of which may be read,"
        case kind if kind == SOURCE:
            return f"source {change.name}"
        case _:
            return change.what


def _plain(text: str | None) -> str:
    """Return a value without the quotation marks of JSON."""
    if text is None:
        return "not set"
    return text[1:-1] if text[:1] == text[-1:] == '"' and "\\" not in text else text


def _is_checksum(text: str) -> bool:
    return text.startswith("checksum ")
