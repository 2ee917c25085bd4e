"""The ground on which faults are caused."""

from __future__ import annotations

import pytest

from tests.faults.ground import Ground
from tests.integration.conftest import Shelf, shelf

__all__ = ["ground", "shelf"]


@pytest.fixture
def ground(shelf: Shelf) -> Ground:
    """Lay out a reservoir that was simulated to the end."""
    return Ground(shelf.lay("reservoir", simulated=True))
