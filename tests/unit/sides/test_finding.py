"""Sides that are named and not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import RunNotFoundError
from orchestrator.reports.sides.finding import kind_of
from orchestrator.reports.sides.names import side_name
from orchestrator.reports.sides.sources import Sources, opened_project


def test_a_run_where_there_is_no_history(tmp_path: Path) -> None:
    """What can be compared instead is named."""
    config = SimulationConfig.from_mapping({}, root=tmp_path)
    sources = Sources(config, lambda _: config, opened_project, None)
    with pytest.raises(RunNotFoundError, match="the history is empty") as caught:
        kind_of(sources, side_name("run:abc"))
    assert caught.value.to_fix == "name a scenario or a sweep; there are: baseline"
