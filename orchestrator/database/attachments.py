"""Databases that a connection reaches beside its own, because the profile attaches them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Attachment:
    """A database that the profile attaches; ``name`` is what it is called in SQL.

    ``path`` is its file, absolute, where a look without dbt can attach it too; else ``why`` says what prevents that.
    """

    name: str
    path: Path | None
    why: str | None = None
