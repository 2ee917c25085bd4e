"""One DuckDB instance of this process, to which files are attached for a short look.

To start an instance and to fill its catalog takes DuckDB about 30 ms, to attach a small file to one that runs 1 ms.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.database.file_names import database_in
from orchestrator.database.sql import literal, quoted_name

if TYPE_CHECKING:
    import duckdb

_OWN = "memory"  # what DuckDB calls the database of the instance itself
_guard = threading.Lock()
_instances: list[tuple[int, duckdb.DuckDBPyConnection]] = []
_attached: set[str] = set()


class AttachedFile:
    """A file attached read-only under the name that DuckDB itself gives it; made by :func:`attach`."""

    def __init__(self, name: str, cursor: duckdb.DuckDBPyConnection) -> None:
        self._name = name
        self.cursor = cursor

    def close(self) -> None:
        """Detach the file, which frees its lock."""
        with _guard:
            self.cursor.execute("use memory")
            self.cursor.execute(f"detach {quoted_name(self._name)}")
            self.cursor.close()
            _attached.discard(self._name)


def attach(path: Path) -> AttachedFile | None:
    """Attach a database file; None where that cannot be, for whatever reason: open it on its own then."""
    import duckdb  # slow to import, see DuckDBReader

    name = database_in(path)
    with _guard:
        if name.lower() == _OWN or name in _attached:
            return None
        cursor = _instance().cursor()
        try:
            cursor.execute(f"detach database if exists {quoted_name(name)}")  # of a look that Ctrl-C cut off
            cursor.execute(f"attach {literal(path)} as {quoted_name(name)} (read_only)")
            cursor.execute(f"use {quoted_name(name)}")
        except duckdb.Error:
            cursor.close()
            return None
        _attached.add(name)
        return AttachedFile(name, cursor)


def _instance() -> duckdb.DuckDBPyConnection:
    """Return the instance of this process: one that was inherited by fork() has lost its threads."""
    import duckdb  # as above

    if not _instances or _instances[-1][0] != os.getpid():
        _attached.clear()
        _instances.append((os.getpid(), duckdb.connect(":memory:")))
    return _instances[-1][1]
