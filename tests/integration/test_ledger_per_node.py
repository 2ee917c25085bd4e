"""dbt's own result of each node decides what counts as built; one refusal, or one failure, costs no other table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.test_seen import Orchard, problems

pytestmark = pytest.mark.slow

BATCHED = ", incremental_strategy='microbatch', event_time='ts', begin='2026-01-01', batch_size='year'"


@pytest.fixture
def orchard(tmp_path: Path) -> Orchard:
    """A project with one seed."""
    made = Orchard(tmp_path)
    made.write("seeds/harvest.csv", "tree,kg\nplum,3\npear,4\n")
    return made


def test_what_succeeded_in_a_failed_command_is_built(orchard: Orchard) -> None:
    """A broken seed and a broken model cost what is built from them, and nothing else is built a second time."""
    orchard.write("seeds/torn.csv", "a,b\n1\n")
    orchard.model("whole", "select *, now() as made from {{ ref('harvest') }}")
    orchard.model("broken", "select error('no such tree') as a from {{ ref('harvest') }}")
    orchard.model("below", "select a from {{ ref('broken') }}")
    orchard.model("on_torn", "select a from {{ ref('torn') }}")
    told = orchard("init")
    assert told.exit_code == 1
    assert "Seed torn" in told.err and "Model broken" in told.err and "no such tree" in told.err
    found = problems(orchard, 3)
    assert sorted(found) == ["below", "broken", "on_torn", "torn"]
    assert found["broken"].startswith("failed: could not be built on 20") and "no such tree" in found["broken"]
    assert found["torn"].startswith("failed: ") and found["below"] == "missing: does not exist"
    at = orchard.sql("select max(made) from whole")
    orchard.write("seeds/torn.csv", "a,b\n1,2\n")
    orchard.model("broken", "select kg as a from {{ ref('harvest') }}")
    healed = orchard("init", "--json").document()
    assert sorted(healed["tables_created"]) == ["below", "broken", "on_torn", "torn"]  # type: ignore[call-overload]
    assert orchard.sql("select max(made) from whole") == at
    assert problems(orchard, 0) == {}


def test_what_was_not_tried_because_something_failed_is_said(orchard: Orchard) -> None:
    """A table that is there, and was to be built again below what failed, is not taken for ready."""
    orchard.model("first", "select sum(kg) as kg from {{ ref('harvest') }}")
    orchard.model("second", "select kg from {{ ref('first') }}")
    assert orchard("init").exit_code == 0
    orchard.model("first", "select error('spilled') as kg from {{ ref('harvest') }}")
    assert orchard("init").exit_code == 1
    found = problems(orchard, 3)
    assert sorted(found) == ["first", "second"]
    assert found["second"].startswith("incomplete: was not built on 20") and "because first failed" in found["second"]


def test_a_stale_table_that_dbt_has_brought_up_to_date_is_accepted(orchard: Orchard) -> None:
    """Nothing of it is built; what is built from it is, and what else is wrong with a table cannot be accepted."""
    orchard.model("daily", "select kg from {{ ref('harvest') }}", "incremental")
    orchard.model("total", "select sum(kg) as kg from {{ ref('daily') }}")
    assert orchard("init").exit_code == 0
    orchard.write("seeds/harvest.csv", "tree,kg\nplum,3\npear,4\nfig,5\n")
    refused = orchard("init", "--json")
    assert refused.exit_code == 1 and "`orchestrator init --accept daily`" in refused.error()["to_fix"]
    orchard.sql("insert into daily values (5)")
    assert orchard("init", "--accept", "daily", "--json").document()["accepted"] == ["daily"]
    assert list(problems(orchard, 3)) == ["total"]
    assert orchard("init").exit_code == 0
    assert orchard.sql("select (select sum(kg) from daily), kg from total") == [(12, 12)]
    assert "daily is ready; there was nothing to accept" in orchard("init", "--accept", "daily").out
    for arguments, words in (
        (("daili",), "Did you mean 'daily'?"),
        (("daily", "--dry-run"), "--accept builds nothing, so --dry-run cannot be used with it."),
        (("total",), "total cannot be accepted: it does not exist"),
    ):
        orchard.sql("drop table if exists total")
        told = orchard("init", "--accept", *arguments)
        assert (told.exit_code, words in told.err) == (2, True), told.err


def test_one_refusal_holds_back_its_own_descendants(orchard: Orchard) -> None:
    """The rest is healed; `check` gives the same remedy as `init`, and what was left stays stale until it is built."""
    rows = "select kg, timestamp '2026-05-01' as ts from {{ ref('harvest') }}"
    orchard.model("daily", rows, "incremental", BATCHED)
    orchard.model("total", "select sum(kg) as kg from {{ ref('daily') }}")
    orchard.model("apart", "select sum(kg) as kg from {{ ref('harvest') }}")
    assert orchard("init").exit_code == 0
    orchard.write("seeds/harvest.csv", "tree,kg\nplum,3\npear,4\nfig,5\n")
    checked = orchard("check")
    assert checked.exit_code == 3
    remedy = 'empty daily (delete from "odd"."main"."daily"), and it will be rebuilt'
    assert "Table daily is out of date" in checked.out and "Held back with it: total." in checked.out
    assert remedy in checked.out and "for the rest, run `orchestrator init`" in checked.out
    assert "years" not in checked.out
    refused = orchard("init", "--json")
    assert refused.exit_code == 1 and remedy in refused.error()["to_fix"]
    assert orchard.sql("select a.kg, t.kg from apart a, total t") == [(12, 7)]
    found = problems(orchard, 3)
    assert sorted(found) == ["daily", "total"]
    assert "harvest, which it is built from, was built again" in found["daily"]
    orchard.sql("delete from daily")
    assert orchard("init").exit_code == 0
    assert orchard.sql("select kg from total") == [(12,)]
    assert problems(orchard, 0) == {}


def test_batches_that_fail_are_told_and_made_up_for(orchard: Orchard) -> None:
    """The cause, which dbt leaves out of its result, is given, and no table with a gap is left to be added to."""
    start = "{{ model.batch.event_time_start.year if model.batch else 2025 }}"
    text = f"select case when {start} = 2024 and BROKEN then error('the scales fell') else {start} end as y, "
    text += "make_timestamp({{ model.batch.event_time_start.year if model.batch else 2025 }}, 2, 1, 0, 0, 0) as ts"
    begun = BATCHED.replace("2026-01-01", "2023-01-01")
    orchard.model("yearly", text.replace("BROKEN", "true"), "incremental", begun)
    told = orchard("init")
    assert told.exit_code == 1
    assert "batches failed, the first that of 2024-01-01 00:00: " in told.err and "the scales fell" in told.err
    found = problems(orchard, 3)
    assert list(found) == ["yearly"] and "the scales fell" in found["yearly"]
    orchard.model("yearly", text.replace("BROKEN", "false"), "incremental", begun)
    assert orchard("init").exit_code == 0
    assert {2023, 2024, 2025} <= {year for (year,) in orchard.sql("select y from yearly")}


def test_a_hook_that_fails_is_told(orchard: Orchard) -> None:
    """It is no node; what was built beside it is built."""
    with (orchard.root / "dbt_project.yml").open("a") as file:
        file.write("on-run-end: [\"select error('wind')\"]\n")
    told = orchard("init")
    assert told.exit_code == 1 and "on-run-end" in told.err and "wind" in told.err
    assert problems(orchard, 0) == {}
