"""The ground on which faults are caused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.ground import Ground
from tests.support.workspaces import PreparedProjects


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.faults)


@pytest.fixture
def ground(prepared: PreparedProjects) -> Ground:
    """Lay out a reservoir that was simulated to the end."""
    return Ground(prepared.lay("reservoir", simulated=True))
