"""Execute recorded statements on one bare connection: ``python floor.py STATEMENTS.jsonl DATABASE [COMMANDS [OUT]]``.

``COMMANDS`` is how many of the recorded dbt commands to execute. ``OUT`` is told in JSON how many statements there
were, and how many of them, in how many seconds, only looked something up in the catalog.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import duckdb

LOOK_UP = re.compile(r"information_schema|duckdb_(tables|views|columns|databases|schemas)\s*\(|pragma", re.IGNORECASE)
Value = str | bool | int | float | list[str]
# What the profiles of the projects say.
SETTINGS: dict[str, Value] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def main() -> None:
    """Execute, fetch and count."""
    commands = int(sys.argv[3]) if len(sys.argv) > 3 else None
    statements = look_ups = 0
    look_up_seconds = 0.0
    with duckdb.connect(sys.argv[2], config=SETTINGS) as connection, Path(sys.argv[1]).open() as lines:
        for line in lines:
            command, sql, values = json.loads(line)
            if commands is not None and command >= commands:
                break
            start = time.perf_counter()
            connection.execute(sql, values)
            if connection.description:
                connection.fetchall()
            statements += 1
            if LOOK_UP.search(sql):
                look_ups += 1
                look_up_seconds += time.perf_counter() - start
    if len(sys.argv) > 4:
        told = {"statements": statements, "catalog_queries": look_ups, "catalog_seconds": look_up_seconds}
        Path(sys.argv[4]).write_text(json.dumps(told))


main()
