"""Read files that anybody may have written: regular files of limited size, and JSON of limited depth."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import BinaryIO

LONGEST_NAME = 255  # bytes: what file systems take


def read_limited(path: Path, most: int, *, follow: bool = True) -> bytes:
    """Read a file of at most ``most`` bytes; without ``follow`` a symbolic link is refused.

    A pipe or a device is refused at once, for reading it may never end.

    Raises:
        OSError: it cannot be read, or is no regular file.
        ValueError: it is larger.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise OSError(error.errno, "is a symbolic link", str(path)) from error
        raise
    with _regular(descriptor, path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {most:,} bytes")
    return content


def _regular(descriptor: int, path: Path) -> BinaryIO:
    """Return an open file, unless it is a folder, a pipe or a device; it is closed then."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    raise OSError(errno.EINVAL, "is not a regular file", str(path))


def parsed_json(content: bytes | str) -> object:
    """Parse JSON, UTF-8 where it is bytes.

    Raises:
        ValueError: it is no JSON, holds a number of too many digits, or is nested too deeply.
    """
    try:
        found: object = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return found


def is_file_name(name: str) -> bool:
    """Tell whether a name from outside can be that of one file or folder in the folder where it is looked for.

    >>> [is_file_name(name) for name in ("20260101T000000Z", "../x", "/etc/x", "..", "", "a" * 300)]
    [True, False, False, False, False, False]
    """
    return name not in ("", ".", "..") and not set("/\\\0") & set(name) and len(os.fsencode(name)) <= LONGEST_NAME


def what_is_no_file(path: Path) -> str | None:
    """Say what a path leads to where that is no file, None where it is one, or nothing is there.

    >>> what_is_no_file(Path("/dev/null")), what_is_no_file(Path("/"))
    ('a device', 'a folder')
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None
    kinds = (
        (stat.S_ISREG, None),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((words for fits, words in kinds if fits(mode)), "a device")
