"""The sentences about where a run begins, made of its values."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.ledger.changes import Change
from orchestrator.ledger.wording import told_change

SHOWN_CHANGES = 5


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
