"""Letters that stand for sides whose names are long."""

from __future__ import annotations

from string import ascii_uppercase


def letter(place: int) -> str:
    """Return a short name: A to Z, then A1, B1 and so on.

    >>> letter(0), letter(25), letter(26)
    ('A', 'Z', 'A1')
    """
    turn, rest = divmod(place, len(ascii_uppercase))
    return f"{ascii_uppercase[rest]}{turn or ''}"
