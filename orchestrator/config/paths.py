"""The places of a project's files."""

from __future__ import annotations

from pathlib import Path

RESTORE_JOURNAL = "restoring.json"


def project_root(file: Path) -> Path:
    """Return the folder that holds ``config/``, or the file's own folder where it lies elsewhere."""
    return file.parent.parent if file.parent.name == "config" else file.parent


def in_project(path: Path, root: Path) -> str:
    """Name a file relative to the project root, or in full where it lies elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def backups_dir(root: Path) -> Path:
    """Return the folder of a project's backups."""
    return root / "var" / "backups"


def restore_begun(root: Path) -> bool:
    """Tell whether a restore or a migration of a project goes on, or was killed."""
    return (backups_dir(root) / RESTORE_JOURNAL).exists()
