"""The smallest repair for what was found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from orchestrator.core.errors import ConfigurationError
from orchestrator.database.names import SchemaName
from orchestrator.dbt_runner.project.facts import ColumnFacts, NodeFacts, ProjectFacts, ProjectShape
from orchestrator.dbt_runner.project.source_facts import SourceFacts
from orchestrator.ledger.changes import Change
from orchestrator.self_healing.evidence import (
    ColumnsDiffer,
    Evidence,
    Failed,
    Missing,
    Outdated,
    Problem,
    TooFewRows,
    WrongKind,
)
from orchestrator.self_healing.healing_plan import HealingPlan, make_plan
from orchestrator.self_healing.initialization_state import RequiredTable, TableFinding, TableTier
from orchestrator.self_healing.registry import required_tables


def node(
    name: str,
    materialized: str = "table",
    parents: Sequence[str] = (),
    *,
    tags: tuple[str, ...] = ("FOUNDATION",),
    contract: bool = False,
    min_rows: int | None = None,
) -> NodeFacts:
    """Make a node; its kind follows from the materialization."""
    kind = "seed" if materialized == "seed" else "model"
    return NodeFacts(
        unique_id=f"{kind}.p.{name}",
        name=name,
        resource_type=kind,
        fqn=("p", name),
        file=f"models/{name}.sql",
        database="db",
        schema="main",
        identifier=name,
        materialized=materialized,
        tags=() if kind == "seed" else tags,
        checksum="0",
        columns=(ColumnFacts("id", "integer"),) if contract else (),
        contract=contract,
        depends_on=tuple(parents),
        min_rows=min_rows,
        summary=False,
        labels=(),
        has_rows=True if kind == "seed" else None,
        appends=materialized == "incremental",
        full_refresh=False,
        writes_other_years=False,
        code=((f"{kind} {name}", "0"),),
        inputs=(),
        uses_year=False,
        prints_year=False,
        reuse_blocker=None,
    )


NODES = (
    node("s1", "seed"),
    node("s2", "seed"),
    node("stg1", "view", ["seed.p.s1"]),
    node("eph", "ephemeral", ["seed.p.s2"], tags=()),
    node("base", "table", ["model.p.stg1", "model.p.eph"]),
    node("rates", "table", ["model.p.base"]),
    node("history", "incremental", ["model.p.base"]),
    node("snapshot", "incremental", ["model.p.rates"], tags=("YEARLY",), contract=True),
)
NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
EDIT = Change("seed", "s1", "1", "2")
SEEN: dict[Problem, Evidence] = {
    Problem.MISSING: Missing(),
    Problem.WRONG_TYPE: WrongKind("table", "view"),
    Problem.EMPTY: TooFewRows(1, 0),
    Problem.DRIFTED: ColumnsDiffer((("a", None),), (("b", "DATE"),), of_seed=False),
    Problem.STALE: Outdated(NOON, "seed.p.s1", "s1", "seed", "s1.csv", (EDIT,), inherited=False),
}
SOURCE = SourceFacts("source.p.prior.snapshot", "snapshot", "prior", "m.yml", "db", "main", "snapshot", "snapshot")


def project(nodes: Sequence[NodeFacts] = NODES, sources: tuple[SourceFacts, ...] = (SOURCE,)) -> ProjectFacts:
    """Make a project out of nodes."""
    return ProjectFacts(
        project_name="p",
        project_dir=Path("/p"),
        adapter="duckdb",
        target="dev",
        profile="p",
        database_path=Path("/p/db.duckdb"),
        nodes=tuple(nodes),
        sources=sources,
        reuse_blocker=None,
        versions=(),
        unasked=(),
        ledger=SchemaName("db", "orchestrator"),
        shape=ProjectShape("", ""),
    )


def plan(problems: dict[str, Problem], *, absent: Sequence[str] = (), with_rows: Sequence[str] = ()) -> HealingPlan:
    """Plan the repair of tables with these problems in a database that lacks ``absent``."""
    facts = project()
    required = required_tables(facts)
    gone = {name for name, problem in problems.items() if problem is Problem.MISSING} | set(absent)
    findings = [TableFinding(t, SEEN[problems[t.name]]) for t in required if t.name in problems]
    return make_plan(findings, required, facts, lambda n: n.name not in gone, lambda n: n.name in with_rows)


def words(made: HealingPlan) -> list[tuple[str, list[str]]]:
    """Return a plan as (command, node names)."""
    return [(command.words(), [n.name for n in command.nodes]) for command in made.commands]


def test_the_list_is_derived_in_tier_order() -> None:
    """Seeds, then tagged models that are relations, then what the year before left behind."""
    assert [(t.name, t.tier.value, t.min_rows) for t in required_tables(project())] == [
        ("s1", "seed", 1),
        ("s2", "seed", 1),
        ("stg1", "foundation", None),
        ("base", "foundation", None),
        ("rates", "foundation", None),
        ("history", "foundation", None),
        ("snapshot", "state", None),
    ]


def test_without_any_foundation_tag_every_relation_is_required() -> None:
    """A project that is no simulation is required as a whole; ephemeral models build nothing."""
    nodes = [node("s", "seed"), node("v", "view", tags=()), node("e", "ephemeral", tags=())]
    assert [t.name for t in required_tables(project(nodes, ()))] == ["s", "v"]


def test_a_missing_seed_costs_one_seed() -> None:
    """Its children keep what they have."""
    assert words(plan({"s1": Problem.MISSING})) == [("dbt seed", ["s1"])]


def test_a_missing_table_takes_along_only_absent_ancestors() -> None:
    """What it reads, through views and ephemerals, is built when it is not there, and nothing else."""
    assert words(plan({"rates": Problem.MISSING})) == [("dbt run", ["rates"])]
    assert words(plan({"base": Problem.MISSING})) == [("dbt run", ["base"])]
    assert words(plan({"base": Problem.MISSING}, absent=["s1"])) == [("dbt seed", ["s1"]), ("dbt run", ["base"])]
    assert words(plan({"base": Problem.MISSING}, absent=["s2"])) == [("dbt seed", ["s2"]), ("dbt run", ["base"])]
    assert words(plan({"rates": Problem.MISSING}, absent=["s1"])) == [("dbt run", ["rates"])]


def test_drift_rebuilds_required_descendants() -> None:
    """A drifted seed is loaded anew with --full-refresh, and what was made of it is rebuilt."""
    assert words(plan({"s1": Problem.DRIFTED, "s2": Problem.MISSING})) == [
        ("dbt seed", ["s2"]),
        ("dbt seed --full-refresh", ["s1"]),
        ("dbt run", ["stg1", "base", "rates", "history"]),
    ]


def test_old_rows_are_not_kept_below_a_change() -> None:
    """An incremental table with rows made of what changed is neither rebuilt nor passed over: it is refused."""
    made = plan({"s1": Problem.STALE}, with_rows=["history"])
    assert made.refusal is not None
    assert re.search("history is incremental.*: s1 is out of date: s1.csv changed", made.refusal.message)
    assert "empty history" in str(made.refusal)
    assert "history" not in [node.name for node in made.nodes]
    commands = plan({"s1": Problem.STALE}).commands
    assert [node.name for node in commands[-1].drops] == ["history"]


def test_full_refresh_is_for_drifted_seeds_alone() -> None:
    """Anything else is loaded without it, because a kill would lose the table (trap 4)."""
    for problem in (Problem.MISSING, Problem.EMPTY, Problem.WRONG_TYPE):
        assert not any(command.full_refresh for command in plan({"s1": problem}).commands)


def test_a_relation_of_the_wrong_kind_is_dropped_first() -> None:
    """dbt refuses to seed over a view, so it goes."""
    commands = plan({"s1": Problem.WRONG_TYPE, "snapshot": Problem.WRONG_TYPE}).commands
    assert [[n.name for n in command.drops] for command in commands] == [["s1"], ["snapshot"]]


def test_simulated_years_are_never_rebuilt() -> None:
    """An incremental or state table that holds rows is reported with what to do instead."""
    made = plan({"snapshot": Problem.DRIFTED}, with_rows=["snapshot"])
    assert made.refusal is not None and "rows of simulated years" in made.refusal.message
    assert made.refusal.tables == ("snapshot",) and made.commands == ()
    assert "To fix:" in str(made.refusal)
    assert words(plan({"snapshot": Problem.DRIFTED})) == [("create empty", ["snapshot"])]


def test_a_refusal_holds_back_what_is_built_from_it_and_nothing_else() -> None:
    """A stale incremental table with rows stays, and so does what reads it; its neighbour is built."""
    nodes = [
        node("s", "seed"),
        node("beside", "table", ["seed.p.s"]),
        node("old", "incremental", ["seed.p.s"]),
        node("reads", "table", ["model.p.old"]),
    ]
    facts = replace(project(nodes, ()), simulates=False)
    required = required_tables(facts)
    findings = [TableFinding(table, SEEN[Problem.STALE]) for table in required]
    made = make_plan(findings, required, facts, lambda n: True, lambda n: n.name == "old")
    assert [one.name for one in made.nodes] == ["s", "beside"]
    assert ([one.node.name for one in made.refusals], [one.name for one in made.held]) == (["old"], ["reads"])
    assert made.refusal is not None and "Held back with it: reads." in made.refusal.message
    assert "year" not in str(made.refusal) and "simulate" not in str(made.refusal)


def test_many_refusals_are_one_paragraph() -> None:
    """Each is told, the first five in words, with every remedy once."""
    nodes = [node(f"t{number}", "incremental") for number in range(7)]
    facts = project(nodes, ())
    required = required_tables(facts)
    findings = [TableFinding(table, SEEN[Problem.DRIFTED]) for table in required]
    error = make_plan(findings, required, facts, lambda n: True, lambda n: True).refusal
    assert error is not None and len(error.tables) == 7
    assert "2 more tables cannot be rebuilt either." in error.message and "\n" not in error.message
    assert str(error.to_fix).count("alter table") == 1


def test_what_is_built_in_batches_is_begun_from_nothing() -> None:
    """dbt adds the last batches to a table that is there, so it goes first; rows of a build that failed are kept."""
    batched = replace(node("b", "incremental"), batched=True)
    facts = project([batched], ())
    required = required_tables(facts)
    failed = [TableFinding(required[0], Failed(NOON, "no"))]
    made = make_plan(failed, required, facts, lambda n: True, lambda n: False)
    assert [one.name for command in made.commands for one in command.drops] == ["b"]
    kept = make_plan(failed, required, facts, lambda n: True, lambda n: True)
    assert kept.commands == () and "batch by batch" in str(kept.refusal)


def test_a_source_must_fit_its_model() -> None:
    """A prior-year source of an unknown model or another relation is refused, and where needed one without contract."""
    for wrong, text in (
        ({"prior_year_of": "snapshit"}, "such as snapshot"),
        ({"identifier": "other"}, "same database, schema and identifier"),
        ({"prior_year_of": "history", "identifier": "history"}, "contract"),
    ):
        source = SourceFacts(**{**SOURCE.__dict__, **wrong})
        facts = replace(project(NODES, (source,)), adapter="some_new_one" if text == "contract" else "duckdb")
        with pytest.raises(ConfigurationError) as caught:
            required_tables(facts)
        assert text in str(caught.value)


def test_a_listed_table_that_nothing_builds_is_named_with_the_nearest() -> None:
    """A typing error in the configured list is told with the nearest name."""
    listed = [RequiredTable("rate", TableTier.FOUNDATION, "rate")]
    with pytest.raises(ConfigurationError, match=r"rate.*nearest name is rates"):
        required_tables(project(), listed)
