"""SQL in which a year is printed, told from what dbt compiled for two years."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise


def pieces_between(first: str, first_year: str, second: str, second_year: str) -> tuple[str, ...] | None:
    """Return the pieces of SQL between which the year stands, None where two years do not tell.

    Both texts must be known to be one text in which nothing but the year was printed. Years of the same length keep
    all else in its place, so the year stands where one text shows one year and the other the other: what looks like a
    year in both is no year.

    >>> pieces_between("select 2026 as y, 2026 as a", "2026", "select 2027 as y, 2026 as a", "2027")
    ('select ', ' as y, 2026 as a')
    """
    length = len(first_year)
    if len(second_year) != length or len(first) != len(second) or first_year == second_year:
        return None
    places = [place for place in _places(first, first_year) if second.startswith(second_year, place)]
    if any(later - place < length for place, later in pairwise(places)):
        return None
    starts, ends = [0, *(place + length for place in places)], [*places, len(first)]
    pieces = tuple(first[start:end] for start, end in zip(starts, ends, strict=True))
    return pieces if second_year.join(pieces) == second else None


def _places(text: str, word: str) -> Iterator[int]:
    place = text.find(word)
    while place >= 0:
        yield place
        place = text.find(word, place + 1)
