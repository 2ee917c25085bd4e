"""Which nodes no check looks at, and how that is said."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.self_healing.left_out import left_out, told_left_out
from orchestrator.self_healing.registry import node_of, required_tables
from tests.unit.test_healing_plan import node, project


def test_every_node_is_required_or_has_a_reason() -> None:
    """In a simulation: what the years build, what has no tag, what is ephemeral or switched off."""
    nodes = [
        node("s", "seed"),
        node("base"),
        node("yearly", tags=()),
        node("after", "incremental", ["model.p.yearly"], tags=()),
        node("loose", tags=()),
        node("passing", "ephemeral"),
    ]
    nodes[2] = replace(nodes[2], uses_year=True)
    facts = replace(project(nodes, ()), disabled=("model.p.off",))
    required = {node_of(table, facts).unique_id for table in required_tables(facts)}
    reasons = {one.name: one.why for one in left_out(facts, required, listed=False)}
    assert reasons == {
        "yearly": "built during each year",
        "after": "built during each year",
        "loose": "not tagged FOUNDATION",
        "passing": "ephemeral, so nothing is built for it",
        "off": "disabled",
    }
    assert {one.why for one in left_out(facts, set(), listed=True)} > {"not in required_tables"}


def test_without_years_everything_that_dbt_builds_is_required() -> None:
    """Whatever it is called, with and without the tag of simulations."""
    nodes = [node("v", "view"), node("odd", "some_new_one", tags=()), node("y", tags=()), node("e", "ephemeral")]
    nodes[2] = replace(nodes[2], uses_year=True)
    facts = replace(project(nodes, ()), simulates=False)
    assert [table.name for table in required_tables(facts)] == ["v", "odd", "y"]


def test_many_names_are_counted() -> None:
    """Five of a kind are named, and the rest counted."""
    facts = replace(project([], ()), disabled=tuple(f"model.p.m{number}" for number in range(8)))
    said = told_left_out(left_out(facts, set(), listed=False))
    assert said == "Not checked: 8 nodes: m0, m1, m2, m3, m4 and 3 more (disabled)"
    assert told_left_out([]) is None
