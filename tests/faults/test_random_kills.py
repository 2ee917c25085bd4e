"""The random suite (``make faults``), for a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.random_kills import main
from tests.faults.registry import KILLED, Fault, declared


@declared(
    "Random kills",
    Fault(
        "parent, dbt process or both, of one run or one of two, at a random moment, up to three times in a row",
        KILLED,
        check=None,
        afterwards="the next run that nobody kills gives the undisturbed rows (`make faults`)",
    ),
)
def test_a_few_random_kills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A short run of the suite ends 0, tells every kill, and sums up."""
    assert main(["--kills", "3", "--seed", "7", "--folder", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert told.count("kill ") >= 3
    assert "0 differences, seed 7" in told
    assert not list(tmp_path.iterdir())
