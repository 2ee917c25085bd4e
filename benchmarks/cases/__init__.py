"""The cases: one module each, whose docstring says what it compares, with a function ``run``."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.results import Table

Found = tuple[list[Table], list[str]]
# In the order in which they run and are shown.
NAMES = (
    "five_years",
    "between_runs",
    "peers",
    "cold_init",
    "partial_heal",
    "check",
    "start",
    "zygote",
    "replay",
    "hundred_thousand",
    "million",
    "thirty_years",
    "year_cost",
    "memory",
    "growth",
    "many_models",
    "sweep",
    "backup",
    "web_interface",
    "report",
)
# Many minutes each: they run when they are named, or with --long.
LONG = frozenset({"million"})


@dataclass(frozen=True)
class Case:
    """A case; ``run`` returns its tables and what it checked."""

    name: str
    about: str
    run: Callable[[Bench], Found]


def load(name: str) -> Case:
    """Import a case by name."""
    module = importlib.import_module(f"benchmarks.cases.{name}")
    return Case(name, inspect.cleandoc(str(module.__doc__)), module.run)
