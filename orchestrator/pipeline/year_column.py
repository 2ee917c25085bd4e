"""The column that holds the year of a row, whatever its type: a number, a date or a text of digits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.database.catalog import Relation
from orchestrator.database.sql import quoted_name

_DATE = re.compile("date|timestamp", re.IGNORECASE)
_TEXT = re.compile("char|text|string|clob", re.IGNORECASE)
_NO_YEAR = re.compile("time|bool|uuid|interval|json|struct|map|blob|bytea|\\[", re.IGNORECASE)


@dataclass(frozen=True)
class YearColumn:
    """A column of years in SQL: ``raw`` is the column as it is, ``number`` the year as a number.

    ``label`` is what rows are counted by: a text that is no number stands for itself, so that it is noticed.
    """

    raw: str
    number: str
    label: str

    @classmethod
    def of(cls, name: str, data_type: str) -> YearColumn | None:
        """Return how the year is read of a column of this type, None where such a column holds no year.

        >>> YearColumn.of("y", "INTEGER").number, YearColumn.of("y", "DATE").number, YearColumn.of("y", "BOOLEAN")
        ('"y"', 'extract(year from "y")', None)
        """
        raw = quoted_name(name)
        if _DATE.search(data_type):
            number = f"extract(year from {raw})"
            return cls(raw, number, number)
        if _TEXT.search(data_type):
            digits = f"length({raw}) = 4 and translate({raw}, '0123456789', '') = ''"
            number = f"case when {digits} then cast({raw} as integer) end"
            return cls(raw, f"({number})", raw)
        return None if _NO_YEAR.search(data_type) else cls(raw, raw, raw)

    @classmethod
    def in_relation(cls, name: str, relation: Relation) -> YearColumn | None:
        """Return how the year is read of a relation, None where it has no such column, or none that holds a year."""
        found = next(((one, kind) for one, kind in relation.columns if one.lower() == name.lower()), None)
        return None if found is None else cls.of(*found)
