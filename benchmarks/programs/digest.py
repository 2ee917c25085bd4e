"""Print what tells tables apart: columns, types, number and hash of the rows, whatever their order; as JSON."""

from __future__ import annotations

import json
import sys

import duckdb


def digests(database: str) -> dict[str, str]:
    """Return a text per table and view of schema main."""
    with duckdb.connect(database, read_only=True) as connection:
        names = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'main' order by 1"
        ).fetchall()
        found = {}
        for (name,) in names:
            columns = connection.execute(f'select column_name, column_type from (describe "{name}")').fetchall()
            rows = connection.execute(
                f'select count(*), sum(hash(t)::hugeint), bit_xor(hash(t)) from "{name}" as t'
            ).fetchone()
            found[name] = f"{columns} {rows}"
        return found


if __name__ == "__main__":
    print(json.dumps(digests(sys.argv[1])))
