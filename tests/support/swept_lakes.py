"""The lakes with sweeps of them that no engine has run."""

from __future__ import annotations

from pathlib import Path

from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.keeping import read_states
from orchestrator.scenarios.plan import Member
from orchestrator.scenarios.results_database import write_results
from orchestrator.scenarios.state import MemberState
from tests.support.sweep_folders import FAILED, Rows, lay_sweep

EVIL = "<script>document.title='evil'</script>"
COLUMNS = (
    ("member", "varchar"),
    ("water_year", "integer"),
    ("lakes", "integer"),
    ("water", "double"),
    ("fullness", "double"),
)


def lay_rain(root: Path) -> None:
    """Lay the sweep ``rain``: factors 1, 1.5 and 2.5, seeds 1 to 4; the third of its twelve members failed."""
    plan = lay_sweep(
        root,
        "rain",
        _rows,
        table="lake_summary",
        columns=COLUMNS,
        years=(2000, 2002),
        vary={"vars.rain_factor": [1, 1.5, 2.5]},
        seeds=(1, 2, 3, 4),
        states={2: MemberState(**{**vars(FAILED), "message": f"inflow: {EVIL}"})},
    )
    folder = SweepFolder.of(root, "rain")
    write_results(folder, plan, read_states(folder, plan))


def lay_waiting(root: Path, name: str, members: int) -> SweepFolder:
    """Lay a sweep of which only every tenth member is waiting still, failed or done in turn, without any rows."""
    states = (MemberState(), FAILED, MemberState("cancelled"), MemberState("running"))
    lay_sweep(
        root,
        name,
        lambda _: (),
        table="lake_summary",
        columns=COLUMNS,
        years=(2000, 2002),
        vary={"vars.rain_factor": [n / 100 for n in range(members // 10)]},
        seeds=tuple(range(1, 11)),
        states={place: states[place % len(states)] for place in range(members)},
        parquet=False,
    )
    return SweepFolder.of(root, name)


def _rows(member: Member) -> Rows:
    factor, seed = float(str(member.values["vars.rain_factor"])), member.seed or 0
    return [
        (member.key, year, 2, 1000.0 * factor * (year - 1999) + 40 * (seed * 7 % 5), factor / 4 + seed % 3 / 50)
        for year in (2000, 2001, 2002)
    ]
