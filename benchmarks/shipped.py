"""The shipped simulation as contenders run it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.machine import REPOSITORY
from benchmarks.march import March
from benchmarks.measure import Command
from benchmarks.results import Series

FIRST_YEAR = 2025
STAGES = (
    ("run", "tag:EVENT_GENERATION"),
    ("run", "tag:STATE_ACCUMULATION"),
    ("test", "tag:VALIDATION"),
    ("build", "tag:REPORTING"),
)
STATE = ("fct_workforce_snapshot", "int_enrollment_state")
CENSUS = "census.parquet"


def lay(folder: Path) -> None:
    """Copy the shipped project, without what running it left behind."""
    for name in ("dbt", "config"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("target", "logs", ".user.yml"))


def simulation(years: int, *, name: str = "shipped", census: Path | None = None) -> March:
    """Return the shipped simulation over some years, with its own 1,000 employees or those of a census file."""
    variables: dict[str, object] = {"start_year": FIRST_YEAR, "random_seed": 42, "target_growth_rate": 0.03}
    settings: tuple[str, ...] = ("self_healing.timeout_seconds=3600",)
    if census is not None:
        variables["census_path"] = str(census)
        settings = (*settings, f"vars.census_path={census}")
    last = FIRST_YEAR + years - 1
    return March(name, lay, FIRST_YEAR, last, STAGES, variables, settings, STATE)


def write_census(bench: Bench, path: Path, employees: int) -> None:
    """Write a census of so many synthetic employees; the same number gives the same people."""
    script = REPOSITORY / "benchmarks" / "make_census.py"
    bench.quietly(Command([sys.executable, str(script), str(employees), "--out", str(path)], cwd=path.parent))


def against_floor(
    bench: Bench, *, employees: int, years: int, recorded_years: int | None = None, warm_up: bool = True
) -> tuple[tuple[Series, ...], str]:
    """Measure ours and the floor over a census of so many employees; return the figures and what was compared.

    The statements of ``recorded_years`` (by default ``years``) are recorded over 1,000 employees in the same file, once
    for all sizes of a bench.
    """
    census = bench.scratch / CENSUS
    recorder = simulation(recorded_years or years, name="recorded", census=census)
    if not bench.recordings:
        write_census(bench, census, 1_000)
    recording = recorder.record(bench)
    march = simulation(years, name=f"{employees} times {years}", census=census)
    write_census(bench, census, employees)
    contenders = [march.ours(bench), march.floor(bench, recording, years=years)]
    series = bench.compete(contenders, warm_up=warm_up)
    return series, march.compare(bench, contenders)
