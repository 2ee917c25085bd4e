"""What a template does with the values of variables."""

from __future__ import annotations

import pytest
from jinja2 import Environment

from orchestrator.dbt_runner.analysis.variable_record import ASSIGNED, COMPARED, EQUAL
from orchestrator.dbt_runner.analysis.variable_uses import variable_uses

JINJA = Environment()  # noqa: S701  # SQL is made, and no page
Y = "{{ var('y') }}"


def uses(text: str) -> list[tuple[str, str]]:
    """Return the columns that stand with ``y``, and how."""
    found = variable_uses(JINJA, text, {"the_year": {"y"}}).columns
    return [(one.column, one.how) for one in found if one.variable == "y"]


@pytest.mark.parametrize(
    "text",
    [
        f"select {Y} as year from t",
        f"select id, {Y} year from t",
        f"select distinct '{Y}' as \"year\" from t",
        f"select a, cast({Y} as decimal(4, 0)) as year from t",
        f"select {Y}::int as year from t",
        "{% set now = var('y') | int %}select {{ now }} as year",
        "select {{ the_year() }} as year",
        "select {{ var('y', 2020) }} as Year -- {{ var('y') }} as remark",
    ],
)
def test_a_column_is_given_the_value(text: str) -> None:
    """However it is written; what stands in a remark is none."""
    assert uses(text) == [("year", ASSIGNED)]


@pytest.mark.parametrize(
    ("text", "how", "moved"),
    [
        (f"where year = {Y}", EQUAL, False),
        (f"where t.year = {Y} - 1", EQUAL, True),
        ("where year = {{ var('y') - 1 }}", EQUAL, True),
        (f"where {Y} = t.year", EQUAL, False),
        (f"where year >= '{Y}'", COMPARED, False),
        (f"where year between {Y} and 3", COMPARED, False),
        (f"where {Y} - 1 < year", COMPARED, True),
    ],
)
def test_a_column_is_compared(text: str, how: str, moved: bool) -> None:
    """With the value, or with a number more or less."""
    (found,) = variable_uses(JINJA, text, {}).columns
    assert (found.variable, found.column, found.how, found.moved) == ("y", "year", how, moved)


@pytest.mark.parametrize("text", [f"select {Y} - born as age", f"select a, 1 + {Y} as later", f"select {Y} from t"])
def test_what_is_made_of_the_value_is_no_year(text: str) -> None:
    """An age is not the year, and a column without a name is none."""
    assert uses(text) == []


def test_values_are_compared_with_each_other() -> None:
    """In Jinja and in SQL, with variables and with texts, by their lines."""
    text = "{% if var('y') == var('first') %}\n{% elif var('y') != '2020' %}{% endif %}\nwhere "
    text += "{{ var('y') }} > {{ var('z') }}"
    found = variable_uses(JINJA, text, {}).checks
    assert {(one.other, one.text, one.line) for one in found if one.variable == "y"} == {
        ("first", None, 1),
        (None, "2020", 2),
        ("z", None, 3),
    }


def test_what_it_looks_up_and_reads_of_itself() -> None:
    """By line; a default is told as JSON, and a template that cannot be read tells nothing."""
    text = "{% set t = adapter.get_relation(database=a, schema=b, identifier='level') %}\n"
    text += "from {{ this }} {{ var('n', 'x') }}"
    found = variable_uses(JINJA, text, {})
    assert (found.looked_up, found.this_at) == ((("level", 1),), 2)
    assert [(one.name, one.default) for one in found.reads] == [("n", '"x"')]
    assert variable_uses(JINJA, "{% if %}", {}).reads == ()
