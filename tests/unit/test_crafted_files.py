"""A share of the crafted files of :mod:`tests.unit.crafted_files`; ``make crafted`` draws thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.crafted_files import KINDS, Ground, fault

DRAWN = 12


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=[kind.__name__ for kind in KINDS])
def test_crafted_files(tmp_path: Path, kind: int) -> None:
    """Nothing outside of the workspace is touched, nothing unexpected happens, no control character is printed."""
    ground = Ground(tmp_path)
    found = [fault(number, ground) for number in range(kind, DRAWN * len(KINDS), len(KINDS))]
    assert [one for one in found if one is not None] == []
