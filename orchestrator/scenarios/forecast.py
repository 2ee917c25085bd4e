"""How long a sweep is expected to take, and how large it gets, by what was run before."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from statistics import median

from orchestrator.pipeline.stage_history import StageHistory, StageTime, all_known
from orchestrator.pipeline.workflow import SimulationPlan
from orchestrator.scenarios.status import list_sweeps
from orchestrator.scenarios.sweeping import PreparedSweep
from orchestrator.storage.factory import open_existing

SECONDS_TO_START = 2.0  # of the workers


@dataclass(frozen=True)
class Forecast:
    """Members that are to be run, and what is expected; None is unknown. ``free`` are the bytes left on the disk."""

    members: int
    to_run: int
    seconds: float | None
    seconds_a_member: float | None
    bytes: int | None
    free: int


def forecast(sweep: PreparedSweep, workers: int) -> Forecast:
    """Foresee a sweep by members of the same number of years, else by the history of runs; nothing is written."""
    count = len(sweep.plan.members)
    to_run = count - len(sweep.kept)
    each = _seconds_a_member(sweep)
    rounds = -(-to_run // max(1, min(workers, to_run)))
    seconds = None if each is None else (rounds * each + SECONDS_TO_START if to_run else 0.0)
    return Forecast(count, to_run, seconds, each, _bytes(sweep), shutil.disk_usage(sweep.config.root).free)


def _seconds_a_member(sweep: PreparedSweep) -> float | None:
    years = sweep.plan.last_year - sweep.plan.first_year + 1
    taken = [
        state.seconds
        for one in list_sweeps(sweep.config.root)
        if one.plan is not None and one.plan.last_year - one.plan.first_year + 1 == years
        for state in one.states.values()
        if state.status == "done" and state.seconds is not None
    ]
    return median(taken) if taken else _by_history(sweep)


def _by_history(sweep: PreparedSweep) -> float | None:
    config = sweep.config
    with open_existing(config) as backend:
        rows = [] if backend is None else backend.stage_seconds(str(config.root), config.scenario)
    if not rows or config.simulation is None:
        return None
    history = StageHistory(tuple(StageTime(*row) for row in rows), config.simulation.start_year)
    plan = SimulationPlan.of(config, sweep.plan.first_year, sweep.plan.last_year)
    return all_known(history.expected_seconds(year, stage.name) for year, stage in plan)


def _bytes(sweep: PreparedSweep) -> int | None:
    """Return the bytes of the databases that stay, by those that are there."""
    if sweep.plan.databases != "all":
        return 0
    sizes = [
        state.database[0]
        for one in list_sweeps(sweep.config.root)
        for state in one.states.values()
        if state.database is not None
    ]
    own = sweep.config.database_path
    if not sizes and own is not None and own.is_file():
        sizes = [own.stat().st_size]
    return int(median(sizes)) * len(sweep.plan.members) if sizes else None
