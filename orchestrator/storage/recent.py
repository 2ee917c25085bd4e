"""The newest runs of a history in a SQLite file, for a glance that has no time for SQLAlchemy."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

NEWEST = "select id, status, scenario, started_at from workflow_runs order by started_at desc, id limit ?"


@dataclass(frozen=True)
class RecentRun:
    """A run as it is stored: one whose process is gone may be ``running``; ``started_at`` is text in UTC."""

    id: str
    status: str
    scenario: str
    started_at: str


def recent_runs(file: Path, limit: int) -> tuple[RecentRun, ...]:
    """Return the newest runs; none where there is no file. Nothing is written.

    Raises:
        sqlite3.Error: it is no run history, or is busy.
    """
    if not file.is_file():
        return ()
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
        rows = connection.execute(NEWEST, (limit,)).fetchall()
    return tuple(RecentRun(*(str(value or "") for value in row)) for row in rows)
