"""Sweeps as pages show them, of any number of members: what has not changed since the last look is not read again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from orchestrator.core.clocks import utc_now
from orchestrator.reports.sides.groups import short_key, shown_value
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.holding import holder_of
from orchestrator.scenarios.plan import Member, SweepPlan
from orchestrator.scenarios.state import MemberState
from orchestrator.scenarios.status import SweepStatus, existing, status_of, sweep_folders
from orchestrator.scenarios.told import Reached, SweepTold

WORDS = {"running": "running", "failed": "failed", "done": "done", "pending": "waiting", "cancelled": "stopped"}
"""What people are shown for the status of a member, in the order of the filter."""
Mark = tuple[int, int]


@dataclass(frozen=True)
class MemberLook:
    """A member as it is shown: ``place`` counts from 1, ``word`` is its status, ``where`` the year and stage it is at.

    ``seconds`` are those that it took, or has taken so far.
    """

    place: int
    member: Member
    word: str
    where: str
    seconds: float | None
    state: MemberState
    run_id: str | None


@dataclass(frozen=True)
class SweepLook:
    """A sweep at a moment; ``told`` is what its process said of it last."""

    status: SweepStatus
    told: SweepTold | None
    at: datetime

    @property
    def name(self) -> str:
        """The name of the sweep."""
        return self.status.name

    @property
    def word(self) -> str:
        """What the sweep is, in a word."""
        return self.status.status

    @property
    def running(self) -> bool:
        """Whether somebody runs it now."""
        return self.status.holder is not None

    @property
    def total(self) -> int:
        """The number of members."""
        return len(self.status.states)

    @property
    def counts(self) -> dict[str, int]:
        """The number of members of each word that there are any of."""
        found = self.status.counts
        return {word: found[status] for status, word in WORDS.items() if status in found}

    @property
    def seconds(self) -> float | None:
        """How long it has run since it was begun last, or ran then; None where nothing tells."""
        if self.told is None or (not self.running and self.told.ended_at is None):
            return None
        return ((self.told.ended_at or self.at) - self.told.began_at).total_seconds()

    @property
    def left(self) -> float | None:
        """The seconds that are expected to be left, None where no member has ended yet."""
        counts, took = self.status.counts, self.seconds
        if not self.running or self.told is None or took is None:
            return None
        ended = counts.get("done", 0) + counts.get("failed", 0)
        now = ended - self.told.kept
        return took / now * (self.total - ended) if now > 0 else None

    def members(self) -> Iterator[MemberLook]:
        """Yield the members in the order of the plan."""
        assert self.status.plan is not None
        reached = {} if self.told is None or not self.running else self.told.reached
        for place, member in enumerate(self.status.plan.members, 1):
            yield self._member(place, member, reached.get(member.key))

    def _member(self, place: int, member: Member, reached: Reached | None) -> MemberLook:
        state = self.status.states[member.key]
        where, seconds, run_id = "", state.seconds, state.run_id
        if state.status == "running":
            where = "starts"
            if reached is not None:
                run_id = reached.run_id
                where = "starts" if reached.year is None else f"{reached.year}, {reached.stage}"
            began = _moment(state.started_at)
            seconds = None if began is None else max(0.0, (self.at - began).total_seconds())
        return MemberLook(place, member, WORDS[state.status], where, seconds, state, run_id)


def varied_names(plan: SweepPlan) -> dict[str, str]:
    """Return the short name of each varied key."""
    keys = [one.key for one in plan.variations]
    return {key: short_key(key, keys) for key in keys}


def member_label(plan: SweepPlan, member: Member) -> str:
    """Return a short name of a member for people: what distinguishes it from the others.

    >>> plan = SweepPlan("s", "", 1, 2, (), ("a",), (3,), ())
    >>> member_label(plan, Member.of("a", 3, {})), member_label(plan, Member.of("a", None, {}))
    ('seed 3', 'a')
    """
    names = varied_names(plan)
    parts = [member.scenario] if len(plan.scenarios) > 1 else []
    parts += [f"{names[key]} {shown_value(value)}" for key, value in member.values.items() if key in names]
    parts += [] if member.seed is None else [f"seed {member.seed}"]
    return ", ".join(parts) or member.scenario


@dataclass
class _Kept:
    """What was read of a sweep: its plan with the mark of that file, and each member's state with that of its own."""

    plan_mark: Mark | None = None
    plan: SweepPlan | None = None
    files: dict[str, Path] = field(default_factory=dict)
    marks: dict[str, Mark | None] = field(default_factory=dict)
    states: dict[str, MemberState] = field(default_factory=dict)


class SweepLooks:
    """Looks at sweeps again and again. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Path, _Kept] = {}

    def look(self, root: Path, name: str) -> SweepLook:
        """Look at the sweep of a name.

        Raises:
            SweepNotFoundError: there is none.
        """
        return self._look(existing(root, name))

    def looks(self, root: Path) -> tuple[SweepLook, ...]:
        """Look at all sweeps of a project, the newest first."""
        folders = sweep_folders(root)
        with self._lock:
            for gone in self._kept.keys() - {folder.path for folder in folders}:
                del self._kept[gone]
        return tuple(sorted(map(self._look, folders), key=_made_at, reverse=True))

    def _look(self, folder: SweepFolder) -> SweepLook:
        holder = holder_of(folder)
        told = SweepTold.read(folder)
        with self._lock:
            kept = self._kept.setdefault(folder.path, _Kept())
            _read(folder, kept)
            plan, states = kept.plan, dict(kept.states)
        if holder is not None and told is not None and told.ended_at is None:
            states = {key: _as_of_now(state, told.began_at) for key, state in states.items()}
        return SweepLook(status_of(folder, plan, states, holder), told, utc_now())


def _read(folder: SweepFolder, kept: _Kept) -> None:
    mark = _mark(folder.plan)
    if mark is None or mark != kept.plan_mark:
        try:
            kept.plan = SweepPlan.read(folder.plan)
        except (OSError, ValueError):
            kept.plan = None
        kept.plan_mark = mark
        members = () if kept.plan is None else kept.plan.members
        kept.files = {member.key: folder.member(member.key).state for member in members}
        kept.marks, kept.states = {}, {}
    for key, file in kept.files.items():
        mark = _mark(file)
        if key not in kept.states or mark != kept.marks[key]:
            kept.marks[key], kept.states[key] = mark, MemberState.read(file)


def _mark(file: Path) -> Mark | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns ^ found.st_ino, found.st_size


def _as_of_now(state: MemberState, began_at: datetime) -> MemberState:
    """Return a state as it counts since a sweep was begun again: what failed or stopped before waits to be tried."""
    if state.status not in ("failed", "cancelled"):
        return state
    finished = _moment(state.finished_at)
    return MemberState() if finished is not None and finished < began_at else state


def _moment(text: str | None) -> datetime | None:
    try:
        found = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found is None or found.tzinfo is None else found


def _made_at(look: SweepLook) -> str:
    return "" if look.status.plan is None else look.status.plan.created_at
