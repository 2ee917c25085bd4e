"""Reports made of sides that were never simulated."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product

from orchestrator.core.clocks import utc_now
from orchestrator.pipeline.workflow import SummaryColumn
from orchestrator.reports.html.assumptions import assumptions_of
from orchestrator.reports.html.content import Report, headlines_of
from orchestrator.reports.html.page import charts_of_report, report_page
from orchestrator.reports.html.past import FailedMember, Past, RunTimes, SweepTimes, WarnedTest
from orchestrator.reports.html.sensitivity import sensitivities_of
from orchestrator.reports.sides.comparing import compare_sides
from orchestrator.reports.sides.side import Repetition, Side

COLUMNS = (
    SummaryColumn("level", "Level", "integer"),
    SummaryColumn("cost", "Cost", "money"),
    SummaryColumn("share", "Share <b>of</b> water", "percent"),
    SummaryColumn("mood", "Mood", "text"),
)
INPUTS = {"seed rain": "ab" * 32, "model inflow": "cd" * 32, "macro year": "ef" * 32, "version of duckdb": "1.4"}
YEARS = range(2000, 2005)
EVIL = "x\"'><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>\x1b[2J"
NOTHING_KNOWN = Past((), (), (), (), 0, 0)
PAST = Past(
    runs=(RunTimes("a", "1f0c" * 9, 9.5, ("flows", "checks"), (("start dbt", 2.5),), (("2000", (1.0, None)),)),),
    sweeps=(SweepTimes("rain", 7, 70.0, 9.5, 20.0, "longest-one"),),
    warnings=(WarnedTest("a", EVIL, (2000, 2001), 12, 1),),
    failures=(FailedMember("rain", "key-1", EVIL, "look at the rain", 2),),
    known=1,
    unknown=7,
)


def sweep_sides(
    factors: Sequence[object] = (1, 2, 4), winds: Sequence[object] = ("calm", "wild"), seeds: int = 3
) -> list[Side]:
    """Make the groups of a sweep of two keys, whose level is 100 · factor, more by 10 where it is wild."""
    sides = []
    for factor, wind in product(factors, winds):
        repetitions = []
        for seed in range(1, seeds + 1):
            drawn = random.Random(seed)  # noqa: S311  # the same every time
            years = {
                year: {
                    "level": 100 * float(str(factor)) + (10 if wind == "wild" else 0) + drawn.gauss(0, 3),
                    "cost": 1e6 * float(str(factor)) * (year - 1999) + drawn.gauss(0, 1e5),
                    "share": 0.5,
                    "mood": str(wind),
                }
                for year in YEARS
            }
            repetitions.append(Repetition(f"{factor}-{wind}-{seed}", seed, years))
        group = {"scenario": "baseline", "vars.factor": factor, "vars.wind": wind}
        name = f"rain[factor={factor},wind={wind}]"
        settings = {"vars.factor": factor, "vars.wind": wind, "vars.depth": 3, "vars.empty": ""}
        sides.append(Side(name, "sweep", COLUMNS, tuple(repetitions), settings, (), "rain", group, INPUTS))
    return sides


def scenario_side(name: str = "a", years: Sequence[int] = YEARS) -> Side:
    """Make a side of one simulation."""
    values = {year: {"level": year - 1900, "cost": 1e6, "share": None, "mood": "calm"} for year in years}
    return Side(name, "scenario", COLUMNS, (Repetition(name, 1, values),), {"vars.depth": 3}, (f"{name} is old.",))


def report_of(sides: Sequence[Side], past: Past = NOTHING_KNOWN) -> Report:
    """Make the report of sides."""
    comparison = compare_sides(sides)
    return Report(
        title=" and ".join(side.name for side in sides[:2]),
        project="my lakes",
        made_at=utc_now(),
        comparison=comparison,
        headlines=headlines_of(comparison),
        assumptions=assumptions_of(sides, {}, None),
        sensitivities=tuple(sensitivities_of(comparison)),
        past=past,
    )


def page_of(sides: Sequence[Side], past: Past = NOTHING_KNOWN) -> str:
    """Make the page of the report of sides."""
    report = report_of(sides, past)
    return report_page(report, charts_of_report(report))
