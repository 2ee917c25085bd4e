"""The suite itself."""

from __future__ import annotations

import tomllib

from tests.unit.test_architecture import REPOSITORY


def test_every_folder_of_tests_is_run() -> None:
    """The folders are listed one by one for their order; none is left out."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    options = settings["tool"]["pytest"]["ini_options"]
    with_tests = {file.relative_to(REPOSITORY).parts[1] for file in (REPOSITORY / "tests").rglob("test_*.py")}
    assert sorted(options["testpaths"]) == sorted(f"tests/{name}" for name in with_tests)
