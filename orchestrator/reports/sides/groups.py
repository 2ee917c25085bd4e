"""The groups of a sweep: which of its members belong together, and which conditions choose."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.core.errors import ConfigurationError, StorageError
from orchestrator.core.text import nearest, plural
from orchestrator.reports.sides.names import Condition
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.plan import Member, SweepPlan
from orchestrator.scenarios.state import MemberState

SCENARIO, SEED = "scenario", "seed"
DONE = "done"
WORDS = {"cancelled": "stopped"}
"""What people are shown for a status that is called otherwise."""


@dataclass(frozen=True)
class OpenSweep:
    """A sweep as it is now: its plan, and what became of each member, by key."""

    folder: SweepFolder
    plan: SweepPlan
    states: Mapping[str, MemberState]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.path.name


def open_sweep(folder: SweepFolder) -> OpenSweep:
    """Read a sweep's plan and the states of its members.

    Raises:
        StorageError: the plan cannot be read.
    """
    try:
        plan = SweepPlan.read(folder.plan)
    except (OSError, ValueError) as error:
        raise StorageError(f"The plan of sweep {folder.path.name} cannot be read: {error}.") from error
    states = {member.key: MemberState.read(folder.member(member.key).state) for member in plan.members}
    return OpenSweep(folder, plan, states)


def chosen_members(sweep: OpenSweep, conditions: Sequence[Condition]) -> list[Member]:
    """Return the members of a sweep that fit all conditions.

    Raises:
        ConfigurationError: a condition names what the sweep does not vary, or a value that it does not take.
    """
    members = list(sweep.plan.members)
    for condition in conditions:
        key = _key(sweep, condition.key)
        values = {member.key: value_of(member, key) for member in sweep.plan.members}
        if not any(_same(value, condition.value) for value in values.values()):
            there = ", ".join(dict.fromkeys(map(shown_value, values.values())))
            raise ConfigurationError(
                f"Sweep {sweep.name} has no member with {condition.key}={shown_value(condition.value)}.",
                to_fix=f"choose one of these values: {there}",
            )
        members = [member for member in members if _same(values[member.key], condition.value)]
    if not members:
        wanted = ", ".join(f"{one.key}={shown_value(one.value)}" for one in conditions)
        raise ConfigurationError(f"No member of sweep {sweep.name} fits {wanted} at once.", to_fix="leave one out")
    return members


def value_of(member: Member, key: str) -> object:
    """Return what a member has for a varied key, ``scenario`` or ``seed``."""
    if key in (SCENARIO, SEED):
        return member.scenario if key == SCENARIO else member.seed
    return member.values.get(key)


def short_key(key: str, keys: Iterable[str]) -> str:
    """Return the last part of a key where no other of them has the same.

    >>> short_key("vars.a", ["vars.a", "vars.b"]), short_key("vars.a", ["vars.a", "simulation.a"])
    ('a', 'vars.a')
    """
    last = key.rpartition(".")[2]
    return last if sum(one.rpartition(".")[2] == last for one in keys) == 1 else key


def shown_value(value: object) -> str:
    """Write a varied value as a person would type it in a condition.

    >>> shown_value("high"), shown_value(0.03), shown_value(True), shown_value(None)
    ('high', '0.03', 'true', 'null')
    """
    return value if isinstance(value, str) else json.dumps(value)


def _key(sweep: OpenSweep, written: str) -> str:
    keys = [variation.key for variation in sweep.plan.variations]
    if written in (SCENARIO, SEED, *keys):
        return written
    found = [key for key in keys if key.rpartition(".")[2] == written]
    if len(found) == 1:
        return found[0]
    known = [SCENARIO, SEED, *(short_key(key, keys) for key in keys)]
    near = nearest(written, known)
    what = f"varies several keys that end in {written}" if found else f"does not vary {written!r}"
    raise ConfigurationError(
        f"Sweep {sweep.name} {what}.",
        to_fix=f"{'' if near is None or found else f'write {near}; '}its conditions are on: {', '.join(known)}",
    )


def _same(value: object, wanted: object) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return value == wanted or shown_value(value) == shown_value(wanted)


def grouped(members: Iterable[Member]) -> list[list[Member]]:
    """Return members that differ in nothing but the seed together, in order."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(json.dumps([member.scenario, member.values], sort_keys=True), []).append(member)
    return list(groups.values())


def group_name(sweep: OpenSweep, member: Member) -> str:
    """Return the name of the group of a member, as a person would type it."""
    keys = [variation.key for variation in sweep.plan.variations]
    parts = [f"{short_key(key, keys)}={shown_value(value)}" for key, value in member.values.items()]
    if len(sweep.plan.scenarios) > 1:
        parts.insert(0, f"{SCENARIO}={member.scenario}")
    return f"{sweep.name}[{','.join(parts)}]" if parts else sweep.name


def unfinished(sweep: OpenSweep, chosen: Sequence[Member]) -> str:
    """Say how many of these members are not done, and why; empty where all are."""
    counts: dict[str, int] = {}
    for member in chosen:
        status = sweep.states[member.key].status
        counts[status] = counts.get(status, 0) + 1
    others = ", ".join(f"{count} {WORDS.get(status, status)}" for status, count in counts.items() if status != DONE)
    verb = "is" if len(chosen) == 1 else "are"
    return f"{counts.get(DONE, 0)} of {plural(len(chosen), 'member')} {verb} done ({others})" if others else ""
