"""The ground on which faults are caused."""

from __future__ import annotations

import pytest

from tests.faults.ground import Ground
from tests.support.workspaces import PreparedProjects


@pytest.fixture
def ground(prepared: PreparedProjects) -> Ground:
    """Lay out a reservoir that was simulated to the end."""
    return Ground(prepared.lay("reservoir", simulated=True))
