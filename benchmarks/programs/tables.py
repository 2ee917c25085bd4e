"""Print the statements that create tables of a DuckDB file, as JSON: ``python tables.py DATABASE NAME…``."""

from __future__ import annotations

import json
import sys

import duckdb

with duckdb.connect(sys.argv[1], read_only=True) as connection:
    found = dict(
        connection.execute("select table_name, sql from duckdb_tables() where schema_name = 'main'").fetchall()
    )
print(json.dumps([found[name] for name in sys.argv[2:]]))
