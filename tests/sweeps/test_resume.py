"""``orchestrator sweep resume``: go on by the plan that is kept."""

from __future__ import annotations

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
