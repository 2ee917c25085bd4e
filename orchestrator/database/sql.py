"""Names and values as they are written into SQL, for statements that cannot take bound parameters."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path


def quoted_name(*parts: str) -> str:
    """Return a name in double quotes, its parts (database, schema, relation) joined by dots; empty parts are left out.

    >>> quoted_name("main", "t"), quoted_name("", 'a "b" c')
    ('"main"."t"', '"a ""b"" c"')
    """
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts if part)


def literal(value: str | Path | int | float | datetime | None) -> str:
    """Return a value as an SQL literal; a time, which must be aware, becomes UTC without a zone.

    >>> literal("it's"), literal(None), literal(True), literal(2)
    ("'it''s'", 'null', 'true', '2')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f"timestamp '{value.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S.%f}'"
    if isinstance(value, (int, float)):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"
