"""Edges that dbt does not know: what a node reads as a source and another node builds."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.dbt_runner.project.edges import connected, joined
from orchestrator.dbt_runner.project.facts import NodeFacts
from orchestrator.dbt_runner.project.source_facts import SourceFacts
from orchestrator.pipeline.fingerprint import components
from orchestrator.pipeline.workflow import SimulationPlan
from orchestrator.self_healing.evidence import Missing
from orchestrator.self_healing.healing_plan import make_plan
from orchestrator.self_healing.initialization_state import RequiredTable, TableFinding, TableTier
from tests.unit.test_healing_plan import node, project

OWN = SourceFacts("source.p.own.total", "total", "own", "s.yml", "DB", "Main", "TOTAL", None)


def by_id(nodes: tuple[NodeFacts, ...]) -> dict[str, NodeFacts]:
    """Return nodes by name."""
    return {one.name: one for one in nodes}


def test_what_reads_it_comes_after_it() -> None:
    """The builder is a parent of the reader, which moves behind it; case does not matter."""
    nodes = connected([node("a", parents=["source.p.own.total"]), node("total", parents=["seed.p.s"])], [OWN])
    assert [one.name for one in nodes] == ["total", "a"]
    reader = by_id(nodes)["a"]
    assert reader.by_source == ("model.p.total",) and "model.p.total" in reader.depends_on


def test_a_source_that_reads_a_file_follows_who_writes_it() -> None:
    """Also with wildcards, and inside the folder that a model writes; its name then means nothing."""
    writer = replace(node("out", "external"), external_file="/p/lake/out.parquet")
    folder = replace(node("parts", "external"), external_file="/p/lake/parts")
    for files, parents in (
        (("/p/lake/out.parquet",), ("model.p.out",)),
        (("/p/lake/*.parquet",), ("model.p.out",)),
        (("/p/lake/parts/*/*.parquet",), ("model.p.parts",)),
        (("/q/out.parquet",), ()),
    ):
        source = replace(OWN, files=files)
        made = connected([node("a", parents=[OWN.unique_id]), writer, folder, node("total")], [source])
        assert by_id(made)["a"].by_source == parents


def test_no_circle_is_closed() -> None:
    """What reads its own table, or one that is built from it, reads what was there before."""
    nodes = [node("early", parents=["source.p.own.total"]), node("total", parents=["model.p.early", OWN.unique_id])]
    assert not any(one.by_source for one in connected(nodes, [OWN]))


def test_upstream_tells_of_every_ancestor() -> None:
    """The digest of a node moves with the code of all that it is built from, and with nothing else."""
    nodes = [node("s", "seed"), node("m", parents=["seed.p.s"]), node("n", parents=["model.p.m"]), node("other")]
    before = by_id(connected(nodes, []))
    after = by_id(connected([replace(nodes[0], code=(("seed s", "1"),)), *nodes[1:]], []))
    assert before["s"].upstream == "" == before["other"].upstream
    moved = [name for name in before if before[name].upstream != after[name].upstream]
    assert moved == ["m", "n"]


def test_readers_of_a_source_get_a_later_command() -> None:
    """dbt would run both in any order, also where an ephemeral model stands between them."""
    nodes = connected(
        [
            node("a", parents=["model.p.eph"]),
            node("eph", "ephemeral", [OWN.unique_id]),
            node("total"),
            node("beside"),
        ],
        [OWN],
    )
    required = [RequiredTable(name, TableTier.FOUNDATION, f"model.p.{name}") for name in ("a", "total", "beside")]
    findings = [TableFinding(table, Missing()) for table in required]
    made = make_plan(findings, required, project(nodes, (OWN,)), lambda n: False, lambda n: False)
    assert [[one.name for one in command.nodes] for command in made.commands] == [["total", "beside"], ["a"]]


def test_what_later_years_add_to_a_node() -> None:
    """Another relation of a later year is known by a name of its own, and another input changes what is upstream."""
    first = [node("a", "incremental"), node("b", parents=["model.p.a"])]
    place = replace(first[0], identifier="a_later", code=(("model a", "2"),), tags=("LATE",))
    known = by_id_of_all(joined(first, [[place, first[1]], [place, first[1]]]))
    assert [one.identifier for one in known.values() if one.name == "a"] == ["a", "a_later"]
    (other,) = (one for one in known.values() if one.later_only)
    assert other.code == () and other.unique_id not in ("model.p.a", "model.p.b")
    assert known["model.p.a"].code == (*first[0].code, ("model a (later)", "2"))
    assert known["model.p.a"].tags == (*first[0].tags, "LATE")
    assert known["model.p.b"].upstream != by_id(joined(first, [first]))["b"].upstream
    assert joined(first, [first]) == joined(first, [])


def test_what_keeps_rows_in_later_years_alone() -> None:
    """A view of the first year that is incremental later has rows to remove; one that is a table later has none."""
    first = [node("a", "view")]
    for kind, count in (("incremental", 2), ("table", 1)):
        assert len(joined(first, [[replace(first[0], materialized=kind)]])) == count


def by_id_of_all(nodes: tuple[NodeFacts, ...]) -> dict[str, NodeFacts]:
    """Return nodes by unique id."""
    return {one.unique_id: one for one in nodes}


def test_which_years_have_which_branch_decides_the_result() -> None:
    """What a YAML file asks of the year is part of it, not only what comes out in some year."""
    plan = SimulationPlan((1, 2, 3), (), 1)
    found = []
    for first in ("var('yr') > 1", "var('yr') > 2"):
        facts = replace(project([node("a")]), decided=((first, "false"),))
        found.append(components(facts, plan))
    assert found[0] != found[1]
