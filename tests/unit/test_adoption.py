"""What is proposed for a project: which variable is its year, which years, and how a year is cut into stages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from jinja2 import Environment

from orchestrator.database.names import SchemaName
from orchestrator.dbt_runner.analysis.variable_uses import variable_uses
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts, ProjectShape
from orchestrator.dbt_runner.project.study import ProjectStudy, TextStudy
from orchestrator.maintenance.adoption.changes import lines_to_change
from orchestrator.maintenance.adoption.stages import FOLDERS, LAYERS, ONE, TAGS, stage_choices
from orchestrator.maintenance.adoption.year_range import variables_to_set, year_range
from orchestrator.maintenance.adoption.year_variable import YearCandidate, year_candidates

JINJA = Environment()  # noqa: S701  # SQL is made, and no page
THIS_YEAR = 2026
NOT_WANTED = (None, None)
FILLED = "select k, {{ var('b') }} as k from a"


def node(
    path: str, sql: str = "", parents: Sequence[str] = (), *, kept: bool = True, tags: tuple[str, ...] = ()
) -> NodeFacts:
    """Make a model of that path below ``models/``; it reads the year where its SQL reads any variable."""
    *folders, name = path.split("/")
    names = tuple(sorted({one.name for one in variable_uses(JINJA, sql, {}).reads}))
    return NodeFacts(
        unique_id=f"model.p.{name}",
        name=name,
        resource_type="model",
        fqn=("p", *folders, name),
        file=f"models/{path}.sql",
        database="db",
        schema="main",
        identifier=name,
        materialized="incremental" if kept else "table",
        tags=tags,
        checksum="0",
        columns=(),
        contract=False,
        depends_on=tuple(f"model.p.{one}" for one in parents),
        min_rows=None,
        summary=False,
        labels=(),
        has_rows=None,
        appends=kept,
        full_refresh=False,
        writes_other_years=False,
        code=(),
        inputs=(),
        uses_year=bool(names),
        prints_year=False,
        reuse_blocker=None,
        vars=names,
    )


def project(*nodes: NodeFacts, **defaults: object) -> ProjectFacts:
    """Make a project of these models, parents first, that declares these variables."""
    return ProjectFacts(
        project_name="p",
        project_dir=Path("/p"),
        adapter="duckdb",
        target="dev",
        profile="p",
        database_path=None,
        nodes=nodes,
        sources=(),
        reuse_blocker=None,
        versions=(),
        unasked=(),
        ledger=SchemaName("db", "orchestrator"),
        shape=ProjectShape("", ""),
        var_defaults=tuple((name, json.dumps(value)) for name, value in defaults.items()),
    )


def studied(*models: str, **defaults: object) -> tuple[ProjectFacts, ProjectStudy]:
    """Make a project of incremental models with this SQL, and its study."""
    nodes = [node(f"m{number}", sql) for number, sql in enumerate(models)]
    texts = [
        TextStudy(one.unique_id, one.file, variable_uses(JINJA, sql, {}))
        for one, sql in zip(nodes, models, strict=True)
    ]
    return project(*nodes, **defaults), ProjectStudy(tuple(texts), ())


def likeliest(*models: str, **defaults: object) -> YearCandidate | None:
    """Return the variable that is proposed as the year."""
    found = year_candidates(*studied(*models, **defaults), {})
    return found[0] if found and found[0].convincing else None


@pytest.mark.parametrize(
    ("models", "defaults", "year"),
    [
        (["select {{ var('t') }} as k from a"], {"t": 2030}, ("t", "k")),
        (["select {{ var('t') }} as k from a"], {"t": "2030"}, ("t", "k")),
        (["select k from a where a.k = {{ var('t') }}"], {"t": 2030}, ("t", "k")),
        (["select {{ var('t') }} as k from a where k = {{ var('t') }} - 1"], {}, ("t", "k")),
        (["select {{ var('t') }} as k from a where k = {{ var('t') }} - 1"], {"t": 1}, ("t", "k")),
        (["select {{ var('model_year') }} as k from a"], {}, ("model_year", "k")),
        (["select {{ var('a') }} as x, {{ var('b') }} as k", FILLED], {"a": 2000, "b": 2001}, ("b", "k")),
    ],
)
def test_a_year_is_known_by_what_is_done_with_it(models: list[str], defaults: dict[str, object], year: object) -> None:
    """Whatever it is called: its value, its column, its steps; its name only where there is nothing else."""
    found = likeliest(*models, **defaults)
    assert found is not None and (found.variable, found.column) == year


@pytest.mark.parametrize(
    ("models", "defaults"),
    [
        (["select day from a where day >= '{{ var('since') }}'"], {"since": "2020-01-01"}),
        (["select yr from a where yr >= {{ var('min_year') }}"], {"min_year": 2015}),
        (["select '{{ var('run_id') }}' as run_id from a"], {}),
        (["select {{ var('batch') }} as batch from a"], {"batch": 1}),
        (["select day, '{{ var('run_date') }}' as day from a"], {"run_date": "2024-03-01"}),
        (["select {{ var('rate') }} as rate from a"], {"rate": 0.5}),
        (["select 1 as a"], {"year": 2025}),
    ],
)
def test_what_is_no_year(models: list[str], defaults: dict[str, object]) -> None:
    """A bound, what tells runs or days apart, a rate, and what no model reads."""
    assert likeliest(*models, **defaults) is None


def test_years_are_told_by_other_variables() -> None:
    """The one with which the year is compared holds the first; one that is called so, the last; both may be wanted."""
    facts, study = studied(
        "{% if var('t') == var('opening') %}{% endif %} select {{ var('t') }} as k from a where k = {{ var('t') }} - 1",
        t=2030,
        opening="2028",
        horizon=2033,
    )
    chosen = year_candidates(facts, study, {})[0]
    found = year_range(chosen, facts, study, {}, wanted=NOT_WANTED, this_year=THIS_YEAR)
    assert (found.first, found.last, found.opening) == (2028, 2033, ("opening",))
    assert variables_to_set(found, chosen, facts, study, {}) == {"opening": 2028}  # a number, as the year is one
    wanted = year_range(chosen, facts, study, {}, wanted=(2040, 2041), this_year=THIS_YEAR)
    assert (wanted.first, wanted.last, wanted.why_first) == (2040, 2041, "--years")
    assert variables_to_set(wanted, chosen, facts, study, {"other": 3}) == {"other": 3, "opening": 2040}


def test_years_that_nothing_tells_are_assumed() -> None:
    """They begin with this one, and it is said so; ``start_year`` and ``random_seed`` stay the project's own."""
    facts, study = studied(
        "select {{ var('year') }} as k, {{ var('start_year') }}, {{ var('random_seed') }} from a",
        start_year=1990,
        random_seed="x",
    )
    chosen = year_candidates(facts, study, {})[0]
    found = year_range(chosen, facts, study, {}, wanted=NOT_WANTED, this_year=THIS_YEAR)
    assert (found.first, found.last, found.why_first, found.why_last) == (2026, 2030, None, None)
    assert variables_to_set(found, chosen, facts, study, {}) == {"start_year": 1990, "random_seed": "x"}


YEAR = "{{ var('t') }}"


def cut(*nodes: NodeFacts) -> list[tuple[str, list[tuple[str, tuple[str, ...]]]]]:
    """Return the ways to cut a year into stages, each with the names and selections of its stages."""
    choices = stage_choices(project(*nodes), from_packages=False)
    return [(one.by, [(stage.name, stage.select) for stage in one.stages]) for one in choices]


def test_tags_that_order_the_graph_are_stages() -> None:
    """In the order of the graph; what has other tags as well, or reads no year, does not matter."""
    found = cut(
        node("base", tags=("OLD",), kept=False),
        node("b", YEAR, ["base"], tags=("FIRST", "all")),
        node("a", YEAR, ["b"], tags=("NEXT", "all")),
    )
    assert found[0] == (TAGS, [("first", ("tag:FIRST",)), ("next", ("tag:NEXT",))])


def test_tags_that_read_each_other_are_none() -> None:
    """Folders may order what tags do not; and what is in a folder with others is named."""
    nodes = [
        node("x/a", YEAR, tags=("A",)),
        node("x/b", YEAR, ["a"], tags=("B",)),
        node("y/c", YEAR, ["b"], tags=("A",)),
    ]
    assert cut(*nodes)[0] == (FOLDERS, [("x", ("path:models/x",)), ("y", ("path:models/y",))])
    assert [by for by, _ in cut(node("x/old", kept=False), *nodes)] == [ONE]


def test_layers_are_cut_where_years_are_kept() -> None:
    """What leads to the tables that keep years, these with what lies between them, and what is made of them."""
    found = cut(
        node("in", YEAR, kept=False),
        node("kept", YEAR, ["in"]),
        node("between", YEAR, ["kept"], kept=False),
        node("kept_too", YEAR, ["between"]),
        node("out", YEAR, ["kept"], kept=False),
    )
    assert found == [
        (LAYERS, [("prepare", ("in",)), ("accumulate", ("kept", "between", "kept_too")), ("report", ("out",))]),
        (ONE, [("years", ("in", "kept", "between", "kept_too", "out"))]),
    ]


def test_a_name_that_others_have_in_theirs_is_written_in_full() -> None:
    """A folder of that name would be selected with it."""
    found = cut(node("a/b", YEAR, kept=False), node("c", YEAR, kept=False), node("b/d", YEAR, kept=False))
    assert found == [(ONE, [("years", ("fqn:p.a.b", "c", "d"))])]


def test_a_table_of_results_is_asked_for() -> None:
    """Where the project marks none: of the last model of a year that nothing reads."""
    sql = "select {{ var('t') }} as k from a"
    nodes = (node("flow", sql), node("level", sql, ["flow"]), node("closing", sql, ["level"]))
    texts = tuple(TextStudy(one.unique_id, one.file, variable_uses(JINJA, sql, {})) for one in nodes)
    study = ProjectStudy(texts, ())
    facts = project(*nodes, t=2030)
    chosen = year_candidates(facts, study, {})[0]
    asked = [one.file for one in lines_to_change(facts, study, nodes, chosen, "k") if "summary: true" in one.what]
    assert asked == ["models/closing.sql"]
    marked = project(*nodes[:2], replace(nodes[2], summary=True), t=2030)
    assert not any("summary" in one.what for one in lines_to_change(marked, study, nodes, chosen, "k"))
