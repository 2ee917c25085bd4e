"""Copy, hash and replace files so that a crash leaves the old one or the new one."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path

from orchestrator.core.errors import BackupError, DiskFullError, OrchestratorError
from orchestrator.core.files import replace_file
from orchestrator.core.permissions import described_owner, how_to_write, opener, unwritable

LOGS = (".wal", "-wal", "-shm", "-journal")  # what may lie beside a database and belong to it
CHUNK_BYTES = 1024 * 1024
FLUSH_BYTES = 64 * CHUNK_BYTES


@dataclass(frozen=True)
class FileDigest:
    """A file's length and its SHA-256 in hexadecimal digits."""

    bytes: int
    sha256: str


def copy_file(source: Path, target: Path) -> FileDigest:
    """Copy a file and its mode in pieces, flush it to the disk, and return what was read and written.

    Whoever could not read the file cannot read the copy. A second thread hashes a piece while this one writes it; a
    third one sends to the disk what was written, for the system would begin with that only at the end.
    """
    digest, length, flushed = hashlib.sha256(), 0, 0
    buffers = [memoryview(bytearray(CHUNK_BYTES)) for _ in range(2)]
    hashing: Future[None] | None = None
    flushing: Future[None] | None = None
    with ExitStack() as stack:
        reading = stack.enter_context(source.open("rb", buffering=0))
        writing = stack.enter_context(open(target, "wb", opener=opener))
        hasher, flusher = (stack.enter_context(ThreadPoolExecutor(1)) for _ in range(2))
        shutil.copymode(source, target)
        while count := reading.readinto(buffers[0]):
            piece = buffers[0][:count]
            if hashing is not None:
                hashing.result()  # the other buffer is free then
            hashing = hasher.submit(digest.update, piece)
            writing.write(piece)
            length += count
            buffers.reverse()
            if length - flushed >= FLUSH_BYTES and (flushing is None or flushing.done()):
                flushing, flushed = flusher.submit(os.fsync, writing.fileno()), length
        if hashing is not None:
            hashing.result()
        writing.flush()
        os.fsync(writing.fileno())
        if flushing is not None:
            flushing.result()
    return FileDigest(length, digest.hexdigest())


def digest_of(file: Path) -> FileDigest:
    """Read a file in pieces and return its digest."""
    with file.open("rb", buffering=0) as reading:
        return digest_of_stream(reading)


def digest_of_stream(reading: RawIOBase, stopped: Callable[[], bool] = lambda: False) -> FileDigest:
    """Read an open file in pieces, to its end or until it is ``stopped``, and return the digest of what was read."""
    digest, length = hashlib.sha256(), 0
    buffer = memoryview(bytearray(CHUNK_BYTES))
    while not stopped() and (count := reading.readinto(buffer)):
        digest.update(buffer[:count])
        length += count
    return FileDigest(length, digest.hexdigest())


def beside(file: Path) -> Path:
    """Return where a file is written before it takes its place."""
    return file.with_name(f".{file.name}.new")


def write_text(file: Path, text: str) -> None:
    """Replace a file by one with this text, on the disk when it returns."""
    replace_file(file, text.encode(), beside=beside(file), durable=True)


def flush_file(file: Path) -> None:
    """Make sure that what another program wrote is on the disk."""
    with file.open("rb") as reading:
        os.fsync(reading.fileno())


@contextmanager
def translate_os_errors(what: str, place: Path) -> Iterator[None]:
    """Turn an error of the system about writing to ``place`` into one of ours, with a way out.

    Raises:
        DiskFullError: there is no room.
        BackupError: something else is in the way.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, OrchestratorError):
            raise
        place_of_error = error.filename2 or error.filename  # the second is the one that a rename does not get
        named = isinstance(place_of_error, str)
        reason = f"{what}: {error.strerror or error}" + (f" ({place_of_error})." if named else ".")
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise DiskFullError(reason, to_fix=f"free some space on the disk of {place}, and try again") from error
        if named and error.errno in {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY}:
            raise BackupError(reason, to_fix=f"move {place_of_error} away, and try again") from error
        if error.errno in {errno.EACCES, errno.EPERM}:
            denied = unwritable([Path(place_of_error)]) if named else []
            if denied:
                raise BackupError(f"{reason} {described_owner(denied[0])}.", to_fix=how_to_write(denied)) from error
            raise BackupError(
                reason, to_fix="give yourself the right to read and write there, and try again"
            ) from error
        if error.errno == errno.EROFS:
            raise BackupError(reason, to_fix=f"make the disk of {place} writable, and try again") from error
        raise BackupError(reason) from error


def remove_folder(folder: Path) -> None:
    """Remove a folder, as far as that is possible: what stays is removed by the next command."""
    if folder.is_symlink():
        with suppress(OSError):
            folder.unlink()  # what it leads to is not ours
        return
    shutil.rmtree(folder, ignore_errors=True)
