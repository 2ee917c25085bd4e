"""Write ``docs/faults.md`` from the declarations of the fault tests: ``python -m tests.faults.write_table``."""

from __future__ import annotations

import importlib
from pathlib import Path

from tests.faults.registry import table

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def page() -> str:
    """Return the page, with every fault test imported."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(f"tests.faults.{path.stem}")
    return table()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
