"""Read the JSON lines of a run while another process writes them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.core.errors import StorageError
from orchestrator.core.events import Event, from_record
from orchestrator.core.untrusted import parsed_json
from orchestrator.storage.importing import MOST_OF_A_LINE

BYTES_AT_ONCE = 1024 * 1024


class EventFollower:
    """The events of one file, each given once; use as a context manager.

    A line that is no event of this version is passed over: what follows tells more than an error would.
    """

    def __init__(self, file: Path) -> None:
        """Open the file.

        Raises:
            StorageError: it is not there, cannot be read, or is no regular file.
        """
        self._path = file
        try:
            self._descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            raise StorageError(f"The events of the run cannot be read: {file}: {error.strerror}.") from error
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            os.close(self._descriptor)
            raise StorageError(f"The events of the run cannot be read: {file} is not a regular file.")
        self._rest = b""
        self._at_end = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def new_events(self) -> list[Event]:
        """Return the events that were written since the last call, none where there are none; never waits.

        Raises:
            StorageError: a line is longer than any event.
        """
        read = os.read(self._descriptor, BYTES_AT_ONCE)
        self._at_end = not read
        *lines, self._rest = (self._rest + read).split(b"\n")
        if len(self._rest) > MOST_OF_A_LINE:
            raise StorageError(f"{self._path} has a line that is longer than {MOST_OF_A_LINE:,} characters.")
        found = (_event(line) for line in lines if line.strip())
        return [event for event in found if event is not None]

    def at_end(self) -> bool:
        """Tell whether the last call read all that was written."""
        return self._at_end


def _event(line: bytes) -> Event | None:
    try:
        record = parsed_json(line)
        return from_record(record) if isinstance(record, dict) else None
    except (ValueError, ArithmeticError, RecursionError):
        return None
