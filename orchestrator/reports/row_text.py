"""Rows of a database as text, CSV and JSON; nothing is rounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from orchestrator.core.text import ascii_json, escaped

Columns = tuple[tuple[str, str], ...]  # (name, type)


def csv_lines(columns: Columns, batches: Iterable[list[tuple[object, ...]]]) -> Iterator[str]:
    """Yield rows as lines of CSV, the names first: NULL is an empty field, an empty text is two quotes."""
    yield ",".join(_field(name) for name, _ in columns)
    for batch in batches:
        for row in batch:
            yield ",".join("" if value is None else _field(plain(value)) for value in row)


def rows_record(columns: Columns, rows: Sequence[tuple[object, ...]]) -> dict[str, object]:
    """Return columns and rows for JSON; a decimal that a number of JSON cannot hold exactly is a text."""
    names = [name for name, _ in columns]
    return {
        **columns_record(columns),
        "rows": [dict(zip(names, map(_json_value, row), strict=True)) for row in rows],
    }


def columns_record(columns: Columns) -> dict[str, object]:
    """Return columns for JSON."""
    return {"columns": [{"name": name, "type": kind} for name, kind in columns]}


def plain(value: object) -> str:
    r"""Write one value as text, nothing rounded.

    >>> plain(True), plain(0.1), plain(Decimal("1E+3")), plain(datetime(2025, 1, 1)), plain([1, None]), plain(b"a")
    ('true', '0.1', '1000', '2025-01-01 00:00:00', '[1, null]', '\\x61')
    """
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat(" ")
        case date():
            return value.isoformat()
        case bytes():
            return "".join(f"\\x{byte:02x}" for byte in value)
        case list() | tuple() | dict():
            return ascii_json(value)
        case _:
            return str(value)


def one_line(value: object) -> str:
    r"""Write one value on one line, so that its width is that of its text.

    >>> print(one_line("a\nb\tc"))
    a\nb\tc
    """
    return escaped(plain(value)).replace("\n", "\\n").replace("\t", "\\t")


def _json_value(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value) if Decimal(repr(float(value))) == value else plain(value)
    return plain(value) if isinstance(value, bytes) else value


def _field(text: str) -> str:
    """Write one field of CSV, in quotes where it needs them.

    >>> _field("a"), _field('a "b", c'), _field("")
    ('a', '"a ""b"", c"', '""')
    """
    if text and not set(text) & set(',"\r\n') and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'
