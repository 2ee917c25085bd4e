"""SQL of a node in which variables are printed: compiled once with marks in their place, filled in for any values.

That holds where a node provably does nothing with a variable but print it. A mark is a text that stands in no SQL, so
each place is seen by itself, and a variable that is printed nowhere in this text has none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MARK = "orchestrator_9d1c7e_{}_value"
_MARKS = re.compile(MARK.format(r"(\d+)"))


@dataclass(frozen=True)
class PrintedSql:
    """SQL around the values of variables: ``texts``, between which the variables of ``places`` stand in turn.

    ``variables`` are all that may be filled in. ``decided`` is a digest of everything else that decides the SQL.
    """

    texts: tuple[str, ...]
    places: tuple[str, ...]
    variables: tuple[str, ...]
    decided: str

    @classmethod
    def of(cls, sql: str, marked: Iterable[str], variables: Iterable[str], decided: str) -> PrintedSql:
        """Take SQL that was compiled with the :func:`marks` of ``marked``, of which a node reads ``variables``.

        >>> made = PrintedSql.of(f"select {MARK.format(1)} as a, {MARK.format(0)}", "xy", "xy", "")
        >>> made.filled({"x": "1", "y": "0.5"})
        'select 0.5 as a, 1'
        """
        names = sorted(marked)
        parts = _MARKS.split(sql)
        return cls(tuple(parts[::2]), tuple(names[int(one)] for one in parts[1::2]), tuple(sorted(variables)), decided)

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the SQL with these values, as they are printed."""
        found = [self.texts[0]]
        for name, text in zip(self.places, self.texts[1:], strict=True):
            found += (values[name], text)
        return "".join(found)


def marks(variables: Iterable[str]) -> dict[str, object]:
    """Return variables by name, each with a mark as its value."""
    return {name: MARK.format(place) for place, name in enumerate(sorted(variables))}


def printed(value: object) -> str | None:
    """Return a variable's value as Jinja prints it, None where that is not the same for all ways to hand it to dbt.

    >>> printed(0.05), printed(True), printed("a"), printed(float("nan")), printed(None), printed([1])
    ('0.05', 'True', 'a', None, None, None)
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str) and ("{" in value or value.endswith("\n")):
        return None  # dbt renders it
    return str(value) if isinstance(value, (str, int, float)) else None
