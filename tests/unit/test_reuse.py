"""When one parse of a dbt project may serve several years, and when it may not."""

from __future__ import annotations

import pytest
from dbt_common.clients.jinja import get_environment

from orchestrator.dbt_runner.analysis.reuse import blocker_in_naming, blocker_in_yaml
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis

YEAR = frozenset({"year"})


def analysis(**macros: str) -> TemplateAnalysis:
    """Make an analysis over macros given as name=source."""
    return TemplateAnalysis(get_environment(None, capture_macros=True), list(macros.items()), YEAR)


def working_out(**macros: str) -> TemplateAnalysis:
    """Make an analysis that works out what the year decides."""
    return TemplateAnalysis(get_environment(None, capture_macros=True), list(macros.items()), YEAR, works_out=True)


@pytest.mark.parametrize(
    "code",
    [
        "select {{ var('year') }} from {{ ref('a') }}",
        "{{ config(materialized='table') }} select {{ var('year') }}",
        "{% set y = var('year') %} select {{ y }} from {{ ref('a') }} where y = {{ y - 1 }}",
        "{% if var('year') > 3 %} select 1 {% else %} select 2 {% endif %}",
        "{% if var('other') %} {{ ref('a') }} {% else %} {{ ref('b') }} {% endif %} {{ var('year') }}",
        "{% for i in range(var('year')) %} select {{ i }} {% endfor %} {{ ref('a') }}",
        "{% if is_incremental() %} select max(x) from {{ this }} {% endif %} {{ var('year') }}",
        "{% if execute %} {{ ref('a') }} {% endif %} {{ var('year') }}",
        "{{ config(pre_hook=\"delete from x where y = {{ var('year') }}\") }}",
        "{{ config(post_hook=[\"delete from x where y = {{ var('year') }}\", 'select 1']) }}",
    ],
)
def test_a_year_in_plain_sql_is_safe(code: str) -> None:
    """The year may stand anywhere where it decides no ref and no config."""
    found = analysis(is_incremental="{% macro is_incremental() %}{{ return(true) }}{% endmacro %}").of(code)
    assert found.blocker is None
    assert found.uses_year


@pytest.mark.parametrize(
    "code",
    [
        "{{ config(alias='a_' ~ var('year')) }}",
        "{{ config(enabled=var('year') == 3) }}",
        "{{ ref('a_' ~ var('year')) }}",
        "{{ source('s', var('year')) }}",
        "{% if var('year') == 1 %} {{ ref('a') }} {% else %} {{ ref('b') }} {% endif %}",
        "{% set y = var('year') %}{% if y == 1 %} select 1 {% elif true %} {{ ref('b') }} {% endif %}",
        "{% set names = [] %}{% do names.append(var('year')) %}{% for n in names %}{{ ref(n) }}{% endfor %}",
        "{% set y %}{{ var('year') }}{% endset %}{{ ref('a' ~ y) }}",
        "{{ ref('a') if var('year') == 1 else ref('b') }}",
        "{{ var('year') == 1 and ref('a') }}",
        "{% for i in range(var('year')) %}{{ ref('a') }}{% endfor %}",
        "{% set ns = namespace(y=0) %}{% set ns.y = var('year') %}{% if ns.y %}{{ ref('a') }}{% endif %}",
        "{% set name = 'year' %}{{ config(alias=var(name)) }}",
        "{% if builtins.var('year') %}{{ builtins.ref('a') }}{% endif %}",
        "{% set which = {'a': 1}[var('year')] %}{{ ref(which) }}",
    ],
)
def test_a_year_that_decides_is_found(code: str) -> None:
    """A year that reaches a config, an alias, or the choice of a ref or source blocks reuse."""
    assert analysis().of(code).blocker is not None


@pytest.mark.parametrize(
    ("code", "decided"),
    [
        ("{% if var('year') == 1 %}{{ ref('a') }}{% else %}{{ ref('b') }}{% endif %}", "var('year') == 1"),
        (
            "{% set first = var('year') | int == var('start', 3) | int %}{% if first %}{{ ref('a') }}{% endif %}",
            "(var('year') | int) == (var('start', 3) | int)",
        ),
        (
            "{{ ref('a') if var('year') > 1 and not var('x', false) else ref('b') }}",
            "(var('year') > 1) and (not var('x', false))",
        ),
        ("{{ config(enabled=var('year') != 3, meta={'a': [1]}) }}", "var('year') != 3"),
        ("{{ config(alias='a_' ~ var('year')) }}", "'a_' ~ var('year')"),
        ("{{ chosen() }}", "var('year') in ([1, 2])"),
        ("{% if is_first() %}{{ ref('a') }}{% endif %}", "(var('year') | int) == var('start')"),
        ("{% set late = not is_first() %}{{ config(enabled=late) }}", "not ((var('year') | int) == var('start'))"),
        (
            "{% for y in [var('year') - 1, var('year')] %}{{ ref('a_' ~ y) }}{% endfor %}",
            "[(var('year') - 1), var('year')]",
        ),
        (
            "{% set l = ['a'] %}{% if var('year') > 1 %}{% do l.append('b') %}{% endif %}{{ config(alias=l | join) }}",
            "var('year') > 1",
        ),
    ],
)
def test_what_the_year_decides_is_worked_out(code: str, decided: str) -> None:
    """Expressions of variables and constants are noted in place of a blocker."""
    chosen = "{% macro chosen() %}{% if var('year') in [1, 2] %}{{ return(ref('a')) }}{% endif %}{% endmacro %}"
    first = (
        "{% macro is_first() %}\n{% set year = var('year') | int %}{{ return(year == var('start')) }}\n{% endmacro %}"
    )
    assert analysis(chosen=chosen, is_first=first).of(code).blocker is not None
    found = working_out(chosen=chosen, is_first=first).of(code)
    assert found.blocker is None
    assert found.decided == {decided}


@pytest.mark.parametrize(
    "code",
    [
        "{% set names = [] %}{% do names.append(var('year')) %}{% for n in names %}{{ ref(n) }}{% endfor %}",
        "{% set l = [2025] %}{% do l.append(var('year')) %}{% if 2026 in l %}{{ ref('a') }}{% endif %}",
        "{% for i in range(var('year')) %}{{ ref('a') }}{% endfor %}",
        "{% set x = 1 %}{% if var('o') %}{% set x = var('year') %}{% endif %}{% if x == 1 %}{{ ref('a') }}{% endif %}",
        "{% set ns = namespace(y=0) %}{% set ns.y = var('year') %}{% if ns.y %}{{ ref('a') }}{% endif %}",
        "{% if var('year') > target.threads %}{{ ref('a') }}{% endif %}",
        "{% if var('year') > now() %}{{ ref('a') }}{% endif %}",
        "{% set var = 1 %}{% if var('year') == 1 %}{{ ref('a') }}{% endif %}",
        "{{ config(alias='a_' ~ var('year'), tags=names()) }}",
        "{{ config(alias=var('year') ~ \"{{ var('year') }}\") }}",
        "{% if var('year') | foo == 1 %}{{ ref('a') }}{% endif %}",
        "{% if said() %}{{ ref('a') }}{% endif %}",
        "{% if circle() %}{{ ref('a') }}{% endif %}",
        "{% if with_default() %}{{ ref('a') }}{% endif %}",
        "{% if logs() %}{{ ref('a') }}{% endif %}",
    ],
)
def test_what_cannot_be_worked_out_still_blocks(code: str) -> None:
    """A list that was changed, a name with two values, and what is not known for all years, are no expressions."""
    macros = {
        "said": "{% macro said() %}{{ var('year') }}{% endmacro %}",
        "circle": "{% macro circle() %}{{ return(circle() or var('year') == 1) }}{% endmacro %}",
        "with_default": "{% macro with_default(x=1) %}{{ return(var('year') == 1) }}{% endmacro %}",
        "logs": "{% macro logs() %}{% if x %}{% endif %}{{ return(var('year') == 1) }}{% endmacro %}",
    }
    assert working_out(**macros).of(code).blocker is not None


LATE = "{% if var('year') > 3 %}"

MACROS = {
    "fill": "{% macro fill(l, x) %}{% do l.append(x) %}{% endmacro %}",
    "fill_year": "{% macro fill_year(l) %}{{ l.append(var('year')) }}{% endmacro %}",
    "refill": "{% macro refill(l, x) %}{% set k = l %}{{ fill(k, x) }}{% endmacro %}",
    "same": "{% macro same(x) %}{{ return(x) }}{% endmacro %}",
    "body": "{% macro body() %}{{ return(caller()) }}{% endmacro %}",
    "body_if": "{% macro body_if(x) %}{% if x %}{{ caller(x) }}{% endif %}{% endmacro %}",
    "header": "{% macro header(config) %}{{ config.set('sql_header', caller()) }}{% endmacro %}",
    "set_on": "{% macro set_on(c, x) %}{% do c.set('alias', x) %}{% endmacro %}",
    "run": "{% macro run(f, x) %}{{ return(f(x)) }}{% endmacro %}",
    "pick": "{% macro pick(name) %}{{ return(ref(name)) }}{% endmacro %}",
    "this_year": "{% macro this_year() %}{{ return(var('year')) }}{% endmacro %}",
    "value_of": "{% macro value_of(n) %}{{ return(var(n)) }}{% endmacro %}",
    "meta": "{% macro meta() %}{{ return(model.config.meta) }}{% endmacro %}",
    "early": "{% macro early() %}{% if var('year') > 3 %}{{ return(1) }}{% endif %}{{ ref('a') }}{% endmacro %}",
    "deep": "{% macro deep(n) %}{% if n %}{% set x = deep(n - 1) %}{{ ref(x) }}{% endif %}{{ var('year') }}"
    "{% endmacro %}",
    "picked": "{% macro picked(x) %}{% set m = adapter.dispatch('picked', 'pkg') %}{{ m(x) }}{% endmacro %}",
    "default__picked": "{% macro default__picked(x) %}{{ ref(x) }}{% endmacro %}",
    "other__picked": "{% macro other__picked(x) %}{% if var('year') %}{{ ref(x) }}{% endif %}{% endmacro %}",
    "dispatched": "{% macro dispatched(x) %}{{ return(adapter.dispatch('dispatched', 'pkg')(x)) }}{% endmacro %}",
    "default__dispatched": "{% macro default__dispatched(x) %}{{ ref(x) }}{% endmacro %}",
    "rows": "{% macro rows(m) %}select * from {{ ref(m) }} where y = {{ var('year') }}{% endmacro %}",
    "columns_of": "{% macro columns_of(r) %}{% set l = [] %}{% for c in adapter.get_columns_in_relation(r) %}"
    "{% do l.append(c.name | upper) %}{% endfor %}{{ return(l) }}{% endmacro %}",
    "statement": "{% macro statement(name) %}{% if execute %}{% set sql = caller() %}"
    "{{ store_result(name, response=adapter.execute(sql)) }}{% endif %}{% endmacro %}",
    "run_query": "{% macro run_query(sql) %}{% call statement('q') %}{{ sql }}{% endcall %}"
    "{% do return(load_result('q').table) %}{% endmacro %}",
    "test_not_null": "{% macro test_not_null(model, column_name) %}{% set macro = adapter.dispatch('test_not_null', "
    "'dbt') %}{{ macro(model, column_name) }}{% endmacro %}",
    "default__test_not_null": "{% macro default__test_not_null(model, column_name) %}{% set columns = column_name if "
    "config.get('store') else '*' %}select {{ columns }} from {{ model }} where {{ column_name }} is null"
    "{% endmacro %}",
}


@pytest.mark.parametrize(
    "code",
    [
        # lists and dictionaries that change
        "{% set l = ['t'] %}" + LATE + "{% do l.append('late') %}{% endif %}{{ config(alias=l | join('_')) }}",
        "{% set l = ['t'] %}" + LATE + "{{ l.append('late') }}{% endif %}{{ config(alias=l | join('_')) }}",
        "{% set l = ['b'] %}" + LATE + "{% set _ = l.pop() %}{% endif %}{% for x in l %}{{ ref(x) }}{% endfor %}",
        "{% set l = ['b'] %}" + LATE + "{% do l.clear() %}{% endif %}{% for x in l %}{{ ref(x) }}{% endfor %}",
        "{% set l = ['b'] %}" + LATE + "{% do l['clear']() %}{% endif %}{% for x in l %}{{ ref(x) }}{% endfor %}",
        "{% set l = ['b'] %}" + LATE + "{% do (l | attr('clear'))() %}{% endif %}{{ ref(l[0]) }}",
        "{% set l = ['b'] %}" + LATE + "{% set f = l.clear %}{% do f() %}{% endif %}{{ ref(l[0]) }}",
        "{% set l = ['b', 'c'] %}" + LATE + "{% do l.reverse() %}{% endif %}{{ ref(l[0]) }}",
        "{% set d = {} %}{% do d.setdefault('y', var('year')) %}{{ config(alias=d.y) }}",
        "{% set l = [] %}{% set k = l %}{% do k.append(var('year')) %}{{ config(alias=l[0]) }}",
        "{% set l = [] %}{% set k = l if true else [] %}{% do k.append(var('year')) %}{{ config(alias=l[0]) }}",
        "{% set l = [] %}{% set k = none or l %}{% do k.append(var('year')) %}{{ config(alias=l[0]) }}",
        "{% set l = [] %}{% set d = {'l': l} %}{% do d.l.append(var('year')) %}{{ config(alias=l[0]) }}",
        "{% set l = [] %}{% set d = {'l': l} %}{% do l.append(var('year')) %}{{ config(alias=d.l[0]) }}",
        "{% set d = {'l': []} %}{% do d['l'].append(var('year')) %}{{ config(alias=d.l[0]) }}",
        "{% set d = {'l': []} %}{% do d.get('l').append(var('year')) %}{{ config(alias=d.l[0]) }}",
        "{% set d = {'l': []} %}{% for l in d.values() %}{% do l.append(var('year')) %}{% endfor %}"
        "{{ config(alias=d.l[0]) }}",
        "{% set a, b = ['x'], ['y'] %}{% set k = a if var('year') > 3 else b %}{% do k.clear() %}{{ ref(a[0]) }}",
        "{% set l = [] %}{% set d = {} %}{% do d.update(x=l) %}"
        "{% do d.x.append(var('year')) %}{{ config(alias=l[0]) }}",
        "{% set l = [] %}{% with k = l %}{% do k.append(var('year')) %}{% endwith %}{{ config(alias=l[0]) }}",
        "{% set l = [] %}{% for i in [1, 2] %}{% if l %}{{ ref('a') }}{% endif %}"
        "{% do l.append(var('year')) %}{% endfor %}",
        "{% set l = [] %}{% do fill_year(l) %}{{ config(alias=l[0]) }}",
        "{% set l = [] %}{% do fill(l, var('year')) %}{{ config(alias=l[0]) }}",
        "{% set l = [] %}{{ refill(l, var('year')) }}{{ config(alias=l[0]) }}",
        "{% set l = [] %}" + LATE + "{% do fill(l, 'b') %}{% endif %}{{ ref(l[0]) }}",
        "{% set l = [] %}{% do same(l).append(var('year')) %}{{ config(alias=l[0]) }}",
        "{% set ns = namespace(n='a') %}" + LATE + "{% set ns.n = 'b' %}{% endif %}{{ ref(ns.n) }}",
        "{% set a = namespace(n='a') %}{% set b = a %}{% set b.n = var('year') %}{{ config(alias=a.n) }}",
        "{% set c = cycler('a', 'b') %}" + LATE + "{{ c.next() }}{% endif %}{{ ref(c.current) }}",
        # iterators that are used up
        "{% set g = ['a'] | map('lower') %}"
        + LATE
        + "{{ g | list }}{% endif %}{% for x in g %}{{ ref(x) }}{% endfor %}",
        "{% set g = zip(['a'], ['b']) %}{{ var('year') in g }}{% for x in g %}{{ ref(x[0]) }}{% endfor %}",
        # things that other templates see
        "{% do model.config.meta.update({'y': var('year')}) %}{{ config(alias=model.config.meta.y) }}",
        "{% do meta().update({'y': var('year')}) %}{{ config(alias=meta().y) }}",
        "{% do var('other').update({'y': var('year')}) %}{{ config(alias=var('other').y) }}",
        "{% set m = modules %}{% do m.update({'y': var('year')}) %}{{ config(alias=modules.y) }}",
        "{% do target.update({'y': var('year')}) %}{{ config(alias=target.y) }}",
        "{% do graph.update({'y': var('year')}) %}",
        "{{ store_result('x', response=var('year')) }}{{ config(alias=load_result('x').response) }}",
        # other ways to the variables
        "{{ config(alias=context.var('year')) }}",
        "{{ config(alias=context['var']('year')) }}",
        "{{ config(alias=context.get('var')('year')) }}",
        "{{ config(alias=context.builtins.var('year')) }}",
        "{{ config(alias='t' ~ context) }}",
        "{{ config(alias=invocation_args_dict['vars']) }}",
        "{{ config(alias=flags.VARS.year) }}",
        "{{ config(alias=(flags | attr('VARS')).year) }}",
        "{% if var.has_var('year') %}{{ config(alias='x') }}{% endif %}",
        "{{ config(alias=value_of('year')) }}",
        "{{ config(alias=run(var, 'year')) }}",
        "{{ config(alias=run(same, var('year'))) }}",
        "{{ config(alias=render('{' ~ '{ var(\"ye\" ~ \"ar\") }' ~ '}')) }}",
        "{{ config(alias=somebody()) }}",
        "{{ config(alias=somebody) }}",
        # ref and config by another name
        "{{ run(ref, 'a' ~ var('year')) }}",
        "{{ [ref][0]('a' ~ var('year')) }}",
        "{{ context.ref('a' ~ var('year')) }}",
        "{{ (ref if true else none)('a' ~ var('year')) }}",
        "{{ run(config, var('year')) }}",
        "{{ set_on(config, var('year')) }}",
        "{% set c = config %}{% do c.set('alias', var('year')) %}",
        "{{ try_or_compiler_error('no', ref, 'a' ~ var('year')) }}",
        "{% call header(config) %}set y = {{ var('year') }};{% endcall %}",
        "{% set ref = picked %}{{ ref(var('year')) }}",
        # blocks, loops, jumps
        "{% with y = var('year') %}{{ config(alias='t' ~ y) }}{% endwith %}",
        "{% set a %}{% call body() %}{{ var('year') }}{% endcall %}{% endset %}{{ config(alias=a) }}",
        "{% call body_if(var('year')) %}{{ ref('a') }}{% endcall %}",
        "{% call(y) body_if(var('year')) %}{{ ref(y) }}{% endcall %}",
        "{% filter upper %}{{ config(alias=var('year')) }}{% endfilter %}",
        "{% set a | upper %}{{ var('year') }}{% endset %}{{ config(alias=a) }}",
        "{% for n in ['a', 'b'] %}" + LATE + "{% break %}{% endif %}{{ ref(n) }}{% endfor %}",
        "{% for n in ['a', 'b'] %}" + LATE + "{% continue %}{% endif %}{{ ref(n) }}{% endfor %}",
        "{% for n in ['a', 'b'] %}{{ ref(n) }}" + LATE + "{% break %}{% endif %}{% endfor %}",
        "{% for n in ['a'] recursive %}{{ ref(n) }}{{ loop(['b']) }}{% endfor %}{{ var('year') }}",
        "{% for n in ['a', 'b'] %}{% if loop.changed(var('year')) %}{{ ref(n) }}{% endif %}{% endfor %}",
        "{{ 3 < var('year') < config(alias='x') }}",
        "{{ early() }}",
        "{{ deep(2) }}",
        "{{ picked('a') }}",
        "{{ dispatched('a' ~ var('year')) }}",
        "{{ adapter.dispatch('pi' ~ 'cked')('a') }}",
        "{% set m = adapter.dispatch('dispatched') %}{% set m = ref %}{{ m('a') }}",
        LATE + "{% set m = adapter.dispatch('dispatched') %}{% endif %}{{ m('a') }}",
        "{% set m = adapter.dispatch('dispatched') %}{{ m('a' ~ var('year')) }}",
        "{% include 'other' %}",
        "{% import 'other' as other %}",
        "{% from 'other' import x %}",
        "{% extends 'other' %}",
        "{% block x %}{% endblock %}",
        "{% macro own() %}{{ return(var('year')) }}{% endmacro %}",
        "{% set h %}{% raw %}{{ var('year') }}{% endraw %}{% endset %}{{ config(pre_hook=h) }}",
        "{% if %}",
    ],
)
def test_what_cannot_be_followed_is_blocked(code: str) -> None:
    """The proof errs to one side: a way from the year to a decision, however odd, is found or doubted."""
    assert analysis(**MACROS).of(code).blocker is not None


@pytest.mark.parametrize(
    "code",
    [
        "{% set l = [] %}{% for y in range(var('year')) %}{% do l.append(y) %}{% endfor %}{{ l }} {{ ref('a') }}",
        "{% set l = [] %}{% for n in ['a', 'b'] %}{% do l.append(ref(n)) %}{% endfor %}{{ l }} {{ var('year') }}",
        "{% set a, b = ['x'], [] %}{% do b.append(var('year')) %}{% for n in a %}{{ ref(n) }}{% endfor %}",
        "{% set l = [] %}{% do fill_year(l) %}{{ l }} {{ ref('a') }}",
        "{% set ns = namespace(n=0) %}{% set ns.n = var('year') %}{{ ns.n }} {{ ref('a') }}",
        "{{ config(materialized='incremental', tags=['a']) }}{% set t = config.get('x') %}{{ var('year') }}",
        "{{ config(alias=target.name ~ this.identifier ~ project_name ~ flags.FULL_REFRESH) }}{{ var('year') }}",
        "{{ config(post_hook='delete from {{ this }}') }}{{ var('year') }}",
        "{% if execute %}{% set r = run_query('select ' ~ var('year')) %}{{ ref(r) }}{% endif %}",
        "{% if execute and var('year') > 3 %}{{ ref('a') }}{% endif %}",
        "{% set r = run_query('select 1') %}{{ r }}{{ ref('a') }}{{ var('year') }}",
        "{% call statement('x') %}select {{ var('year') }}{% endcall %}{{ ref('a') }}",
        "{% for c in columns_of(ref('a')) %}{{ c }}{% endfor %}{{ var('year') }}",
        "{% for c in columns_of(this) %}{{ ref(c) }}{% endfor %}{{ var('year') }}",
        LATE + "{{ exceptions.raise_compiler_error('too late') }}{% endif %}{{ ref('a') }}",
        "{{ dispatched('a') }} {{ var('year') }}",
        "{{ pkg.dispatched('a') }} {{ var('year') }}",
        "{{ rows('a') }}",
        "{% set m = adapter.dispatch('dispatched', 'pkg') %}{{ m('a') }} {{ var('year') }}",
        "{{ test_not_null(model=ref('a'), column_name='x') }} {{ var('year') }}",
        "{{ test_not_null(**_dbt_generic_test_kwargs) }} {{ var('year') }}",
        "{% with y = var('year') %}{{ y }} {{ ref('a') }}{% endwith %}",
        "{% for n in ['a', 'b'] %}{% if n == 'b' %}{% break %}{% endif %}{{ ref(n) }}{% endfor %}{{ var('year') }}",
        "{% set day = modules.datetime.date(var('year'), 1, 1) %}{{ day.replace(month=2).isoformat() }} {{ ref('a') }}",
        "{% set r = api.Relation.create(identifier='x' ~ var('year')) %}{{ adapter.get_relation(r) }} {{ ref('a') }}",
        "{% set this_year = this_year() %}select {{ this_year }} from {{ ref('a') }}",
        "{% do log('year ' ~ var('year'), info=true) %}{{ source('s', 't') }}",
        "{% call body() %}{{ ref('a') }}{% endcall %}{{ var('year') }}",
    ],
)
def test_an_idiom_that_decides_nothing_is_safe(code: str) -> None:
    """Idioms of ordinary projects, with the year in them, need no other parse."""
    found = analysis(**MACROS).of(code)
    assert found.blocker is None
    assert found.uses_year


def test_variables_and_macros_are_named() -> None:
    """What a template reaches is named, through dispatch too; where a name is computed, everything counts."""
    found = analysis(**MACROS).of(
        "{{ picked('a') }}{{ var('b', var('c')) }}{% if execute %}{{ same(var('d')) }}{% endif %}"
    )
    assert found.vars == {"b", "c", "d", "year"}
    assert found.macros == {"picked", "same"}
    assert analysis(**MACROS).of("{{ value_of('year') }}").vars == {"*"}
    computed = analysis(**MACROS).of("{{ adapter.dispatch(var('name'))() }}")
    assert "*" in computed.vars
    assert computed.macros == set(MACROS)


@pytest.mark.parametrize(
    "text",
    [
        "{{ var('year') }}",
        '{{ var(\\"year\\") }}',
        "{{ var(''year'') }}",
        "{{ var('year', 3) }}",
        "{{ var('ye' ~ 'ar') }}",
        "{{ context['var']('x') }}",
        "{{ builtins.var('x') }}",
        "{{ flags.VARS }}",
        '{{ "it\'s" ~ var(x) ~ "b" }}',
        "{% if var('year') %}a{% endif %}",
    ],
)
def test_yaml_is_searched_for_every_way_to_the_year(text: str) -> None:
    """A variable whose name is computed may be the year."""
    assert blocker_in_yaml(YEAR, {"a.yml": f"schema: {text}"}) is not None


@pytest.mark.parametrize(
    "text",
    ["{{ var('other') }}", "{{ env_var('DB', '../var/x.duckdb') }}", "{{ target.name }}", "{{ flags.FULL_REFRESH }}"],
)
def test_other_values_in_yaml_are_safe(text: str) -> None:
    """Variables by name, the environment and the target hold in every year."""
    assert blocker_in_yaml(YEAR, {"a.yml": f"schema: {text}"}) is None


def test_the_year_is_followed_into_macros() -> None:
    """A macro that returns the year taints what is made of it, through dispatch and other macros."""
    macros = analysis(
        this_year="{% macro this_year() %}{{ return(adapter.dispatch('this_year')()) }}{% endmacro %}",
        default__this_year="{% macro default__this_year() %}{{ return(var('year')) }}{% endmacro %}",
        last_year="{% macro last_year() %}{{ return(this_year() - 1) }}{% endmacro %}",
    )
    assert macros.of("select {{ last_year() }} from {{ ref('a') }}").blocker is None
    assert macros.of("select {{ last_year() }}").uses_year
    assert macros.of("{% if last_year() > 3 %}{{ ref('a') }}{% endif %}").blocker is not None
    assert macros.of("{{ config(alias='x' ~ my_package.last_year()) }}").blocker is not None


def test_a_macro_that_refs_is_followed() -> None:
    """A macro that calls ref() may not be handed the year, nor be called depending on it."""
    macros = analysis(
        pick="{% macro pick(name) %}{{ ref(name) }}{% endmacro %}",
        both="{% macro both() %}{% if var('year') %}{{ ref('a') }}{% endif %}{% endmacro %}",
    )
    assert macros.of("{{ pick('a') }} {{ var('year') }}").blocker is None
    assert macros.of("{{ pick('a' ~ var('year')) }}").blocker is not None
    assert macros.of("{% if var('year') %}{{ pick('a') }}{% endif %}").blocker is not None
    assert macros.of("{{ both() }}").blocker is not None


def test_what_stands_in_the_place_of_ref_is_followed() -> None:
    """The way that dbt's documentation shows calls a method of what dbt's own gives, and reads no year by that."""
    macros = analysis(
        ref="{% macro ref(name) %}{% do return(builtins.ref(name).include(database=false)) %}{% endmacro %}",
        of_year="{% macro of_year() %}{{ var('year') }}{% endmacro %}",
    )
    found = macros.of("select * from {{ ref('a') }}")
    assert found.blocker is None and not found.uses_year and found.macros == {"ref"}
    assert macros.of("select * from {{ ref('a' ~ var('year')) }}").blocker is not None
    assert macros.of("{{ builtins.var('year').include() }}").uses_year
    assert macros.of("{{ builtins[name]('a').include() }}").uses_year


def test_macros_that_call_each_other_are_in_doubt() -> None:
    """A circle of macros is not followed to its end, so it blocks."""
    macros = analysis(
        ping="{% macro ping() %}{{ pong() }}{% endmacro %}",
        pong="{% macro pong() %}{{ ping() }}{{ var('year') }}{% endmacro %}",
    )
    assert macros.of("{{ ping() }} {{ ref('a') }}").blocker is not None


def test_yaml_that_reads_the_year_blocks_the_project() -> None:
    """dbt renders YAML while it parses, so a year in there is frozen; a var's default is no reading."""
    reads = {"dbt_project.yml": "models: {+schema: \"s_{{ var('year') }}\"}"}
    assert "dbt_project.yml" in (blocker_in_yaml(YEAR, reads) or "")
    assert blocker_in_yaml(YEAR, {"dbt_project.yml": "vars: {year: 2025}"}) is None


def test_names_made_of_the_year_block_the_project() -> None:
    """A generate_alias_name that reads the year gives every relation another name."""
    macro = "{% macro generate_alias_name(a, node) %}{{ node.name ~ var('year') }}{% endmacro %}"
    assert blocker_in_naming(analysis(generate_alias_name=macro)) is not None
    assert blocker_in_naming(analysis()) is None
