"""What a result was made of: settings, inputs with their checksums, versions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.config.parameters import ParameterSettings
from orchestrator.core.text import plural
from orchestrator.dbt_runner.project.input_kinds import FILE, ROWS_OF_SOURCE, VERSION
from orchestrator.reports.sides.cell_text import setting_text
from orchestrator.reports.sides.comparing import DifferingParameter, differing_parameters
from orchestrator.reports.sides.settings import SEED
from orchestrator.reports.sides.side import Side
from orchestrator.storage.base import StorageBackend

INPUTS = ("seed", FILE, ROWS_OF_SOURCE)
"""Kinds of what a project reads, each told by itself; of its code one checksum is told for each kind."""
CODE = ("model", "macro", "snapshot")


@dataclass(frozen=True)
class Setting:
    """A setting that all sides have alike, in words; ``meaning`` is what the project says of it."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Input:
    """Something that a result was made of: its checksum or value, of each side; equal ones are told once."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Assumptions:
    """What the sides are made of; ``unknown`` are the names of sides whose inputs nothing tells any more."""

    differing: tuple[DifferingParameter, ...]
    meanings: Mapping[str, str]
    shared: tuple[Setting, ...]
    inputs: tuple[Input, ...]
    versions: tuple[Input, ...]
    unknown: tuple[str, ...]


def assumptions_of(
    sides: Sequence[Side], declared: Mapping[str, ParameterSettings], history: StorageBackend | None
) -> Assumptions:
    """Return what was assumed; ``declared`` are the parameters of the project by dotted key."""
    differing = differing_parameters(sides)
    names = {one.name for one in differing}
    drawn = {SEED} if any(len(side.repetitions) > 1 for side in sides) else set()
    shared = [
        Setting(name, setting_text(value), _meaning(declared.get(name)))
        for name, value in sides[0].parameters.items()
        if name not in names | drawn
    ]
    known = [side for side in sides if side.inputs]
    versions = [_versions(side, history) for side in sides]
    return Assumptions(
        differing=differing,
        meanings={one.name: _meaning(declared.get(one.name)) for one in differing},
        shared=tuple(shared),
        inputs=tuple(_merged([_inputs(side.inputs) for side in known])),
        versions=tuple(_merged([one for one in versions if one])),
        unknown=tuple(side.name for side in sides if not side.inputs),
    )


def _meaning(declared: ParameterSettings | None) -> str:
    if declared is None:
        return ""
    unit = f" ({declared.unit})" if declared.unit else ""
    return f"{declared.description or ''}{unit}".strip()


def _inputs(components: Mapping[str, str]) -> dict[str, str]:
    """Return the inputs by name, and one checksum over the code of each kind."""
    found = {
        name: value for name, value in sorted(components.items()) if any(name.startswith(f"{kind} ") for kind in INPUTS)
    }
    for kind in CODE:
        own = sorted((name, value) for name, value in components.items() if name.startswith(f"{kind} "))
        if own:
            whole = hashlib.sha256(repr(own).encode()).hexdigest()
            found[plural(len(own), kind)] = whole
    return found


def _versions(side: Side, history: StorageBackend | None) -> dict[str, str]:
    found = {
        name.removeprefix(f"{VERSION} "): value for name, value in side.inputs.items() if name.startswith(f"{VERSION} ")
    }
    run_id = next((one.run_id for one in side.repetitions if one.run_id is not None), None)
    run = None if history is None or run_id is None else history.runs.get(run_id)
    return {**found, **({} if run is None else {name: str(value) for name, value in run.versions.items()})}


def _merged(of_sides: Sequence[Mapping[str, str]]) -> list[Input]:
    names = dict.fromkeys(name for one in of_sides for name in one)
    return [Input(name, tuple(dict.fromkeys(one.get(name, "–") for one in of_sides))) for name in names]
