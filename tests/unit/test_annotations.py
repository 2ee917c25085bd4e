"""Notes and tags: what is refused of what a user writes, and what is kept of what a stranger wrote."""

from __future__ import annotations

import pytest

from orchestrator.core.annotations import LONGEST_NOTE, MOST_TAGS, checked_note, checked_tags, kept_of
from orchestrator.core.errors import ConfigurationError


def test_notes() -> None:
    """Blanks around one are dropped, an empty one is none, a long one is refused."""
    assert checked_note(" a b\n") == "a b"
    assert checked_note(" ") is checked_note(None) is None
    with pytest.raises(ConfigurationError, match="2,001 characters"):
        checked_note("x" * (LONGEST_NOTE + 1))


@pytest.mark.parametrize("tag", ["", "two words", "-x", "a\x1b", "a,b", "x" * 51, "a\n"])
def test_tags_that_are_no_words(tag: str) -> None:
    """They are refused with what may be written, and dropped where a stranger wrote them."""
    with pytest.raises(ConfigurationError, match="cannot be a tag"):
        checked_tags([tag])
    assert kept_of(None, [tag, "good"]).tags == ("good",)


def test_tags() -> None:
    """Each is kept once, in order; a text is one tag; very many are refused."""
    assert checked_tags(["b", "a/1", "b", "é"]) == ("a/1", "b", "é")
    assert checked_tags("word") == ("word",)
    many = [f"t{number}" for number in range(MOST_TAGS + 1)]
    with pytest.raises(ConfigurationError, match="21 tags"):
        checked_tags(many)
    assert len(kept_of("x" * 9999, many).tags) == MOST_TAGS
    assert len(kept_of("x" * 9999, many).note or "") == LONGEST_NOTE
