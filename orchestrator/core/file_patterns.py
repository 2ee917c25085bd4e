"""Files that a name with wildcards stands for."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path


def files_matching(pattern: str, folder: Path) -> Iterator[Path]:
    """Yield the files that a name or pattern stands for, in order; below a folder of that name, all of them."""
    path = os.path.join(folder, os.path.expanduser(pattern))  # noqa: PTH111, PTH118 - a pattern is no path
    if not os.path.lexists(path) and glob.has_magic(path):
        for found in sorted(glob.glob(path, recursive=True, include_hidden=True)):  # noqa: PTH207 - as above
            if os.path.isfile(found):  # noqa: PTH113 - as above
                yield Path(found)
    elif Path(path).is_dir():
        yield from sorted(file for file in Path(path).rglob("*") if file.is_file())
    else:
        yield Path(path)
