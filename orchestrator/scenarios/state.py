"""What became of a member of a sweep, kept as a JSON file in its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from orchestrator.core.files import replace_file
from orchestrator.core.untrusted import parsed_json, read_limited

MOST_BYTES = 1024 * 1024
Status = Literal["pending", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class MemberState:
    """Status of a member, times in ISO 8601 (UTC), seconds of work, and the message where it failed.

    ``tables`` are those whose rows were gathered. Of a member that is done, ``inputs`` is a digest of what it was made
    of, and ``database`` the size and the time of change (ns) of its file, by which it is known not to be run again.
    ``hooks`` is a digest of the code of the hooks that it called, ``not_compared`` what may change its rows and is not
    compared. ``foreign`` tells that it was made on a machine that does not see the project's folder.
    """

    status: Status = "pending"
    run_id: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    seconds: float | None = None
    message: str | None = None
    to_fix: str | None = None
    attempts: int = 0
    tables: tuple[str, ...] = ()
    inputs: str | None = None
    database: tuple[int, int] | None = None
    hooks: str = ""
    not_compared: tuple[str, ...] = ()
    foreign: bool = False

    def write(self, path: Path) -> None:
        """Write the state to a file, all or nothing."""
        replace_file(path, json.dumps(asdict(self)).encode())

    @classmethod
    def read(cls, path: Path) -> MemberState:
        """Read a state; that of a member which was not begun where there is none that can be read."""
        try:
            document = parsed_json(read_limited(path, MOST_BYTES))
            if not isinstance(document, dict):
                return cls()
            database = document.get("database")
            lists = {
                "tables": tuple(map(str, document.get("tables", ()))),
                "not_compared": tuple(map(str, document.get("not_compared", ()))),
                "database": (int(database[0]), int(database[1])) if database else None,
            }
            return cls(**{**document, **lists})
        except (OSError, ValueError, TypeError, LookupError):
            return cls()
