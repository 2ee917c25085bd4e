"""What the process that runs a sweep tells others of it, kept as a JSON file: where members are, workers, memory."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from orchestrator.core.clocks import Deadline, utc_now
from orchestrator.core.files import replace_file
from orchestrator.core.untrusted import parsed_json, read_limited
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.happenings import Happening, MemberEnded, MemberReached

logger = logging.getLogger(__name__)

MOST_BYTES = 16 * 1024 * 1024
SECONDS_BETWEEN = 0.2


@dataclass(frozen=True)
class Reached:
    """How far a member is: its year and stage, both None while it starts, and the id of its run once it has one."""

    year: int | None = None
    stage: str | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class SweepTold:
    """When a sweep was begun last, and when that ended: None while it runs, and where it was killed.

    ``kept`` members were done before. ``memory`` are the bytes that workers and their dbt processes take, None where
    that is not known. ``reached`` are the members that run, by key.
    """

    began_at: datetime
    kept: int = 0
    ended_at: datetime | None = None
    workers: int = 0
    memory: int | None = None
    reached: Mapping[str, Reached] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: SweepFolder) -> SweepTold | None:
        """Read what was told; None where nothing was that can be read."""
        try:
            document = parsed_json(read_limited(folder.progress, MOST_BYTES))
            assert isinstance(document, dict)
            ended_at = document["ended_at"]
            memory = document["memory"]
            return cls(
                _moment(document["began_at"]),
                int(document["kept"]),
                None if ended_at is None else _moment(ended_at),
                int(document["workers"]),
                None if memory is None else int(memory),
                {str(key): Reached(**one) for key, one in document["reached"].items()},
            )
        except (OSError, ValueError, TypeError, LookupError, AttributeError, AssertionError, OverflowError):
            return None


class SweepTeller:
    """Writes what happens in one sweep for others to read, several times a second at most.

    What cannot be written is logged once: a sweep goes on without watchers. One that is ``idle``, with nothing to be
    run, leaves what was told of the last time that something was.
    """

    def __init__(self, folder: SweepFolder, kept: int, *, idle: bool = False) -> None:
        self._folder = folder
        self._told = SweepTold(utc_now(), kept)
        self._next = Deadline.after(0)
        self._failed = False
        before = SweepTold.read(folder) if idle else None
        self._silent = before is not None and before.ended_at is not None
        self._write()

    def __call__(self, happening: Happening) -> None:
        """Take one thing that happened."""
        told = self._told
        if isinstance(happening, MemberReached):
            reached = Reached(happening.year, happening.stage, happening.run_id)
            self._told = replace(told, reached={**told.reached, happening.key: reached})
        elif isinstance(happening, MemberEnded):
            left = {key: one for key, one in told.reached.items() if key != happening.key}
            self._told = replace(told, reached=left)
        else:
            self._told = replace(told, workers=happening.count, memory=happening.memory)
        if self._next.expired():
            self._write()

    def end(self) -> None:
        """Write that the sweep has ended."""
        self._told = replace(self._told, ended_at=utc_now(), reached={})
        self._write()

    def _write(self) -> None:
        if self._silent:
            return
        self._next = Deadline.after(SECONDS_BETWEEN)
        told = self._told
        ended_at = None if told.ended_at is None else told.ended_at.isoformat()
        document = {**asdict(told), "began_at": told.began_at.isoformat(), "ended_at": ended_at}
        try:
            replace_file(self._folder.progress, json.dumps(document).encode())
        except OSError as error:
            if not self._failed:
                logger.warning("%s cannot be written, and nobody sees how far it is: %s", self._folder.progress, error)
            self._failed = True


def _moment(text: object) -> datetime:
    found = datetime.fromisoformat(str(text))
    if found.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return found
