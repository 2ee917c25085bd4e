"""``orchestrator sweep resume``: go on by the plan that is kept."""

from __future__ import annotations

import duckdb
import pytest

from orchestrator.scenarios.told import SweepTold
from tests.support.processes import GENEROUS
from tests.sweeps.conftest import VARY, Swept, document

pytestmark = pytest.mark.slow


def test_a_sweep_goes_on_by_its_name_alone(swept: Swept) -> None:
    """With the values, seeds and settings that it was begun with, whatever the command line does not say again."""
    swept.hold_members()
    how = ("--seeds", "3,4", "--workers", "1", "--set", "dbt.threads=2")
    process = swept.start("sweep", "run", "2000-2001", "--name", "s", *VARY, *how)
    swept.wait_held()
    told = SweepTold.read(swept.folder)
    assert told is not None
    assert (told.kept, told.ended_at, len(told.reached)) == (0, None, 1)
    assert swept("sweep", "cancel", "s").exit_code == 0
    process.communicate(timeout=GENEROUS)
    swept.let_go()
    before = swept.plan()
    assert before.overrides == ("dbt.threads=2",)
    gone_on = document(swept("sweep", "resume", "s", "--workers", "1", "--json"))
    assert (gone_on["status"], gone_on["years"], gone_on["seeds"]) == ("done", [2000, 2001], [3, 4])
    assert swept.plan() == before
    ended = SweepTold.read(swept.folder)
    assert ended is not None and ended.ended_at is not None and not ended.reached
    again = document(swept("sweep", "resume", "--json"))
    assert (again["name"], again["kept"]) == ("s", 4)


def test_results_of_members_that_are_run_again_are_no_results(swept: Swept) -> None:
    """From the beginning, whatever ends the sweep; and a member that went further once has only the years of now."""
    assert swept.sweep("2000-2002", *VARY, "--workers", "1").exit_code == 0
    years = "select rain_factor, min(water_year), max(water_year) from lake_level group by 1 order by 1"
    assert swept.results(years) == [(1, 2000, 2002), (2, 2000, 2002)]
    model = swept.root / "dbt" / "models" / "yearly" / "lake_level.sql"
    model.write_text(model.read_text().replace("0.9", "0.8"))
    swept.hold_members()
    process = swept.start("sweep", "run", "2000-2001", "--name", "s", *VARY, "--workers", "1")
    swept.wait_held()
    assert swept.results(years) == []
    process.kill()
    process.communicate(timeout=GENEROUS)
    assert swept.results("select distinct status from members") == [("pending",)]
    swept.let_go()
    swept.wait_nothing_left()
    assert document(swept("sweep", "resume", "s", "--workers", "1", "--json"))["counts"] == {"done": 2}
    assert swept.results(years) == [(1, 2000, 2001), (2, 2000, 2001)]
    with duckdb.connect(str(swept.folder.member(swept.plan().members[0].key).database), read_only=True) as connection:
        assert connection.execute("select max(water_year) from lake_level").fetchone() == (2001,)


def test_the_whole_environment_is_the_same_in_each_worker(swept: Swept) -> None:
    """What Dask sets for its workers alone is nothing that members are made of."""
    model = swept.root / "dbt" / "models" / "yearly" / "seen.py"
    model.write_text(
        "import os\n\ndef model(dbt, session):\n    dbt.config(materialized='table', tags=['BALANCE'])\n"
        "    return session.sql(\"select '%s' as own\" % sorted(one for one in os.environ if 'DASK' in one))\n"
    )
    swept.sweep("2000-2001", *VARY, "--workers", "1", "--keep", "seen")
    assert swept.results("select distinct own from seen") == [("[]",)]
    assert document(swept("sweep", "resume", "s", "--json"))["kept"] == 2
