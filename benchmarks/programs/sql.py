"""Run statements on a DuckDB file: ``python sql.py DATABASE STATEMENT…``."""

from __future__ import annotations

import sys

import duckdb

with duckdb.connect(sys.argv[1]) as connection:
    for statement in sys.argv[2:]:
        connection.execute(statement)
