"""Content of the files that SQL and sources name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from glob import has_magic
from os.path import relpath
from pathlib import Path

from orchestrator.core.file_patterns import files_matching
from orchestrator.dbt_runner.analysis.named_files import NamedFiles
from orchestrator.dbt_runner.project.file_records import FileRecord, records_of
from orchestrator.dbt_runner.project.input_kinds import FILE

ABSENT = "absent"


class FileInputs:
    """The files of one project's inputs: each is read once; those that a run writes itself are left out.

    ``patterns`` are the names that were asked for, ``written`` those of what is left out.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._left_out: frozenset[Path] = frozenset()
        self._surely_written: frozenset[Path] = frozenset()
        self.written: tuple[str, ...] = ()
        self.records: dict[str, FileRecord] = {}
        self.patterns: set[str] = set()

    def of(self, patterns: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Return (name, checksum) of every pattern; of one that stands for several files, over their names, too."""
        found = []
        for pattern in sorted(patterns):
            files = [file for file in files_matching(pattern, self._folder) if file not in self._left_out]
            if not files and self._left_out.intersection(files_matching(pattern, self._folder)):
                continue
            self.patterns.add(pattern)
            found.append((f"{FILE} {pattern}", self._digest(files, named=has_magic(pattern) or len(files) != 1)))
        return tuple(found)

    def leave_out(self, files: NamedFiles, others: Iterable[Path]) -> None:
        """Leave out the files that templates write, and ``others``."""
        self.written = tuple(sorted({*files.written, *files.perhaps_written, *map(str, others)}))
        surely = {*others, *self._matching(files.written - files.perhaps_written)}
        self._surely_written = frozenset(surely)
        self._left_out = frozenset({*surely, *self._matching(files.perhaps_written)})

    def perhaps_written(self, patterns: Iterable[str]) -> bool:
        """Tell whether one of these stands for a file that is left out, and of which it is not sure who writes it."""
        doubtful = self._left_out - self._surely_written
        return bool(doubtful) and any(file in doubtful for file in self._matching(patterns))

    def _matching(self, patterns: Iterable[str]) -> Iterator[Path]:
        return (file for pattern in patterns for file in files_matching(pattern, self._folder))

    def _digest(self, files: list[Path], *, named: bool) -> str:
        """Return a checksum of what files hold; ``named``: where they lie counts as well, for SQL can read it."""
        names = [str(file) for file in files]
        self.records |= records_of(name for name in names if name not in self.records)
        digests = [self.records[name].digest for name in names if name in self.records]
        if not named:
            return digests[0][:16] if digests else ABSENT
        parts = [f"{relpath(name, self._folder)} {self.records[name].digest}" for name in names if name in self.records]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
