"""The examples in docstrings say what is true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import orchestrator

PROGRAMS = ("__main__", "worker", "env")
MODULES = [found.name for found in pkgutil.walk_packages(orchestrator.__path__, "orchestrator.")]


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith(PROGRAMS)])
def test_examples_give_what_they_say(name: str) -> None:
    """Every ``>>>`` of a module is run."""
    told = doctest.testmod(importlib.import_module(name))
    assert told.failed == 0
