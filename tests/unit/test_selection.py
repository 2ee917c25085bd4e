"""Tests of selectors that match one node alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.dbt_runner.project.selection import ExactSelectors
from tests.unit.test_healing_plan import node


def selector(fqn: str, file: str, *others: str) -> str:
    """Return the selector of a node in a project with these full names, written with slashes."""
    one = replace(node(fqn.rpartition("/")[2]), fqn=tuple(fqn.split("/")), file=file)
    return ExactSelectors(name.split("/") for name in (fqn, *others)).of(one)


def test_a_full_name_of_its_own_is_enough() -> None:
    """dbt need not look at files then."""
    assert selector("p/staging/a", "models/staging/a.sql", "p/staging/ab", "p/a/b") == "fqn:p.staging.a"


@pytest.mark.parametrize(
    "other",
    [
        "p/staging/a/b",  # a folder of that name
        "p/staging/a/unit",  # a unit test of the model
        "q/p/staging/a",  # another package, its own name left out
        "q/other/p.staging.a",  # a last part with dots
        "q/elsewhere/staging/a",  # dbt takes the last two parts for a model and its version
    ],
)
def test_a_name_that_matches_more_gets_its_file(other: str) -> None:
    """Each of these is what dbt's ``fqn:`` would select beside it."""
    assert selector("p/staging/a", "models/staging/a.sql", other) == "fqn:p.staging.a,file:a.sql"


def test_separators_of_selectors_become_wildcards() -> None:
    """A blank or a comma would take the selector apart."""
    assert selector("p/my dir/a,b", "models/my dir/a,b.sql") == "fqn:p.my?dir.a?b,file:a?b.sql"
