"""The names of the folders of backups, while they are made and when they are whole."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from orchestrator.core.files import flush_folder
from orchestrator.core.processes import started

UNFINISHED = ".making-"
KEEPING = ".keeping-"
_NAME = re.compile(r"\d{8}T\d{6}Z(-\d+)?")


def is_named_by_us(folder: Path) -> bool:
    """Tell whether a folder has the name of a backup.

    >>> [is_named_by_us(Path(name)) for name in ("20261126T020424Z", "20261126T020424Z-2", "2026-mine")]
    [True, True, False]
    """
    return _NAME.fullmatch(folder.name) is not None


def named_moment(folder: Path) -> datetime | None:
    """Return the moment that the name of a backup's folder tells, None where it is no such name.

    >>> named_moment(Path("20261126T020424Z-2")).isoformat()
    '2026-11-26T02:04:24+00:00'
    >>> named_moment(Path("20269926T020424Z")), named_moment(Path("2026-mine"))
    (None, None)
    """
    if not is_named_by_us(folder):
        return None
    try:
        return datetime.strptime(folder.name.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def unfinished(place: Path) -> Path:
    """Return the name of a folder in which this process makes a backup."""
    return place / f"{UNFINISHED}{os.getpid()}"


def keeping(place: Path) -> Path:
    """Return the name of a folder in which this process collects what a restore replaces."""
    return place / f"{KEEPING}{os.getpid()}"


def is_keeping(folder: Path) -> bool:
    """Tell whether a folder has the name of one in which a process collects what a restore replaces."""
    pid = folder.name.removeprefix(KEEPING)
    return folder.name.startswith(KEEPING) and pid.isdecimal()


def abandoned(place: Path) -> Iterator[Path]:
    """Yield what processes that are gone left half made: runs make theirs without the lock."""
    for folder in place.glob(f"{UNFINISHED}*"):
        pid = folder.name.removeprefix(UNFINISHED).partition("-")[0]
        if not (pid.isdecimal() and int(pid) != os.getpid() and started(int(pid)) is not None):
            yield folder


def publish_folder(making: Path, created_at: datetime) -> Path:
    """Give a folder that is whole the name of a backup, and return it."""
    place, stem = making.parent, f"{created_at:%Y%m%dT%H%M%SZ}"
    number, folder = 1, place / stem
    while True:
        if not folder.exists():
            try:
                making.rename(folder)
                break
            except OSError:
                if not folder.exists():
                    raise
        number += 1
        folder = place / f"{stem}-{number}"
    flush_folder(place)
    return folder
