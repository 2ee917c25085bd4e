"""The open run history, and moments and lengths of time as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from orchestrator.cli.command import load_config
from orchestrator.cli.options import CommonOptions
from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import ConfigurationError

if TYPE_CHECKING:
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.storage.base import StorageBackend

_AGO = re.compile(r"(\d+)\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@contextmanager
def open_history(options: CommonOptions) -> Iterator[tuple[SimulationConfig, StorageBackend]]:
    """Open the run history that the configuration names."""
    from orchestrator.storage.factory import create_storage_backend  # SQLAlchemy: a fifth of a second

    config = load_config(options)
    with create_storage_backend(config, show_progress=not options.quiet) as backend:
        yield config, backend


def parse_since(text: str | None) -> datetime | None:
    """Return a moment for ``2026-11-01``, ``2026-11-01T12:00`` (local time) or ``7d`` (also m, h, w) ago.

    Raises:
        ConfigurationError: it is written otherwise.
    """
    if text is None:
        return None
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            return utc_now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text.strip()).astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"--since is {text!r}, which is neither a date nor a length of time.",
            to_fix="write 2026-11-01, 2026-11-01T12:00, or 30m, 12h, 7d, 2w ago",
        ) from error
