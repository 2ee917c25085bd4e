"""When all that a node does with the year is to print it, and what its SQL is in another year then."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from dbt_common.clients.jinja import get_environment
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.replay.printed_sql import PrintedSql, marks

YEAR = frozenset({"year"})
MACROS = {
    "first_day": "{% macro first_day() %}'{{ var('year') }}-01-01'{% endmacro %}",
    "quoted": '{% macro quoted(text) %}{{ return("\'" ~ text ~ "\'") }}{% endmacro %}',
    "spoken": "{% macro spoken(text) %}{{ return(adapter.dispatch('spoken', 'p')(text)) }}{% endmacro %}",
    "default__spoken": "{% macro default__spoken(text) %}the year {{ text }}{% endmacro %}",
    "compared": "{% macro compared(text) %}{% if text %}1{% else %}2{% endif %}{% endmacro %}",
    "chosen": "{% macro chosen(a, b) %}{{ a if target.name else b }}{% endmacro %}",
    "wrapped": "{% macro wrapped() %}({{ caller() }}){% endmacro %}",
    "turning": "{% macro turning(n) %}{{ turning(n) if target.name else n }}{% endmacro %}",
    "nested": "{% macro nested() %}{% macro inner(first_day) %}{% endmacro %}"
    "{% if first_day() == 'x' %}1{% endif %}{{ var('year') }}{% endmacro %}",
    "old": "{% macro old() %}{% if var('year') > 2030 %}1{% endif %}{% endmacro %}",
    "is_incremental": "{% macro is_incremental() %}{% if not execute %}{{ return(False) }}{% endif %}{% endmacro %}",
    "last_day": "{% macro last_day(day) %}{{ day }}{% endmacro %}",
}


def only_printed(code: str) -> bool:
    """Tell what the proof says of a node's code."""
    return TemplateAnalysis(get_environment(None, capture_macros=True), list(MACROS.items()), YEAR).of(code).prints_year


@pytest.mark.parametrize(
    "code",
    [
        "select {{ var('year') }} from {{ ref('a') }} where y = {{ var('year') }} - 1",
        "{{ config(materialized='table') }} select 'N{{ var(\"year\") }}'",
        "{% set y = var('year') %} select {{ y }}",
        "{% set y %}{{ var('year') }}-01{% endset %} select {{ y }}",
        "select {{ first_day() }}, {{ quoted(first_day()) }}, {{ quoted('y' ~ var('year')) }}",
        "select {{ spoken(var('year')) }}, {{ p.quoted(var('year')) }}",
        "select {{ chosen(var('year'), 1) }}",
        "{% if is_incremental() %}where y < {{ var('year') }}{% endif %}",
        "{% for c in ['a', 'b'] %}{{ c }}{{ var('year') }}{% endfor %}",
        "{% if var('other') == 3 %}{{ var('year') }}{% else %}{{ first_day() }}{% endif %}",
        "{{ var('year') if var('other') else 1 }}",
        "{% set _dbt_generic_test_kwargs %}{{ var('year') }}{% endset %}{{ quoted(**_dbt_generic_test_kwargs) }}",
    ],
)
def test_a_year_that_is_only_printed(code: str) -> None:
    """It may be printed, joined to text, named, handed to macros and returned by them."""
    assert only_printed(code)


@pytest.mark.parametrize(
    "code",
    [
        "{% if var('year') == 2026 %}1{% endif %}",
        "{{ 1 if var('year') == 2026 else 2 }}",
        "{{ var('year') == 2026 }}",
        "{{ var('year') - 1 }}",
        "{{ -var('year') }}",
        "{{ var('year') | string }}",
        "{{ first_day() | replace('2026', 'x') }}",
        "{{ first_day()[0:4] }}",
        "{{ first_day().upper() }}",
        "{{ [var('year')] }}",
        "{{ {'a': var('year')} }}",
        "{% for i in range(var('year')) %}{{ i }}{% endfor %}",
        "{% for i in [1] if var('year') %}{{ i }}{% endfor %}",
        "{% set l = [] %}{% do l.append(var('year')) %}{{ l }}",
        "{% set ns = namespace(y=1) %}{% set ns.y = var('year') %}{{ ns.y }}",
        "{% set a, b = var('year'), 1 %}{{ a }}",
        "{{ compared(var('year')) }}",
        "{{ compared(first_day()) }}",
        "{{ old() }}",
        "{{ local_md5(first_day()) }}",
        "{{ tojson(var('year')) }}",
        "{% call wrapped() %}{{ var('year') }}{% endcall %}",
        "{% filter upper %}{{ var('year') }}{% endfilter %}",
        "{{ turning(var('year')) }}",
        "{% set f = first_day %}{% if f() == 'x' %}1{% endif %}{{ var('year') }}",
        "{% set v = var %}{% if v('year') == 1 %}1{% endif %}{{ var('year') }}",
        "{% set v = var.get %}{% if v('year') == 1 %}1{% endif %}{{ var('year') }}",
        "{% set first_day = first_day() %}{% if first_day == 'x' %}1{% endif %}{{ var('year') }}",
        "{% set name = 'year' %}{{ var(name) }}",
        "{{ var.get('year') }}",
        "{{ var('other', var('year')) }}",
        "{{ ref('a' ~ var('year')) }}",
        "{{ unknown(var('year')) }}",
        "{{ adapter.dispatch('nowhere')(var('year')) }}",
        "{{ \"{{ var('year') }}\" }}",
        "{% raw %}{{ var('year') }}{% endraw %}",
        "{% macro own() %}{{ var('year') }}{% endmacro %}{{ own() == 'x' }}",
        "{% set y = y ~ var('year') %}{% if y %}1{% endif %}",
        "{{ nested() }}",
        "{% include 'other' %}{{ var('year') }}",
        "{{ var('year')",
    ],
)
def test_a_year_with_which_more_is_done(code: str) -> None:
    """Whatever may look at the year, or change how it is written, is found; so is what cannot be followed."""
    assert not only_printed(code)


@given(
    st.lists(st.text("0123456789 aé'_", max_size=6), min_size=1, max_size=6),
    st.lists(st.sampled_from("xyz"), min_size=5, max_size=5),
    st.fixed_dictionaries({name: st.text("0123456789.", max_size=4) for name in "xyz"}),
)
def test_values_stand_where_the_marks_stood(texts: list[str], names: list[str], values: dict[str, str]) -> None:
    """However digits stand around them, and several side by side: what is filled in is what would be printed."""

    def print_all(given: Mapping[str, object]) -> str:
        between = zip(names, texts[1:], strict=False)
        return texts[0] + "".join(f"{given[name]}{text}" for name, text in between)

    made = PrintedSql.of(print_all(marks("xyz")), "xyz", "xyz", "")
    assert made.filled(values) == print_all(values)
