"""Proposals as they are stored beside messages, and read back as a stranger's."""

from __future__ import annotations

import math
from collections.abc import Mapping

from orchestrator.core.masking import masked_values
from orchestrator.ui.assistants.base import Change, Proposal

MOST_CHANGES = 200


def proposal_record(proposal: Proposal) -> dict[str, object]:
    """Return a proposal for JSON."""
    found = {
        "name": proposal.name,
        "changes": [{"key": one.key, "value": one.value, "words": one.words} for one in proposal.changes],
        "questions": list(proposal.questions),
        "not_understood": list(proposal.not_understood),
    }
    safe = masked_values(found)
    assert isinstance(safe, dict)
    return safe


def read_proposal(record: object) -> Proposal | None:
    """Return the proposal of a record, None where it is none; whatever in it is odd is left out.

    >>> read_proposal({"name": "a", "changes": [{"key": "vars.x", "value": 1, "words": "one"}, 5]})
    Proposal(name='a', changes=(Change(key='vars.x', value=1, words='one'),), questions=(), not_understood=())
    >>> read_proposal("evil") is None
    True
    """
    if not isinstance(record, Mapping):
        return None
    name, changes = record.get("name"), record.get("changes")
    found = [_change(one) for one in changes[:MOST_CHANGES]] if isinstance(changes, list) else []
    return Proposal(
        name if isinstance(name, str) else None,
        tuple(change for change in found if change is not None),
        _texts(record.get("questions")),
        _texts(record.get("not_understood")),
    )


def _change(record: object) -> Change | None:
    if not isinstance(record, Mapping):
        return None
    key, value, words = record.get("key"), record.get("value"), record.get("words")
    plain = value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))
    return Change(key, value, words) if isinstance(key, str) and isinstance(words, str) and plain else None


def _texts(record: object) -> tuple[str, ...]:
    return tuple(one for one in record if isinstance(one, str)) if isinstance(record, list) else ()
