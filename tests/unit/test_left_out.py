"""Which nodes no check looks at, and how that is said."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.config.simulation import SimulationConfig
from orchestrator.pipeline.unbuilt import without_stage
from orchestrator.self_healing.left_out import NOT_BY_RUN, UNTAGGED, left_out, told_left_out
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


def test_what_a_run_of_dbt_leaves_out_needs_a_stage_that_builds() -> None:
    """A function of the years is told apart from one that is built along with the foundation that calls it."""
    late, early = (
        replace(node(name, tags=()), unique_id=f"function.p.{name}", resource_type="function")
        for name in ("late", "early")
    )
    years = replace(node("years", parents=[late.unique_id], tags=()), uses_year=True)
    facts = project([late, early, node("base", parents=[early.unique_id]), years], ())
    required = {node_of(table, facts).unique_id for table in required_tables(facts)}
    left = left_out(facts, required, listed=False)
    stages = [{"name": "all", "select": "tag:S"}]
    config = SimulationConfig.model_validate({"simulation": {"start_year": 1, "end_year": 1}, "stages": stages})
    reasons = {one.name: one.why for one in without_stage(left, {"years"}, config=config, facts=facts, years=(1,))}
    assert reasons == {"late": NOT_BY_RUN, "early": UNTAGGED, "years": "built during each year"}
    built = without_stage(left, {"years", "late"}, config=config, facts=facts, years=(1,))
    assert NOT_BY_RUN not in {one.why for one in built}
