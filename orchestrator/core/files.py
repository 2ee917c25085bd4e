"""Files that are replaced as a whole: whoever reads one finds the old content or the new."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from orchestrator.core.permissions import file_mode, set_mode


def replace_file(
    path: Path, content: bytes, *, beside: Path | None = None, durable: bool = False, mode: int | None = None
) -> None:
    """Write a file beside its place and rename it into it.

    ``beside`` is where it is written first, in the same folder; by default a name that no other thread uses, so that
    several may write at once and the last one wins. ``durable`` returns only when content and name are on the disk.
    ``mode`` is exactly that of the file; by default its place decides (:mod:`orchestrator.core.permissions`).

    Raises:
        OSError: it cannot be written; the old file is as it was, and nothing is left beside it.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}") if beside is None else beside
    try:
        with _made_anew(new, file_mode(path) if mode is None else mode) as file:
            if mode is not None:
                set_mode(file.fileno(), mode)
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with suppress(IsADirectoryError):  # which is not ours
            new.unlink(missing_ok=True)
        raise
    if durable:
        flush_folder(path.parent)


def _made_anew(path: Path, mode: int) -> BinaryIO:
    """Open a new file for writing; what was left there before, a link perhaps, is removed and not written through."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


def resolved(path: Path) -> Path | None:
    """Return a path with its links followed, None where they lead in a circle or it cannot be a path."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return None


def flush_folder(folder: Path) -> None:
    """Make sure that new names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
