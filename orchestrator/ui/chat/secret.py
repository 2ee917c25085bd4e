"""The key with which a browser keeps which conversation it had: one for each workspace, readable to its owner alone."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from orchestrator.core.errors import ConfigurationError
from orchestrator.core.permissions import make_folder
from orchestrator.core.untrusted import read_limited

FILE = Path("var", "ui", "chat.secret")
LENGTH = 32  # bytes


def workspace_secret(root: Path) -> str:
    """Return the secret of the workspace at ``root``; it is made where there is none.

    Raises:
        ConfigurationError: it can be neither read nor made.
    """
    file = root / FILE
    try:
        if not file.exists():
            _make(file)
        found = read_limited(file, 4 * LENGTH, follow=False).decode("ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The secret of the chat cannot be read: {error}.",
            to_fix=f"give yourself the right to {file}, or remove it",
        ) from error
    if len(found) < LENGTH:
        raise ConfigurationError(f"The secret of the chat in {file} is too short.", to_fix=f"remove {file}")
    return found


def _make(file: Path) -> None:
    """Write a new one beside its place, and put it there unless somebody was faster."""
    make_folder(file.parent)
    new = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as content:
            content.write(secrets.token_urlsafe(LENGTH))
        with suppress(FileExistsError):
            os.link(new, file)
    finally:
        new.unlink()
