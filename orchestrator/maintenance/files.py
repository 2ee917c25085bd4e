"""Copy and replace files so that a crash leaves the old one or the new one."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class FileDigest:
    """A file's length and its SHA-256 in hexadecimal digits."""

    bytes: int
    sha256: str


def copy_file(source: Path, target: Path) -> FileDigest:
    """Copy a file in pieces, flush it to the disk, and return what was written."""
    digest, length = hashlib.sha256(), 0
    with source.open("rb") as reading, target.open("wb") as writing:
        while piece := reading.read(CHUNK_BYTES):
            digest.update(piece)
            writing.write(piece)
            length += len(piece)
        writing.flush()
        os.fsync(writing.fileno())
    return FileDigest(length, digest.hexdigest())


def digest_of(file: Path) -> FileDigest:
    """Read a file in pieces and return its digest."""
    digest, length = hashlib.sha256(), 0
    with file.open("rb") as reading:
        while piece := reading.read(CHUNK_BYTES):
            digest.update(piece)
            length += len(piece)
    return FileDigest(length, digest.hexdigest())


def write_text(file: Path, text: str) -> None:
    """Write a file beside its place, flush it and move it there."""
    new = file.with_name(f".{file.name}.new")
    with new.open("w", encoding="utf-8") as writing:
        writing.write(text)
        writing.flush()
        os.fsync(writing.fileno())
    new.replace(file)
    flush_folder(file.parent)


def flush_file(file: Path) -> None:
    """Make sure that what another program wrote is on the disk."""
    with file.open("rb") as reading:
        os.fsync(reading.fileno())


def flush_folder(folder: Path) -> None:
    """Make sure that new names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
