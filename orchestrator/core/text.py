"""Counts and names in messages."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable

# What steers a terminal or turns the order of letters around, but for line ends and tabs; and halves of characters.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


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


def on_one_line(text: str) -> str:
    r"""Return a text with its line ends and control characters written out.

    >>> print(on_one_line("a\nb\x1b"))
    a\nb\x1b
    """
    return escaped(text.replace("\n", "\\n").replace("\t", "\\t"))


def is_encodable(text: str) -> bool:
    r"""Tell whether a text can be written as UTF-8: a name of a file or variable of the system may hold any bytes.

    >>> is_encodable("é"), is_encodable("\udcff")
    (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def escaped(text: str) -> str:
    r"""Return a text with its control characters written out, so that it can steer no terminal.

    >>> print(escaped("a\x1b[2Jb\u202ec"))
    a\x1b[2Jb\u202ec
    """
    return CONTROL.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def ascii_json(value: object, *, indent: int | None = None) -> str:
    r"""Write JSON of printable ASCII characters alone; what JSON has no word for is written as text.

    >>> print(ascii_json({"a\x7f": "\x1b"}))
    {"a\u007f": "\u001b"}
    """
    return json.dumps(value, indent=indent, default=str).replace("\x7f", "\\u007f")


def finite(value: object) -> object:
    """Turn NaN and infinities, which JSON has not, into null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list) else value
