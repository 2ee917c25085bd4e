"""Compare relations row by row: ``python compare.py NAMES.json DATABASE DATABASE…``; the first difference ends it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

Rows = list[tuple[object, ...]]


def read(database: str, names: list[str]) -> dict[str, tuple[Rows, Rows]]:
    """Return columns with types, and all rows, sorted."""
    with duckdb.connect(database, read_only=True) as connection:
        found = {}
        for name in names:
            columns = connection.execute(f"select column_name, column_type from (describe main.{name})").fetchall()
            found[name] = (columns, connection.execute(f"from main.{name} order by all").fetchall())
        return found


def main() -> None:
    """Compare every database with the first; print how many rows were compared."""
    names: list[str] = json.loads(Path(sys.argv[1]).read_text())
    first, *others = sys.argv[2:]
    expected = read(first, names)
    for other in others:
        found = read(other, names)
        for name in names:
            (columns, rows), (other_columns, other_rows) = expected[name], found[name]
            if columns != other_columns:
                sys.exit(f"{name} has columns {columns} in {first} and {other_columns} in {other}")
            if len(rows) != len(other_rows):
                sys.exit(f"{name} has {len(rows)} rows in {first} and {len(other_rows)} in {other}")
            for row, other_row in zip(rows, other_rows, strict=True):
                if row != other_row:
                    sys.exit(f"{name} has {row} in {first} where {other} has {other_row}")
    print(sum(len(rows) for _, rows in expected.values()))


main()
