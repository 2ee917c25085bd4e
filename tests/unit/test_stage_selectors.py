"""What the facts of a project prove of a stage's selector."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.pipeline.selectors import surely_matches
from orchestrator.pipeline.workflow import Stage
from tests.unit.test_healing_plan import node, project

A = replace(node("a"), tags=("T",), fqn=("p", "yearly", "a"), file="models/yearly/a.sql")
E = replace(node("e", materialized="ephemeral"), tags=("GHOST",))
CHECK = replace(node("check"), resource_type="test", tags=("C",), fqn=("p", "check"), file="tests/check.sql")
FACTS = project((A, E, CHECK), ())


@pytest.mark.parametrize(
    "select", ["tag:T", "a", "+tag:T", "2+a+1", "tag:T+", "@a", "path:models/yearly", "path:models/yearly/a.sql"]
)
def test_what_is_proven(select: str) -> None:
    """Tags, names and paths that a model has; graph operators only add to them."""
    assert surely_matches(Stage("s", (select,)), FACTS)
    assert surely_matches(Stage("s", ("tag:NONE", select), "build"), FACTS)


@pytest.mark.parametrize(
    "select",
    ["tag:t", "tag:T*", "tag:T,tag:U", "state:modified", "tag:C", "check", "tag:GHOST", "path:models/year", "b"],
)
def test_what_is_left_to_dbt(select: str) -> None:
    """Everything else, which may match all the same."""
    assert not surely_matches(Stage("s", (select,)), FACTS)


def test_the_kind_of_the_command_counts() -> None:
    """A test is no model, and words that begin with a dash may take everything away again."""
    assert surely_matches(Stage("s", ("tag:C",), "test"), FACTS)
    assert not surely_matches(Stage("s", ("tag:T",), "test"), FACTS)
    assert not surely_matches(Stage("s", ("tag:T", "--exclude", "a")), FACTS)
