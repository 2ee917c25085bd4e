"""The metadata of a backup: what it holds, of what, and why it was made."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import BackupDamagedError
from orchestrator.core.versions import installed_versions
from orchestrator.maintenance.backup.files import FileDigest, write_text

METADATA, CHECKSUM = "metadata.json", "metadata.sha256"
FORMAT = 1
OTHER = "use another one: `orchestrator backup list`"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRecord(_Record):
    """A file of a backup; ``suffix`` is what its name has behind that of the database, such as ``.wal``."""

    name: str
    suffix: str
    bytes: int
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
    tables: dict[str, int]
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
    try:
        content = (folder / METADATA).read_bytes()
        expected = (folder / CHECKSUM).read_bytes()
    except OSError as error:
        raise BackupDamagedError(
            f"Backup {folder.name} has no readable {Path(error.filename).name}: {error.strerror}.", to_fix=OTHER
        ) from error
    if hashlib.sha256(content).hexdigest().encode() + b"\n" != expected:
        raise BackupDamagedError(f"Backup {folder.name} is damaged: {METADATA} is not what was written.", to_fix=OTHER)
    try:
        found = BackupMetadata.model_validate_json(content)
    except ValidationError as error:
        raise BackupDamagedError(
            f"Backup {folder.name} has metadata that this version cannot read.",
            to_fix="use the version of the orchestrator that made it",
        ) from error
    return found
