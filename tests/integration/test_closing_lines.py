"""What a run that completes has to say all the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.test_odd_projects import YEARS, Odd

pytestmark = pytest.mark.slow

STAGES = (
    'stages: [{name: load, select: "marks", command: seed}, {name: s, select: "tag:S"}, '
    '{name: t, select: "tag:T", command: test}]'
)


@pytest.fixture
def years(tmp_path: Path) -> Odd:
    """A simulation of two years whose second stage tests."""
    made = Odd(tmp_path)
    made.write("config/simulation.yaml", YEARS.replace("COLUMN", "year").partition("stages:")[0] + STAGES)
    made.write("seeds/marks.csv", "a\n1\n")
    made.write(
        "models/m.sql",
        "{{ config(materialized='incremental', incremental_strategy='append', tags=['S']) }} "
        "select {{ var('y') }} as year, 1 as id",
    )
    made.write("tests/young.sql", "{{ config(severity='warn', tags=['T']) }} select * from {{ ref('m') }}")
    made.write("models/e.sql", "{{ config(materialized='ephemeral') }} select 1 as a")
    return made


def test_a_test_that_only_warns_is_told_with_its_rows(years: Odd) -> None:
    """While it happens, in the closing lines and in --json, with the query; so is what was not replayed, and why."""
    told = years("simulate")
    assert told.exit_code == 0, told.err
    assert "test young found 1 row (2000)" in told.out
    assert "warned    test young found 1 row in 2000, 2 rows in 2001. The query: var" in told.out
    assert re.search(r"by dbt    2000–2001, load \(\d+\.\d s\): dbt seed is never replayed", told.out)
    assert re.search(r"by dbt    2000–2001, t \(\d+\.\d s\): young did not succeed without a warning", told.out)
    assert "Not checked: 2 nodes: " in told.out and "e (ephemeral, so nothing is built for it)" in told.out
    document = years("simulate", "--fresh", "--json").document()
    assert {one["name"] for one in document["left_out"]} == {"e", "m"}  # type: ignore[attr-defined]
    (warning,) = document["years"][1]["stages"][2]["warnings"]  # type: ignore[index]
    assert (warning["name"], warning["rows"]) == ("young", 2)
    query = Path(warning["query"])
    assert years.sql(query.read_text()) == [(2000, 1), (2001, 1)]


def test_why_a_year_was_parsed_anew_is_said(years: Odd) -> None:
    """A stage that was therefore never tried has the node and the reason, too."""
    years.write(
        "models/placed.sql",
        "{{ config(materialized='table', tags=['S'], alias='of_%d' | format(var('y'))) }} select 1 as a",
    )
    told = years("simulate")
    assert told.exit_code == 0, told.err
    assert re.search(
        r"by dbt    2000–2001, [sl].* \(\d+\.\d s\): the project is parsed again for it: placed: ", told.out
    )
