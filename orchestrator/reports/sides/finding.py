"""Find the sides that a person names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.core.errors import ConfigurationError, RunNotFoundError
from orchestrator.core.text import nearest
from orchestrator.reports.run_history import find_run
from orchestrator.reports.sides.databases import scenario_side
from orchestrator.reports.sides.groups import open_sweep
from orchestrator.reports.sides.names import SideName, side_name
from orchestrator.reports.sides.runs import run_side
from orchestrator.reports.sides.side import Side, distinct_names
from orchestrator.reports.sides.sources import Sources
from orchestrator.reports.sides.sweeps import sweep_sides

if TYPE_CHECKING:
    from orchestrator.storage.models import WorkflowRun

_RUN_ID = re.compile(r"[0-9a-f-]{1,36}")


def find_sides(sources: Sources, names: Sequence[str]) -> list[Side]:
    """Return the sides of these names, in their order; a sweep without conditions stands for all of its groups.

    A name is that of a scenario, of a sweep, or the beginning of a run's id, looked for in this order;
    ``scenario:``, ``sweep:`` and ``run:`` before it say which.

    Raises:
        ConfigurationError: a name is unknown or may be several things.
        RunNotFoundError: there is no such run, or there are several.
        TableNotFoundError: there are no results of it.
        DatabaseError: its database cannot be read, or a run has it open.
    """
    found = [side for name in names for side in _sides(sources, side_name(name))]
    labels = distinct_names([side.name for side in found])
    return [
        side if side.name == label else Side(**{**vars(side), "name": label})
        for side, label in zip(found, labels, strict=True)
    ]


def _sides(sources: Sources, name: SideName) -> list[Side]:
    kind = kind_of(sources, name)
    if kind == "scenario":
        return [scenario_side(sources, name.name)]
    if kind == "sweep":
        folder = sources.sweep(name.name)
        assert folder is not None  # its kind would not be known else
        return sweep_sides(sources, open_sweep(folder), name.conditions, name.written if name.conditions else None)
    assert sources.history is not None
    run = find_run(sources.history, name.name)
    return [run_side(sources.history, run, sources.config.ledger.schema)]


def kind_of(sources: Sources, name: SideName) -> str:
    """Return what a name stands for: ``scenario``, ``run`` or ``sweep``.

    Raises:
        ConfigurationError: nothing is called so, or several things are.
        RunNotFoundError: it is to be a run, and there is none.
    """
    if name.kind == "run":
        if sources.history is None:
            there = ", ".join([*sources.scenarios, *sources.sweeps][:20])
            raise RunNotFoundError(
                f"There is no run {name.name}: the history is empty.",
                to_fix=f"name a scenario or a sweep; there are: {there}",
            )
        find_run(sources.history, name.name)
        return name.kind
    if name.kind == "scenario" and not sources.is_scenario(name.name):
        raise _unknown(sources, name, "scenario", sources.scenarios)
    if name.kind == "sweep" and sources.sweep(name.name) is None:
        raise _unknown(sources, name, "sweep", sources.sweeps)
    return name.kind or _kind_of(sources, name)


def _kind_of(sources: Sources, name: SideName) -> str:
    scenario, sweep = name.name in sources.scenarios, sources.sweep(name.name) is not None
    if scenario and sweep:
        raise ConfigurationError(
            f"{name.name} is a scenario and a sweep.", to_fix=f"write scenario:{name.name} or sweep:{name.name}"
        )
    if scenario or sweep:
        return "scenario" if scenario else "sweep"
    if sources.history is not None:
        if sources.is_scenario(name.name):
            return "scenario"
        if _RUN_ID.fullmatch(name.name.lower()) and _runs(sources, name.name):
            return "run"
    raise _unknown(sources, name, "scenario, run or sweep", [*sources.scenarios, *sources.sweeps])


def _runs(sources: Sources, name: str) -> list[WorkflowRun]:
    return [] if sources.history is None else sources.history.runs.find(name.lower())


def _unknown(sources: Sources, name: SideName, what: str, known: Sequence[str]) -> ConfigurationError:
    near = nearest(name.name, known)
    there = ", ".join(known[:20]) or "none"
    runs = " `orchestrator runs list` shows the runs." if "run" in what else ""
    return ConfigurationError(
        f"There is no {what} {name.name!r}.",
        to_fix=f"{'' if near is None else f'write {near}; '}there are: {there}.{runs}",
    )
