"""Templates that change what is not theirs."""

from __future__ import annotations

import pytest
from dbt_common.clients.jinja import get_environment

from orchestrator.dbt_runner.analysis.own_objects import changes_shared

OWN = [
    "{% set found = [] %}{% do found.append(var('x')) %}{{ found | join(',') }}",
    "{% set found = {} %}{% do found.update({'a': 1}) %}{% set found = dict(b=2) %}",
    "{% set parts = 'a,b'.split(',') + ['c'] %}{% do parts.sort() %}",
    "{% set left = var('labels') | list %}{% set _ = left.pop() %}",
    "{% set ns = namespace(found=[], n=0) %}{% set ns.n = 1 %}{% do ns.found.append(ns.n ~ 'x') %}",
    "{% macro m(a) %}{% set found = [] %}{% for one in a %}{% do found.append(one) %}{% endfor %}{% endmacro %}",
    "{% macro m() %}{% do kwargs.pop('a') %}{% endmacro %}",
    "{{ var('labels')[0] }}, {{ target.name }}, {{ config.get('a') }}, {{ var('labels').index('a') }}",
    "{% set found = [var('labels')] %}{% do found.append(1) %}",
]
SHARED = [
    "{% do var('labels').append('x') %}",
    "{{ var('labels').pop() }}",
    "{% set labels = var('labels') %}{% do labels.append('x') %}",
    "{% set add = var('labels').append %}{% do add('x') %}",
    "{% do var('labels')['append']('x') %}",
    "{% do (var('labels') | attr('append'))('x') %}",
    "{% do target['x'].update(a=1) %}",
    "{% macro m(acc) %}{% do acc.append('x') %}{% endmacro %}",
    "{% for labels in var('all') %}{% do labels.append('x') %}{% endfor %}",
    "{% set labels = [] %}{% for labels in var('all') %}{% do labels.append('x') %}{% endfor %}",
    "{% set labels = [] %}{% set labels, n = var('pair') %}{% do labels.append('x') %}",
    "{% set labels = [] if var('a') else var('labels') %}{% do labels.append('x') %}",
    "{% set labels = [] %}{% set labels = var('labels') %}{% do labels.append('x') %}",
    "{% set ns = namespace(found=var('labels')) %}{% do ns.found.append('x') %}",
    "{% set ns = namespace() %}{% set ns.found = var('labels') %}{% do ns.found.append('x') %}",
    "{% set all = [] %}{% do all.append(var('labels')) %}{% do all[0].append('x') %}",
    "{% set all = [var('labels')] %}{% do all[0].append('x') %}",
    "{% with labels = var('labels') %}{% do labels.append('x') %}{% endwith %}",
]


@pytest.mark.parametrize("text", OWN)
def test_its_own(text: str) -> None:
    """What a template makes itself it may change."""
    assert not changes_shared(get_environment(None, capture_macros=True).parse(text))


@pytest.mark.parametrize("text", SHARED)
def test_others(text: str) -> None:
    """Whatever a variable or dbt holds, under whatever name, may be read by the next template."""
    assert changes_shared(get_environment(None, capture_macros=True).parse(text))
