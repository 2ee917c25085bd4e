"""Counts and names in messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def plural(count: float, word: str) -> str:
    """Say how many there are.

    >>> plural(1, "table"), plural(2000, "row"), plural(1.0, "second"), plural(0.5, "second")
    ('1 table', '2,000 rows', '1 second', '0.5 seconds')
    """
    number = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    return f"{number} {word}{'' if count == 1 else 's'}"


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known word that ``word`` was most likely meant to be, None where none comes near.

    ``cutoff`` is the least similarity, from 0 to 1, as :func:`difflib.get_close_matches` measures it.

    >>> nearest("stagess", ["stages", "hooks"]), nearest("x", ["stages", "hooks"])
    ('stages', None)
    """
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a sentence that names the nearest of the known words, empty where none is near.

    >>> did_you_mean("stagess", ["stages", "hooks"])
    " Did you mean 'stages'?"
    """
    found = nearest(word, known)
    return f" Did you mean {found!r}?" if found else ""


def shown_years(years: tuple[int, ...]) -> str:
    """Return years as a person would write them.

    >>> shown_years((2025, 2026, 2027)), shown_years((2025, 2027))
    ('2025–2027', '2025, 2027')
    """
    if len(years) > 1 and years[-1] - years[0] == len(years) - 1:
        return f"{years[0]}–{years[-1]}"
    return ", ".join(map(str, years))
