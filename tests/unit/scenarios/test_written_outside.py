"""What members write outside of their databases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.errors import ConfigurationError
from orchestrator.database.attachments import Attachment
from orchestrator.database.names import SchemaName
from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.scenarios.plan import Member, SweepPlan, Variation
from orchestrator.scenarios.written_outside import MemberPlaces
from tests.unit.test_healing_plan import node, project

A, B, SEEDS = (1, 2), (1, 2, 3), (1, 2)
Place = Callable[[Member], str | None]


def members() -> tuple[Member, ...]:
    """Make a member for each combination of two variables and a seed."""
    return tuple(Member.of("base", s, {"vars.a": a, "vars.b": b}) for a in A for b in B for s in SEEDS)


def variables(member: Member) -> dict[str, object]:
    """Return the variables of dbt of a member."""
    return {"a": member.values["vars.a"], "b": member.values["vars.b"], "seed": member.seed}


def require(place: Place, read: Sequence[str], *, database: str = "db") -> None:
    """Look at a sweep in which one model that reads some variables is written to a place."""
    varied = (Variation("vars.a", A), Variation("vars.b", B))
    plan = SweepPlan("s", "", 1, 2, varied, ("base",), SEEDS, members())

    def facts_of(member: Member) -> ProjectFacts:
        made = replace(node("out", "external"), vars=tuple(read), database=database, external_file=place(member))
        path = Path(f"/p/members/{member.key}/attached.duckdb") if database == "own" else Path("/p/other.duckdb")
        whole = project((made,))
        return replace(
            whole,
            ledger=SchemaName("db", "orchestrator"),
            attachments=(Attachment("own", path), Attachment("oth", path)),
        )

    places = MemberPlaces(plan, {one.key: variables(one) for one in plan.members}, facts_of)
    places.require_own(facts_of(plan.members[0]), ("a", "b", "seed"))


@pytest.mark.parametrize(
    ("place", "read"),
    [
        (lambda _: "/p/out.parquet", ("a",)),
        (lambda one: f"/p/{one.seed}.parquet", ("seed",)),
        (lambda one: f"/p/{one.values['vars.b']}{one.seed}.parquet", ("b", "seed")),
        (lambda one: f"/p/{one.values['vars.a']}{one.seed}.parquet", ("a", "seed")),
        (lambda one: f"/p/{min(2, one.values['vars.b'])}{one.values['vars.a']}{one.seed}", ("a", "b", "seed")),
        (lambda one: f"/p/{one.values['vars.b']}{one.seed}.parquet", (ANY_VAR,)),
    ],
)
def test_two_members_do_not_write_one_file(place: Place, read: Sequence[str]) -> None:
    """Whichever they are: those with the same values of what the model reads, and those whose names come out alike."""
    with pytest.raises(ConfigurationError, match="Members would write one file, /p/"):
        require(place, read)


@pytest.mark.parametrize(
    ("place", "read"),
    [
        (lambda one: f"/p/members/{one.key}/out.parquet", ("a",)),
        (lambda one: f"/p/{one.values['vars.a']}{one.values['vars.b']}{one.seed}.parquet", ("a", "b", "seed")),
        (lambda one: f"/p/{one.values['vars.a']}{one.values['vars.b']}{one.seed}.parquet", (ANY_VAR,)),
        (lambda _: None, ("a",)),
    ],
)
def test_files_of_their_own(place: Place, read: Sequence[str]) -> None:
    """Beside each database, or by all that is varied."""
    require(place, read)


def test_a_table_in_an_attached_database_is_one_for_all() -> None:
    """Unless the database that is attached is another for each member."""
    with pytest.raises(ConfigurationError, match=r"one table, out in /p/other.duckdb: out \(models/out.sql\)"):
        require(lambda _: None, ("a",), database="oth")
    with pytest.raises(ConfigurationError, match="one table, out in elsewhere"):
        require(lambda _: None, ("a",), database="elsewhere")
    require(lambda _: None, ("a",), database="own")
