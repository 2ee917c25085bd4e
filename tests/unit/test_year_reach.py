"""What the year decides of a parse, worked out beforehand, and where dbt renders YAML while it parses."""

from __future__ import annotations

from pathlib import Path

import pytest
from dbt_common.clients.jinja import get_environment

from orchestrator.dbt_runner.analysis.decided import value_of, variables_in, with_values
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.project.year_reach import YearReach, another_value, lookup, year_in_file

YEAR = frozenset({"yr"})
KNOWN: dict[str, object] = {"yr": 2, "first": 1, "text": "2", "listed": [1], "made": "{{ var('yr') }}"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("var('yr') == var('first')", False),
        ("var('yr') == var('text')", False),
        ("(var('text') | int) == var('yr')", True),
        ("'a_' ~ var('yr')", "a_2"),
        ("var('nothing', 7) + var('yr')", 9),
        ("var('yr') in ([1, 2])", True),
        ("'late' if (var('yr') > 1) else 'early'", "late"),
        ("var('yr') is even", True),
    ],
)
def test_an_expression_has_the_value_that_jinja_gives_it(text: str, value: object) -> None:
    """Also where a variable is a text, or has a default."""
    assert value_of(text, lookup(KNOWN)) == value


@pytest.mark.parametrize("text", ["var('nothing')", "var('listed')", "var('made') == 2", "var('made', 2) == 2"])
def test_a_variable_without_a_plain_value_is_no_value(text: str) -> None:
    """Neither a list, which a template may change, nor a template, which dbt renders; no default stands for these."""
    with pytest.raises((LookupError, ValueError)):
        value_of(text, lookup(KNOWN))


def test_only_the_year_stays_a_variable() -> None:
    """All others are worked out once: another value of theirs is another parse, or is proven to decide nothing."""
    text = with_values("(var('yr') - var('first')) > var('n', 3)", lookup(KNOWN), YEAR)
    assert text == "(var('yr') - 1) > 3"
    assert variables_in(text) == YEAR


def test_a_parse_serves_years_in_which_all_expressions_have_their_values() -> None:
    """1 and true are two values, and a year that is no number makes none."""
    decided = [("var('yr') > 1", "true"), ("var('yr') // 10", "0")]
    assert another_value(decided, {"yr": 3}) is None
    assert another_value(decided, {"yr": 1}) == "var('yr') > 1"
    assert another_value(decided, {"yr": 12}) == "var('yr') // 10"
    assert another_value(decided, {"yr": "x"}) == "var('yr') > 1"
    assert another_value(decided, {}) == "var('yr') > 1"
    assert another_value([("var('yr') > 1", "1")], {"yr": 3}) is not None


PROJECT = "dbt_project.yml"
SCHEMA = "models/m.yml"
NOTHING, YEARLY, BLOCKED = "nothing", "decided", "blocked"


@pytest.mark.parametrize(
    ("file", "text", "project", "tests"),
    [
        (PROJECT, "models: {a: {+enabled: \"{{ var('yr') > 1 }}\"}}", YEARLY, NOTHING),
        (PROJECT, "models: {a: {+alias: \"x_{{ var('yr') }}\"}}", YEARLY, NOTHING),
        (PROJECT, "on-run-start: [\"insert into t values ({{ var('yr') }})\"]", NOTHING, NOTHING),
        (PROJECT, "models: {a: {+pre-hook: \"select {{ var('yr') }}\"}}", NOTHING, NOTHING),
        (PROJECT, "vars: {last: \"{{ var('yr') - 1 }}\"}", BLOCKED, NOTHING),
        (PROJECT, "models: {a: {+enabled: \"{{ var('yr') > target.threads }}\"}}", BLOCKED, NOTHING),
        (PROJECT, "models: {a: {+enabled: \"{% if var('yr') %}true{% endif %}\"}}", BLOCKED, NOTHING),
        ("profiles.yml", "a: {outputs: {dev: {path: \"{{ var('yr') }}.duckdb\"}}}", BLOCKED, NOTHING),
        (SCHEMA, "models: [{name: a, config: {tags: [\"{{ var('yr') }}\"]}}]", YEARLY, NOTHING),
        (SCHEMA, "models: [{name: a, config: {post_hook: \"select {{ var('yr') }}\"}}]", NOTHING, NOTHING),
        (SCHEMA, "sources: [{name: a, schema: \"s{{ var('yr') }}\", tables: [{name: t}]}]", YEARLY, NOTHING),
        (
            SCHEMA,
            "models: [{name: a, data_tests: [{eq: {arguments: {to: \"{{ var('yr') }}\"}, config: {severity: warn}}}]}]",
            NOTHING,
            NOTHING,
        ),
        (
            SCHEMA,
            "models: [{name: a, columns: [{name: c, tests: [{eq: {to: \"{{ var('yr') }}\"}}]}]}]",
            NOTHING,
            NOTHING,
        ),
        (
            SCHEMA,
            "models: [{name: a, data_tests: [{eq: {config: {where: \"y = {{ var('yr') }}\"}}}]}]",
            NOTHING,
            YEARLY,
        ),
        (SCHEMA, "models: [{name: a, data_tests: [{eq: {where: \"y = {{ var('yr') }}\"}}]}]", NOTHING, YEARLY),
        (SCHEMA, "data_tests: [{name: a, config: {enabled: \"{{ var('yr') > 1 }}\"}}]", NOTHING, YEARLY),
        (SCHEMA, "models: [{name: a, description: \"{{ var('yr') }}\"}]", YEARLY, NOTHING),
        (SCHEMA, "models: [{name: a, description: no year}]", NOTHING, NOTHING),
        (SCHEMA, "models: [{name: a, config: {pre-hook: \"select {{ var('yr') }}\"}}]", YEARLY, NOTHING),
        (
            SCHEMA,
            "models: [{name: a, versions: [{v: 1, config: {pre_hook: \"select {{ var('yr') }}\"}}]}]",
            YEARLY,
            NOTHING,
        ),
        (
            SCHEMA,
            "models: [{name: a, versions: [{v: 1, data_tests: [{eq: {arguments: {to: \"{{ var('yr') }}\"}}}]}]}]",
            YEARLY,
            NOTHING,
        ),
        (
            SCHEMA,
            "models: [{name: a, config: {meta: {tests: {eq: {to: {one: \"{{ var('yr') }}\"}}}}}}]",
            YEARLY,
            NOTHING,
        ),
        (
            SCHEMA,
            "sources: [{name: s, tables: [{name: t, columns: [{name: c, tests: [{eq: {to: \"{{ var('yr') }}\"}}]}]}]}]",
            NOTHING,
            NOTHING,
        ),
        (SCHEMA, "models: [{name: \"{{ var('yr') }}\", a: b: c]", BLOCKED, NOTHING),
    ],
)
def test_yaml_counts_where_dbt_renders_it_while_it_parses(file: str, text: str, project: str, tests: str) -> None:
    """Hooks and the arguments of tests are rendered when they run, and are looked at with their nodes."""
    environment = get_environment(None, capture_macros=True)
    worked_out = TemplateAnalysis(environment, [], YEAR, works_out=True)
    found, about_tests = YearReach(), YearReach()
    year_in_file(Path(file), text, worked_out, lookup(KNOWN), found, about_tests)
    assert (_kind(found), _kind(about_tests)) == (project, tests)


def test_a_macro_named_var_is_not_worked_out() -> None:
    """It stands in the place of dbt's own, and may give anything."""
    environment = get_environment(None, capture_macros=True)
    macros = [("var", "{% macro var(name) %}{{ return(builtins.var('base') ~ builtins.var(name)) }}{% endmacro %}")]
    for given, blocked in ((macros, True), ([], False)):
        found = TemplateAnalysis(environment, given, YEAR, works_out=True).of(
            "{% if var('yr') %}{{ ref('a') }}{% endif %}"
        )
        assert (found.blocker is not None) == blocked


def test_every_argument_that_reads_the_year_is_noted() -> None:
    """Also one that is nothing but the variable, beside others."""
    analysis = TemplateAnalysis(get_environment(None, capture_macros=True), [], YEAR, works_out=True)
    found = analysis.of("{{ config(alias=var('yr'), enabled=var('yr') > 1) }}")
    assert found.blocker is None and found.decided == {"var('yr')", "var('yr') > 1"}


def _kind(reach: YearReach) -> str:
    if reach.blocker is not None:
        return BLOCKED
    return YEARLY if reach.decided else NOTHING
