"""Notes and tags of runs: what may be written, and what is kept of those that strangers wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.core.errors import ConfigurationError

LONGEST_NOTE = 2000  # characters
LONGEST_TAG = 50
MOST_TAGS = 20
_TAG = re.compile(r"\w[\w./+-]*")


@dataclass(frozen=True)
class Annotations:
    """The note of a run, None where it has none, and its ``tags``, in alphabetical order."""

    note: str | None = None
    tags: tuple[str, ...] = ()


def checked_note(text: str | None) -> str | None:
    """Return a note without blanks around it, None for an empty one.

    Raises:
        ConfigurationError: it is too long.
    """
    note = (text or "").strip()
    if len(note) > LONGEST_NOTE:
        raise ConfigurationError(
            f"The note has {len(note):,} characters, and the longest that is kept has {LONGEST_NOTE:,}.",
            to_fix="write a shorter one, and the rest into a file",
        )
    return note or None


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags in order, each once; one text is one tag.

    Raises:
        ConfigurationError: one is no word, or there are too many.
    """
    found = sorted({tags} if isinstance(tags, str) else set(tags))
    wrong = next((tag for tag in found if not _is_tag(tag)), None)
    if wrong is not None:
        raise ConfigurationError(
            f"{wrong!r} cannot be a tag.",
            to_fix=f"use letters, digits and . _ - + /, at most {LONGEST_TAG}, and a letter or digit first",
        )
    if len(found) > MOST_TAGS:
        raise ConfigurationError(f"These are {len(found)} tags.", to_fix=f"give a run at most {MOST_TAGS}")
    return tuple(found)


def kept_of(note: str | None, tags: Iterable[str]) -> Annotations:
    """Return what is kept of a note and tags that anybody may have written: nothing is refused, but cut.

    >>> kept_of(" a note ", ["b", "a", "not a tag"])
    Annotations(note='a note', tags=('a', 'b'))
    """
    kept = sorted({tag for tag in tags if _is_tag(tag)})[:MOST_TAGS]
    return Annotations((note or "").strip()[:LONGEST_NOTE] or None, tuple(kept))


def _is_tag(tag: str) -> bool:
    return len(tag) <= LONGEST_TAG and _TAG.fullmatch(tag) is not None
