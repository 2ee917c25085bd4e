"""The engine knows years, stages, tiers and tables, and nothing of what is simulated."""

from __future__ import annotations

import re
from pathlib import Path

ENGINE = Path(__file__).resolve().parents[2] / "orchestrator"
DOMAIN = re.compile(r"employee|workforce|headcount|salary|census|pension|deferral|hire\b|hires\b", re.IGNORECASE)


def test_the_engine_names_nothing_of_the_shipped_simulation() -> None:
    """No module of the engine holds a word of the workforce simulation."""
    files = sorted(ENGINE.rglob("*.py"))
    assert len(files) > 20
    lines = [(file.name, line.strip()) for file in files for line in file.read_text().splitlines()]
    found = [(name, line) for name, line in lines if DOMAIN.search(line)]
    assert found == []
