"""Records of files: what a file held, and how to tell cheaply that it still does."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.clocks import utc_now

NANOSECONDS = 1_000_000_000
SHORTLY = NANOSECONDS  # two writes within one tick of a file system's clock have one time
DBT_READS_TIMES_TO = 1_000  # ns: dbt keeps them as seconds in a float


@dataclass(frozen=True)
class FileRecord:
    """What a file held: ``digest`` is the SHA-256 of its content, "" where it may not be read; all times in ns.

    ``taken`` is when the file was looked at.
    """

    size: int
    modified: int
    changed: int
    inode: int
    taken: int
    digest: str

    def surely_same(self, state: os.stat_result) -> bool:
        """Tell whether a file in this state surely holds what it held, without reading it.

        The time of a file's last change (ctime) cannot be set, so it moves with every write. Where it has no
        fraction of a second, it was not taken from a clock: some images, archives and build systems fix all times.
        """
        now = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
        fixed = self.changed % NANOSECONDS == 0
        return now == (self.size, self.modified, self.changed, self.inode) and not (
            fixed or self.changed > self.taken - SHORTLY
        )

    def same_time(self, other: FileRecord) -> bool:
        """Tell whether dbt, which goes by the time of modification, takes two states of a file for the same."""
        return abs(self.modified - other.modified) < DBT_READS_TIMES_TO


def records_of(paths: Iterable[str]) -> dict[str, FileRecord]:
    """Return a record of each of these that is a file and can be reached."""
    return {path: record for path in paths if (record := _record(path)) is not None}


def same_files(known: Mapping[str, FileRecord], paths: Iterable[str]) -> dict[str, FileRecord] | None:
    """Return records of the files at ``paths``, None unless these are the known ones and hold what they held.

    Where all are surely the same, ``known`` itself is returned.
    """
    fresh: dict[str, FileRecord] = {}
    found = 0
    for path in dict.fromkeys(paths):
        state = _state(path)
        if state is None:
            continue
        record = known.get(path)
        if record is None or record.size != state.st_size:
            return None
        found += 1
        if not record.surely_same(state):
            now = _record(path)
            if now is None or now.digest != record.digest:
                return None
            fresh[path] = now
    if found != len(known):
        return None
    return {**known, **fresh} if fresh or not isinstance(known, dict) else known


def _state(path: str) -> os.stat_result | None:
    try:
        state = os.stat(path)  # noqa: PTH116 - thousands of files: twice as fast as pathlib
    except OSError:
        return None
    return state if stat.S_ISREG(state.st_mode) else None


def _record(path: str) -> FileRecord | None:
    taken = int(
        utc_now().timestamp() * NANOSECONDS
    )  # before the file is read: what is written meanwhile has a later time
    state = _state(path)
    if state is None:
        return None
    try:
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        digest = ""
    return FileRecord(state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, taken, digest)
