"""The databases that a journal or the metadata of a backup may lead to: anybody may have written those files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import BackupError
from orchestrator.core.files import resolved
from orchestrator.maintenance.backup.workspace import (
    DUCKDB,
    SQLITE,
    WorkspaceDatabase,
    databases_of,
    history_of,
)

# What a file is usually called that only the dbt profile names, or only a caller in Python.
SUFFIXES = {DUCKDB: (".duckdb", ".db", ".ddb"), SQLITE: (".db", ".sqlite", ".sqlite3")}
HEADERS = {DUCKDB: (8, b"DUCK"), SQLITE: (0, b"SQLite format 3\0")}


@dataclass(frozen=True)
class Bounds:
    """Where a restore may write: the ``named`` databases by file and kind, links followed.

    With ``others`` also files below ``root`` that are called as databases usually are, for not every name is known.
    """

    root: Path
    named: frozenset[tuple[Path, str]] = frozenset()
    others: bool = True

    @classmethod
    def of(cls, root: Path, databases: Iterable[WorkspaceDatabase], *, others: bool) -> Bounds:
        """Return the bounds that databases make."""
        files = ((resolved(one.path), one.kind) for one in databases if one.path is not None)
        return cls(root, frozenset((file, kind) for file, kind in files if file is not None), others)

    def hold(self, file: Path, kind: str) -> bool:
        """Tell whether a database of this kind may be put at ``file``, which is absolute, its links followed."""
        return (file, kind) in self.named or (self._is_inside(file) and self._may_be_one(file, kind))

    def target(self, path: Path, kind: str, what: str) -> Path:
        """Return the file at which a database is put that lay at ``path``: a link stays a link.

        ``what`` names who says so, in errors.

        Raises:
            BackupError: it is none of ours, or a link leads from it to something else than a database.
        """
        path = Path(os.path.normpath(path))
        file = resolved(path)
        named = (file, kind) in self.named
        if file is None or not (named or (path.is_relative_to(self.root) and self._may_be_one(path, kind))):
            raise BackupError(
                f"{what} leads to {path}, which is no {kind} database of this configuration; nothing was touched.",
                to_fix="if that file is meant, restore it by itself: add --database with its path; or correct "
                "`database` or `storage.url` in the configuration",
            )
        if not self._is_inside(file) and (path.is_symlink() or not named) and not begins_as(file, kind):
            raise BackupError(
                f"A symbolic link leads from {path} to {file}, which is not a {kind} database; nothing was touched.",
                to_fix="remove that link, or name the file itself with --database or in the configuration",
            )
        return file

    def _is_inside(self, file: Path) -> bool:
        return file.is_relative_to(resolved(self.root) or self.root)

    def _may_be_one(self, path: Path, kind: str) -> bool:
        return self.others and path.suffix.lower() in SUFFIXES.get(kind, ())


def bounds_of(config: SimulationConfig, profile_database: Path | None = None) -> Bounds:
    """Return the bounds that a configuration makes; ``profile_database`` is what its dbt profile names, if known."""
    databases = [*databases_of(config, profile_database), history_of(config)]
    return Bounds.of(config.root, databases, others=config.database_path is None and profile_database is None)


def begins_as(file: Path, kind: str) -> bool:
    """Tell whether a file begins as a database of this kind does."""
    offset, expected = HEADERS[kind]
    try:
        with file.open("rb") as stream:
            return stream.read(offset + len(expected))[offset:] == expected
    except OSError:
        return False


def refused_journal(journal: Path, reason: str) -> BackupError:
    """Return the error for a journal that no command of ours wrote for this configuration."""
    return BackupError(
        f"The journal {journal} is not followed, and nothing was touched: {reason}.",
        to_fix="if a restore or migration of yours was cut off, run it again with the options that it had; "
        f"otherwise remove {journal}",
    )
