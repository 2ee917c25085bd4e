"""The metadata of a backup: what it holds, of what, and why it was made."""

from __future__ import annotations

import hashlib
import os
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import BackupDamagedError
from orchestrator.core.untrusted import read_limited
from orchestrator.core.versions import installed_versions
from orchestrator.maintenance.backup.files import LOGS, FileDigest, write_text
from orchestrator.maintenance.backup.workspace import DUCKDB, POSTGRESQL, SQLITE

METADATA, CHECKSUM = "metadata.json", "metadata.sha256"
FORMAT = 1
MOST_BYTES = 64 * 1024 * 1024
LONGEST_NAME = 255  # bytes
_FILE_NAME = re.compile(r"\w[\w.-]*")
OTHER = "use another one: `orchestrator backup list`"


Count = Annotated[int, Field(ge=0, lt=2**63)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRecord(_Record):
    """A file of a backup; ``suffix`` is what its name has behind that of the database, such as ``.wal``."""

    name: str
    suffix: str
    bytes: Count
    sha256: str

    @classmethod
    def of(cls, path: Path, suffix: str, digest: FileDigest) -> FileRecord:
        """Make the record of a file that was copied to ``path``."""
        return cls(name=path.name, suffix=suffix, bytes=digest.bytes, sha256=digest.sha256)


class DatabaseRecord(_Record):
    """A database in a backup.

    ``path`` is where it lay, relative to the project root where it was below it; None on a server, whose ``url`` has no
    password. ``tables`` are row counts by name. ``whole`` is False for a file that could not be opened and was copied
    as it was; then nothing is known of its inside.
    """

    name: str
    kind: str
    path: str | None
    url: str | None
    files: tuple[FileRecord, ...]
    engine: str
    storage_version: str | None
    schema_version: str | None
    fingerprint: str | None
    tables: dict[str, Count]
    compacted: bool
    whole: bool

    @property
    def bytes(self) -> int:
        """Return the size of its files in the backup."""
        return sum(file.bytes for file in self.files)


class BackupMetadata(_Record):
    """A whole backup."""

    format: int
    created_at: datetime
    reason: str
    orchestrator: str
    root: str
    databases: tuple[DatabaseRecord, ...]


def new_metadata(reason: str, root: Path, databases: tuple[DatabaseRecord, ...]) -> BackupMetadata:
    """Return what a backup that is made now says of itself."""
    return BackupMetadata(
        format=FORMAT,
        created_at=utc_now(),
        reason=reason,
        orchestrator=str(installed_versions().get("dbt-year-orchestrator", "unknown")),
        root=str(root),
        databases=databases,
    )


def in_utc(moment: datetime) -> datetime:
    """Return a moment of somebody else's metadata as aware UTC; one without a zone is taken as UTC.

    >>> in_utc(datetime.fromisoformat("2026-01-01T02:00:00+02:00")).isoformat()
    '2026-01-01T00:00:00+00:00'
    """
    try:
        return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    except OverflowError:  # in the year 1 or 9999
        return moment.replace(tzinfo=timezone.utc)


def write_metadata(folder: Path, metadata: BackupMetadata) -> None:
    """Write it with a checksum of its own, for it says what the others are."""
    text = metadata.model_dump_json(indent=2) + "\n"
    write_text(folder / METADATA, text)
    write_text(folder / CHECKSUM, hashlib.sha256(text.encode()).hexdigest() + "\n")


def read_metadata(folder: Path) -> BackupMetadata:
    """Read it.

    Raises:
        BackupDamagedError: it is missing, was changed, or is of a newer version.
    """
    content, expected = _read_part(folder, METADATA, MOST_BYTES), _read_part(folder, CHECKSUM, 100)
    if hashlib.sha256(content).hexdigest().encode() + b"\n" != expected:
        raise BackupDamagedError(f"Backup {folder.name} is damaged: {METADATA} is not what was written.", to_fix=OTHER)
    try:
        found = BackupMetadata.model_validate_json(content)
    except ValidationError as error:
        raise BackupDamagedError(
            f"Backup {folder.name} has metadata that this version cannot read.",
            to_fix="use the version of the orchestrator that made it",
        ) from error
    _require_contained(folder, found)
    return found


def _read_part(folder: Path, name: str, most: int) -> bytes:
    try:
        return read_limited(folder / name, most, follow=False)
    except OSError as error:
        raise BackupDamagedError(
            f"Backup {folder.name} has no readable {name}: {error.strerror}.", to_fix=OTHER
        ) from error
    except ValueError as error:
        raise BackupDamagedError(f"Backup {folder.name} cannot be used: of {name}, {error}.", to_fix=OTHER) from error


def _require_contained(folder: Path, found: BackupMetadata) -> None:
    """Make sure that every file that metadata name lies in the folder itself, and goes beside its database.

    Where a database goes is looked at where it is restored, see :mod:`orchestrator.maintenance.backup.bounds`.
    """
    wrong = [f"it names {file.name!r}" for record in found.databases for file in record.files if not _is_ours(file)]
    names = [file.name for record in found.databases for file in record.files]
    wrong += ["it names a file twice"] * (len(set(names)) != len(names))
    wrong += [f"database {record.name!r} {_fault(record)}" for record in found.databases if _fault(record)]
    if wrong:
        raise BackupDamagedError(
            f"Backup {folder.name} cannot be used: its {METADATA} is not as a backup writes it: {wrong[0]}.",
            to_fix=OTHER,
        )


def _is_ours(file: FileRecord) -> bool:
    name = _FILE_NAME.fullmatch(file.name) is not None and file.name not in (METADATA, CHECKSUM)
    return name and len(os.fsencode(file.name)) <= LONGEST_NAME


def _fault(record: DatabaseRecord) -> str | None:
    """Say what no backup writes about a database, None where there is nothing of that kind."""
    suffixes = [file.suffix for file in record.files]
    if record.kind == POSTGRESQL:
        version = record.engine.split(".")[0]
        if record.path is not None or len(suffixes) != 1 or not (version.isdecimal() and len(version) < 4):
            return "is not described as one of a server"
    elif record.kind not in (DUCKDB, SQLITE):
        return f"is of an unknown kind, {record.kind!r}"
    elif record.path is None or "\0" in record.path:
        return "has no place"
    elif not suffixes or suffixes[0] or not set(suffixes[1:]) <= set(LOGS) or len(set(suffixes)) < len(suffixes):
        return "has files with other endings than its logs have"
    return None
