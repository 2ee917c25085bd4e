"""Column types that give back what was put in, on SQLite as on PostgreSQL."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone

from sqlalchemy import JSON, DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

from orchestrator.core.events import jsonable

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, stored as UTC; one without a zone is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

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


class CleanText(TypeDecorator[str]):
    """Text of any source: NUL and halves of surrogate pairs, which not every database takes, are replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what cannot be stored."""
        return None if value is None else clean(value)


class CleanJson(TypeDecorator[object]):
    """A JSON value; dates, decimals and paths become what JSON can say, NaN and infinities null."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> object:
        """Turn a value into what both databases store alike."""
        return _clean_json(jsonable(value))


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
