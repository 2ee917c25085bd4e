"""Stages that the first year leaves out: what begins a simulation is not what carries it on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator import Hook, HookContext, HookError, HookType
from orchestrator.core.events import StageFinished
from tests.support.cli_project import Cli
from tests.support.written import Written

pytestmark = pytest.mark.slow

CONFIG = """\
simulation: {start_year: 2000, end_year: 2002, year_var: year, year_column: year}
stages:
  - {name: opening, select: "opening", first_year_only: true}
  - {name: carried, select: "carried", later_years_only: true}
  - {name: closing, select: "closing"}
"""
YEARLY = "{{ config(materialized='incremental') }} select {{ var('year') }} as year, "
FILES = {
    "models/opening.sql": YEARLY + "'opened' as what",
    "models/carried.sql": YEARLY + "'carried' as what",
    "models/closing.sql": YEARLY + "'closed' as what",
}


@pytest.fixture
def mill(tmp_path: Path) -> Written:
    """A simulation that begins with one stage and goes on with another."""
    return Written(tmp_path, CONFIG, FILES)


def ran(mill: Written) -> list[tuple[int, str]]:
    """Return the stages that ended well, in order."""
    return [(event.year, event.stage) for event in mill.events if isinstance(event, StageFinished) and event.success]


def test_the_first_year_leaves_it_out(mill: Written) -> None:
    """It runs in every later year, where a run begins with a later one, too; the plan shows the same."""
    cli = Cli(mill.root, mill.database)
    planned = cli("plan", "2000-2001", "--json").document()
    years = planned["years"]
    assert isinstance(years, list)
    assert [[stage["name"] for stage in year["stages"]] for year in years] == [
        ["opening", "closing"],
        ["carried", "closing"],
    ]
    mill.simulate(2000, 2001)
    mill.simulate(2002, 2002)
    both = [(2001, "carried"), (2001, "closing"), (2002, "carried"), (2002, "closing")]
    assert ran(mill) == [(2000, "opening"), (2000, "closing"), *both]
    assert mill.sql("select year from carried order by 1") == [(2001,), (2002,)]
    asked = mill.events[:]
    mill.simulate(
        2000,
        2002,
        overrides={
            "stages": [
                {"name": "opening", "select": "opening", "first_year_only": True},
                {"name": "carried", "select": "carried"},
                {"name": "closing", "select": "closing"},
            ]
        },
    )
    assert (2000, "carried") in ran(mill)[len([e for e in asked if isinstance(e, StageFinished)]) :]


def test_a_run_resumes_at_it(mill: Written) -> None:
    """A hook that fails before it leaves the years before whole, and the next run goes on with it."""

    def fails(context: HookContext) -> None:
        if context.year == 2001:
            raise OSError("no space")

    with pytest.raises(HookError, match="no space"):
        mill.simulate(hooks=[Hook(HookType.PRE_STAGE, fails, "fails", stage="carried")])
    mill.events.clear()
    mill.simulate()
    assert ran(mill)[0] == (2001, "carried")
    assert mill.sql("select year, what from carried union all from closing order by all") == [
        (2000, "closed"),
        (2001, "carried"),
        (2001, "closed"),
        (2002, "carried"),
        (2002, "closed"),
    ]


def test_a_simulation_whose_only_stage_is_for_later_years(mill: Written) -> None:
    """Its first year has nothing to run, and the others do."""
    stages = [{"name": "carried", "select": "carried", "later_years_only": True}]
    mill.simulate(overrides={"stages": stages})
    assert ran(mill) == [(2001, "carried"), (2002, "carried")]
    told = Cli(mill.root, mill.database)("simulate", "--set", f"stages={json.dumps(stages)}")
    assert told.exit_code == 0 and "Nothing to do" in told.out, told.out
