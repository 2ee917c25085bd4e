"""What Jinja prints into the name of a file, worked out before it is rendered."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from dbt_common.clients.jinja import get_environment

from orchestrator.dbt_runner.project.printed_values import PrintedValues
from orchestrator.dbt_runner.project.var_values import VarValues

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig

VARIABLES = {
    "folder": "Deep/Er",
    "number": 3,
    "places": {"dir": "deep", "years": ["a/b", "c"]},
    "template": "{{ target.name }}",
    "nested": {"dir": "{{ x }}"},
    "nothing": None,
}
TEMPLATE = """
{% set base = 'data/' ~ var('places').dir %}{% set twice = 1 %}{% set twice = 2 %}{% set self = self ~ 'x' %}
{% set of_year = 'y/' ~ var('year') %}{% macro m(argument) %}{% set inner = argument %}{% endmacro %}
{% for one in ['a', 'b/c'] %}{{ one }}{% for year in years %}{% endfor %}{% endfor %}
{% set listed = ['a', 'b'] %}{% for item in listed %}{% endfor %}
{% set handed = ['a'] %}{% set text = 'a' %}{{ call(handed, text) }}{% for of_handed in handed %}{% endfor %}
{% for two in var('places').years %}{% endfor %}{% for key, value in pairs %}{% endfor %}
"""
ENVIRONMENT = get_environment(None, capture_macros=True)


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("var('folder')", "Deep/Er"),
        ('var("number")', "3"),
        ("var('gone', 'here')", "here"),
        ("var('gone', default='here')", "here"),
        ("var(var_name='gone', default=7)", "7"),
        ("var('gone', var('folder')) | lower", "deep/er"),
        ("var('places')['dir'] ~ '/x'", "deep/x"),
        ("var('places').dir | upper", "DEEP"),
        ("var('nothing') or 'else'", "else"),
        ("'a' if var('number') > 2 else 'b'", "a"),
        ("env_var('MILL_PLACE', 'x') | trim", "here"),
        ("env_var('MILL_GONE', default='x')", "x"),
        ("target.name ~ target['schema']", "devmain"),
        ("loop.index", "*"),
        ("var('year')", "*"),
        ("var('year', 2020) | int - 1", "*"),
        ("'of_%02d' % (var('year') % 100)", "*"),
        ("'x/' ~ var('year')", None),
        ("var('places').years[var('year') % 2]", None),
        ("var('folder') if var('year') > 2000 else 'x'", None),
        ("var('gone')", None),
        ("env_var('MILL_GONE')", None),
        ("var('nothing')", None),
        ("var('places')", None),
        ("var('template')", None),
        ("var('nested').dir", None),
        ("var('fol' ~ 'der')", None),
        ("target.path", None),
        ("this.name", None),
        ("name", None),
        ("name | default('x')", None),
        ("'a' if execute else 'b'", None),
        ("folder()", None),
        ("'A'.lower()", None),
        ("['a', 'b'] | random", None),
        ("'a' ~", None),
        ("base ~ '/x'", "data/deep/x"),
        ("one", "a b/c"),
        ("one ~ two", "aa/b ac b/ca/b b/cc"),
        ("one ~ base", "adata/deep b/cdata/deep"),
        ("item ~ text", "aa ba"),
        ("of_handed", None),
        ("twice", None),
        ("self", None),
        ("argument", None),
        ("inner", None),
        ("of_year", None),
        ("year", None),
        ("key ~ value", None),
    ],
)
def test_what_is_known_is_worked_out_and_nothing_else(
    expression: str, printed: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Variables and texts have values; the year is a part of a name, unless a folder may come of it."""
    monkeypatch.setenv("MILL_PLACE", " here ")
    config = SimpleNamespace(cli_vars={}, project_name="mill", vars=SimpleNamespace(to_dict=lambda: VARIABLES))
    values = VarValues(cast("RuntimeConfig", config), frozenset({"year"}), tmp_path)
    target = {"name": "dev", "schema": "main", "path": "/a/b.duckdb"}
    found = PrintedValues(ENVIRONMENT, values, target).of("mill", expression, TEMPLATE)
    assert found == (None if printed is None else tuple(printed.split()))


def test_a_list_that_a_template_changes_is_not_known(tmp_path: Path) -> None:
    """A loop over it takes what was added as well."""
    config = SimpleNamespace(cli_vars={}, project_name="mill", vars=SimpleNamespace(to_dict=dict))
    values = PrintedValues(ENVIRONMENT, VarValues(cast("RuntimeConfig", config), frozenset(), tmp_path), {})
    template = "{% set all = ['a'] %}{{ all.append('b') }}{% for one in all %}{{ one }}{% endfor %}"
    assert values.of("mill", "one", template) is None
