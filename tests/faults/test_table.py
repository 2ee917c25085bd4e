"""The page that lists the faults."""

from __future__ import annotations

import subprocess
import sys

from tests.faults.write_table import PAGE

PRINT = "import sys; from tests.faults.write_table import page; sys.stdout.buffer.write(page().encode())"


def test_the_page_is_what_the_tests_declare() -> None:
    """docs/faults.md holds every declared fault and no other; `make faults-table` writes it.

    Asked of a process of its own: pytest may have imported a part of the tests under names of its own.
    """
    done = subprocess.run([sys.executable, "-c", PRINT], cwd=PAGE.parents[1], capture_output=True, check=True)
    assert PAGE.read_text(encoding="utf-8") == done.stdout.decode()
