"""One DuckDB instance of this process, to which files are attached for a short look.

To start an instance and to fill its catalog takes DuckDB about 30 ms, to attach a small file to one that runs 1 ms.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.database.attachments import Attachment
from orchestrator.database.file_names import database_in
from orchestrator.database.sql import literal, quoted_name

if TYPE_CHECKING:
    import duckdb

_OWN = "memory"  # what DuckDB calls the database of the instance itself
_guard = threading.Lock()
_instances: list[tuple[int, duckdb.DuckDBPyConnection]] = []
_attached: set[str] = set()


class AttachedFile:
    """Files attached read-only, the first under the name that DuckDB itself gives it; made by :func:`attach`."""

    def __init__(self, names: Sequence[str], cursor: duckdb.DuckDBPyConnection) -> None:
        self._names = tuple(names)
        self.cursor = cursor

    def close(self) -> None:
        """Detach the files, which frees their locks."""
        with _guard:
            _detach(self._names, self.cursor)


def attach(path: Path, beside: Sequence[Attachment] = ()) -> AttachedFile | None:
    """Attach a database file, and those of ``beside`` that have one; None where that cannot be, for whatever reason.

    Open it on its own then.
    """
    import duckdb  # slow to import, see DuckDBReader

    files = [(database_in(path), path)]
    files += [(one.name, one.path) for one in beside if one.path is not None and one.path.exists()]
    names = [name for name, _ in files]
    with _guard:
        if {name.lower() for name in names} & {_OWN, *_attached} or len({name.lower() for name in names}) < len(names):
            return None
        cursor = _instance().cursor()
        done: list[str] = []
        try:
            for name, file in files:
                cursor.execute(f"detach database if exists {quoted_name(name)}")  # of a look that Ctrl-C cut off
                cursor.execute(f"attach {literal(file)} as {quoted_name(name)} (read_only)")
                done.append(name)
            cursor.execute(f"use {quoted_name(names[0])}")
        except duckdb.Error:
            _detach(done, cursor)
            return None
        _attached.update(name.lower() for name in names)
        return AttachedFile(names, cursor)


def _detach(names: Sequence[str], cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("use memory")
    for name in names:
        cursor.execute(f"detach {quoted_name(name)}")
        _attached.discard(name.lower())
    cursor.close()


def _instance() -> duckdb.DuckDBPyConnection:
    """Return the instance of this process: one that was inherited by fork() has lost its threads."""
    import duckdb  # as above

    if not _instances or _instances[-1][0] != os.getpid():
        _attached.clear()
        _instances.append((os.getpid(), duckdb.connect(":memory:")))
    return _instances[-1][1]
