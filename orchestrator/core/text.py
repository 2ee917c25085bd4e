"""How counts are said in messages."""

from __future__ import annotations


def plural(count: float, word: str) -> str:
    """Say how many there are.

    >>> plural(1, "table"), plural(2000, "row"), plural(1.0, "second"), plural(0.5, "second")
    ('1 table', '2,000 rows', '1 second', '0.5 seconds')
    """
    number = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    return f"{number} {word}{'' if count == 1 else 's'}"
