"""What happens while a sweep runs, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.scenarios.state import MemberState


@dataclass(frozen=True)
class MemberReached:
    """Signals that a member works on a stage of a year; both are None while it starts, as is the id of its run."""

    key: str
    attempt: int
    year: int | None = None
    stage: str | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class MemberEnded:
    """Signals what became of a member; ``again`` tells that it is tried once more."""

    key: str
    state: MemberState
    again: bool = False


@dataclass(frozen=True)
class WorkersSeen:
    """Signals how many workers there are, and the bytes of memory that they and their dbt processes take."""

    count: int
    memory: int | None = None


Happening = MemberReached | MemberEnded | WorkersSeen
Tell = Callable[[Happening], None]


def tell_nobody(happening: Happening) -> None:
    """Do nothing."""
