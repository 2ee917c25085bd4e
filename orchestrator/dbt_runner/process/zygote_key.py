"""Key of a zygote and of whoever asks it: the code, the interpreter and the place in the system must be the same."""

from __future__ import annotations

import hashlib
import os
import site
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.dbt_runner.process.inherited import place

# What the interpreter, the C libraries and networkx (it looks at every name) read before anybody can watch them.
READ_AT_START = (
    *("PYTHON", "_PYTHON", "LC_", "LANG", "TZ", "LD_", "GLIBC_", "MALLOC_", "_RJEM_", "JE_", "OMP_", "OPENSSL_"),
    "NETWORKX_",
)


@dataclass(frozen=True)
class Key:
    """Key that decides whether a zygote may serve.

    ``code`` tells our package from any other state of it, by size, times and place on the disk of each file;
    ``packages`` does so for the folders that dbt is installed in, which change when anything is installed there.
    """

    interpreter: str
    code: str
    packages: str
    place: str

    @classmethod
    def of_this(cls) -> Key:
        """Return what a dbt process would be made of that this process starts now."""
        package = Path(__file__).resolve().parents[2]
        return cls(
            interpreter=f"{sys.executable} {os.path.realpath(sys.executable)} {sys.version}",
            code=f"{package} {_digest(_stamps(package))}",
            packages=_digest(_folder_stamps()),
            place=place(),
        )

    def difference(self, other: Key) -> str | None:
        """Return the name of the first part that is not the same, None where all are."""
        mine, theirs = asdict(self), asdict(other)
        return next((name for name in mine if mine[name] != theirs[name]), None)


def environment_difference(
    born_with: Mapping[str, str], wanted: Mapping[str, str], names_read: frozenset[str] | None
) -> str | None:
    """Return the name of a variable that was read while dbt was imported and is not the same now.

    ``names_read`` None means that all were.
    """
    for name in sorted({*born_with, *wanted}):
        read = names_read is None or name in names_read or name.startswith(READ_AT_START)
        if read and born_with.get(name) != wanted.get(name):
            return name
    return None


def _digest(stamps: Iterator[tuple[object, ...]]) -> str:
    return hashlib.sha256(repr(sorted(stamps, key=str)).encode()).hexdigest()


def _stamps(folder: Path) -> Iterator[tuple[object, ...]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    yield from _stamps(Path(entry.path))
            elif entry.name.endswith(".py"):
                yield entry.path, *_stamp(entry.stat())


def _folder_stamps() -> Iterator[tuple[object, ...]]:
    for folder in {*site.getsitepackages(), str(Path(sys.executable).parents[1] / "pyvenv.cfg")}:
        try:
            yield folder, *_stamp(os.stat(folder))  # noqa: PTH116 - as for an entry of a folder
        except OSError:
            yield (folder,)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
