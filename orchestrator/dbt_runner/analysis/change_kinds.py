"""What statements may do to relations, and how a relation is named whose rows one changes."""

from __future__ import annotations

from typing import NamedTuple

ADDS, REMOVES, CHANGES = "adds", "removes", "changes"
THIS = "this"
UNKNOWN_NAME = "*"


class ChangedRelation(NamedTuple):
    """A relation that a statement changes.

    ``how`` is :data:`ADDS`, :data:`REMOVES` or :data:`CHANGES`; ``target`` is :data:`THIS`, ``source group.name``, or
    the name of a model or table, with ``*`` for what is printed into it; ``year_column`` is the column, in lower case,
    that limits it to rows of the year that is built, "" where nothing does for all that can be told.
    """

    how: str
    target: str
    year_column: str


def is_named(change: ChangedRelation) -> bool:
    """Tell whether a statement says itself which relation it changes."""
    return change.target != THIS and UNKNOWN_NAME not in change.target
