"""Column types that give back what was put in, on SQLite as on PostgreSQL, and refuse what somebody else put there."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TypeVar

from sqlalchemy import JSON, DateTime, Dialect, Float, Integer, Text
from sqlalchemy.types import TypeDecorator

from orchestrator.core.events import jsonable

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
T = TypeVar("T")


class DamagedValueError(ValueError):
    """Signals a stored value that is not of its column's kind: SQLite takes any."""


class Checked(TypeDecorator[T]):
    """A column whose values are of one of ``kinds`` when they are read."""

    __abstract__ = True
    kinds: tuple[type, ...] = ()

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[object], T | None]:
        """Return what makes a value of a stored one; it raises :class:`DamagedValueError`."""
        made = super().result_processor(dialect, coltype)

        def process(stored: object) -> T | None:
            try:
                value = stored if made is None else made(stored)
            except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
                raise DamagedValueError(str(error)) from error
            if stored is not None and not isinstance(value, self.kinds):
                raise DamagedValueError(f"it is {type(value).__name__}")
            return value  # type: ignore[return-value]  # of a kind

        return process


class Whole(Checked[int]):
    """A whole number."""

    impl = Integer
    cache_ok = True
    kinds = (int,)


class Seconds(Checked[float]):
    """A number of seconds."""

    impl = Float
    cache_ok = True
    kinds = (float, int)


class UtcDateTime(Checked[datetime]):
    """An aware moment, stored as UTC; one without a zone is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True
    kinds = (datetime,)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn a moment into UTC; SQLite stores it without its zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone.")
        moment = value.astimezone(timezone.utc)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the moment back in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


class CleanText(Checked[str]):
    """Text of any source: NUL and halves of surrogate pairs, which not every database takes, are replaced."""

    impl = Text
    cache_ok = True
    kinds = (str,)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what cannot be stored."""
        return None if value is None else clean(value)


class CleanJson(Checked[object]):
    """A JSON value; dates, decimals and paths become what JSON can say, NaN and infinities null."""

    impl = JSON(none_as_null=True)
    cache_ok = True
    kinds = (object,)

    def process_bind_param(self, value: object, dialect: Dialect) -> object:
        """Turn a value into what both databases store alike."""
        return _clean_json(jsonable(value))


class CleanMapping(CleanJson):
    """A JSON object, with text as keys."""

    cache_ok = True
    kinds = (dict,)


def clean(text: str) -> str:
    r"""Replace what UTF-8 text in a database may not hold.

    >>> ascii(clean("a\0b\udc80"))
    "'a\\ufffdb\\ufffd'"
    """
    return _UNSTORABLE.sub("\ufffd", text)


def _clean_json(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {clean(str(key)): _clean_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean_json(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float)) else clean(str(value))
