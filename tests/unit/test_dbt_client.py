"""The life of a dbt process, without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.clocks import Deadline
from orchestrator.core.errors import DbtProcessError
from orchestrator.core.events import ignore
from orchestrator.dbt_runner.process import process as module
from orchestrator.dbt_runner.process.client import DbtClient
from orchestrator.dbt_runner.project.settings import DbtSettings, Query


class Dying:
    """A process that is found alive once, and dead from then on."""

    pid = 1

    def __init__(self) -> None:
        self.asked = 0

    def alive(self) -> bool:
        """Tell whether it is alive, for the last time yes."""
        self.asked += 1
        return self.asked == 1

    def send(self, request: object) -> None:
        """Fail, as the socket of a dead process does."""
        raise self.death()

    def death(self) -> DbtProcessError:
        """Return how it died."""
        return DbtProcessError("killed")

    def close(self) -> None:
        """Nothing is left to be closed."""


def test_a_process_that_dies_while_it_is_looked_at_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was in use: who asks next must hear of its death, or half a run would go on in another one."""

    def take(*_: object) -> None:
        raise AssertionError("another process was started")

    monkeypatch.setattr(module.DbtProcess, "take", take)
    settings = DbtSettings(project_dir=tmp_path, profiles_dir=None, cwd=tmp_path, cache_dir=tmp_path)
    client = DbtClient(settings, ignore, Deadline.after, None)
    client._process, client._in_use = Dying(), True  # type: ignore[assignment]  # as after an earlier request
    with pytest.raises(DbtProcessError, match="killed"):
        client.ask(Query("select 1"), "A query", None, list)
