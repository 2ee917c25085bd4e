"""Which relations the statements of a template change, and whether they are limited to the year that is built."""

from __future__ import annotations

import pytest
from dbt_common.clients.jinja import get_environment

from orchestrator.dbt_runner.analysis.changed_relations import changed_by_python, changed_relations

YEAR = "{{ var('year') }}"
IF, END = "{% if a %}", "{% endif %}"


def changed(text: str) -> list[tuple[str, str, str]]:
    """Return what a template changes, in order."""
    return sorted((*one,) for one in changed_relations(get_environment(), text, {"year"}))


@pytest.mark.parametrize(
    ("text", "how", "target"),
    [
        ("update {{ ref('a') }} set b = 1", "changes", "a"),
        ('update "main"."a" set b = 1', "changes", "a"),
        ("with c as (select 1) update a set b = 1", "changes", "a"),
        ("{{ config(materialized='table', post_hook='update a set b = 1') }}", "changes", "a"),
        ("{% do run_query('update ' ~ ref('a') ~ ' set b = 1') %}", "changes", "*"),
        ("{% call statement() %}delete from {{ name }}{% endcall %}", "removes", "*"),
        ("{% set q %}insert into {{ this }} select 1{% endset %}", "adds", "this"),
        ("insert into {{ this.schema }}.{{ this.identifier }} select 1", "adds", "this"),
        ("insert into {{ target.schema }}.log select 1", "adds", "log"),
        ("insert into log_{{ var('year') }} select 1", "adds", "log_*"),
        ("insert into {{ source('s', 'a') }} select 1", "adds", "source s.a"),
        ("insert or replace into a select 1", "changes", "a"),
        ("insert into a values (1) on conflict (b) do update set b = 2", "changes", "a"),
        ("merge into a using c on true when matched then update set b = 1", "changes", "a"),
        ("truncate table {{ target.schema }}.a", "removes", "a"),
        ("create or replace table a as select 1", "changes", "a"),
        ("drop table if exists a", "changes", "a"),
        ("drop schema main cascade", "changes", "*"),
        ("alter table a add column b integer", "changes", "a"),
        ("copy a from 'a.csv'", "adds", "a"),
        ("insert into {{ ref('p', 'a') }} select 1", "adds", "*"),
    ],
)
def test_statements_that_change_something(text: str, how: str, target: str) -> None:
    """By hooks, macros, and queries that Jinja puts together."""
    assert [one[:2] for one in changed(text)] == [(how, target)]


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        "select replace(a, 'b', 'c') from d for update",
        "create or replace temp table a as select 1",
        "create table if not exists a (b integer)",
        "create index if not exists i on {{ this }} (a)",
        "copy a to 'a.csv'",
        "select 1 -- update a set b = 1",
        "select 1 {# delete from a #}",
        "select 'delete from a'",
        "{{ config(materialized='incremental', incremental_strategy='merge') }} select 1",
        "{{ config(post_hook=\"update a set b = 1 where c = {{ var('d') }}\") }}",
    ],
)
def test_statements_that_change_nothing(text: str) -> None:
    """The hook in ``config()`` is a template of its own."""
    assert changed(text) == []


@pytest.mark.parametrize(
    ("condition", "column"),
    [
        (f"where y = {YEAR}", "y"),
        (f"where y = '{YEAR}'", "y"),
        (f"where a.Y = {YEAR} and b in (select c from d where e or f)", "y"),
        ("where y = {{ var('year', 2000) | int }}", "y"),
        (f"where y < {YEAR}", ""),
        (f"where y = {YEAR} - 1", ""),
        (f"where y = {YEAR} or true", ""),
        (f"where not y = {YEAR}", ""),
        (f"where b in (select c from d where y = {YEAR})", ""),
        (f"where (y = {YEAR} or true)", ""),
        ("where y = {{ var('other') }}", ""),
        ("where y = {{ year }}", ""),
        ("where y = 2000", ""),
        ("", ""),
    ],
)
def test_a_limit_to_the_year_must_be_sure(condition: str, column: str) -> None:
    """It is one of several conditions that must all hold."""
    assert changed(f"update a set b = 1 {condition}") == [("changes", "a", column)]
    assert changed(f"delete from a {condition}; select 1") == [("removes", "a", column)]


@pytest.mark.parametrize(
    ("statement", "column"),
    [
        (f"{IF}update a set b = 1 where y = {YEAR}{END}", "y"),
        (f"update a set b = 1 {IF} where y = {YEAR} {END}", ""),
        (f"update a set b = 1 where y = {YEAR} {IF} or true {END}", ""),
        (f"update a as t set b = 1 from c where t.y = {YEAR}", "y"),
        (f"update a set b = 1 from c where a.y = {YEAR}", "y"),
        (f"update a set b = 1 from c where c.y = {YEAR}", ""),
        (f"update a set b = 1 from c where y = {YEAR}", ""),
        (f"merge into a using c on a.y = {YEAR} when matched then delete", ""),
    ],
)
def test_a_limit_may_be_that_of_another_table_or_be_left_out(statement: str, column: str) -> None:
    """Then nothing is limited, for all that can be told."""
    assert [one[1:] for one in changed(statement)] == [("a", column)]


def test_python_that_sends_statements() -> None:
    """Texts that are put together name something that is not known."""
    source = (
        "def model(dbt, session):\n    session.execute('update a set b = 1')\n    session.execute(f'delete from {c}')"
    )
    assert sorted(one[:2] for one in changed_by_python(source)) == [("changes", "a"), ("removes", "*")]
