"""The sentences about where a run begins, made of its values."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.ledger.changes import Change
from orchestrator.ledger.wording import told_change

SHOWN_CHANGES = 5


def told_loss(table: str, year: float | str | None, *, expected: int, found: int) -> str:
    """Say that a table does not hold the rows of a year that it held when the year ended; None: rows without a year.

    >>> told_loss("balances", 2026, expected=1000, found=999)
    'balances has 999 rows of 2026, but had 1,000 when that year finished'
    """
    if year is None:
        return f"{table} has {found:,} rows without a year, but had {expected:,}"
    return f"{table} has {found:,} rows of {year}, but had {expected:,} when that year finished"


def listed(changes: Sequence[Change]) -> str:
    """Say what changed, the first few in full.

    >>> listed([Change("model", name, None, "f1") for name in "ab"])
    'model a is new; model b is new'
    >>> listed([Change("model", name, None, "f1") for name in "abcdefg"])[-27:]
    '; model e is new and 2 more'
    """
    shown = "; ".join(map(told_change, changes[:SHOWN_CHANGES]))
    more = len(changes) - SHOWN_CHANGES
    return f"{shown} and {more} more" if more > 0 else shown
