"""What the tests do where PostgreSQL is installed and does not start, and that skipped tests say why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.postgres import why_not

REPOSITORY = Path(__file__).parents[2]
TESTS = """
import pytest
from tests.support.postgres import running_server

@pytest.fixture
def server():
    with running_server() as made:
        yield made

def test_that_needs_a_server(server):
    pass

def test_that_is_skipped():
    pytest.skip("the moon is full")
"""


def test_a_server_that_does_not_start_is_a_failure(tmp_path: Path) -> None:
    """Not a reason to skip what needs it; and whatever is skipped says why at the end."""
    if why_not() is not None:
        pytest.skip(str(why_not()))
    folder = tmp_path / ("a" * 100)  # too long for the socket of a server
    folder.mkdir()
    file = tmp_path / "test_server.py"
    file.write_text(TESTS)
    options = ["-c", str(REPOSITORY / "pyproject.toml"), "--rootdir", str(REPOSITORY), "-n", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-p", "no:cacheprovider", str(file)],
        env={**os.environ, "TMPDIR": str(folder)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "PostgreSQL is installed, and its server does not start here" in done.stdout
    assert "1 skipped, 1 error" in done.stdout
    assert "SKIPPED [1]" in done.stdout
    assert "the moon is full" in done.stdout
