"""Years as a person types them."""

from __future__ import annotations

import re

from orchestrator.core.errors import ConfigurationError

_RANGE = re.compile(r"\s*(\d{1,4})\s*(?:[-–]\s*(\d{1,4})\s*)?")


def parse_range(text: str | None) -> tuple[int | None, int | None]:
    """Return first and last year of ``2025-2029`` or ``2027``; None, None for no text.

    >>> parse_range("2025-2029"), parse_range("2027"), parse_range(None)
    ((2025, 2029), (2027, 2027), (None, None))

    Raises:
        ConfigurationError: it is written otherwise, or runs backwards.
    """
    if text is None:
        return None, None
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ConfigurationError(
            f"RANGE is {text!r}, which is not a range of years.", to_fix="write 2025-2029, or one year such as 2027"
        )
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        meant = first - first % 100 + last if last < 100 <= first else 0
        written = f"{first}-{meant}" if meant >= first else f"{last}-{first}"
        raise ConfigurationError(
            f"RANGE is {text!r}, but its last year is before its first.", to_fix=f"write {written}"
        )
    return first, last
